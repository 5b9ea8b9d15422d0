"""The tests of minreg: ``python -m twisted.trial tests`` runs them all."""
