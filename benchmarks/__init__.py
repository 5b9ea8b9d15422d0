"""Measures minreg against the servers that one would take instead, in one run."""
