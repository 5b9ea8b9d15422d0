"""The rules of ``minreg doctor``, by subject."""
