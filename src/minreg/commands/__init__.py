"""The commands of ``minreg``: one module each, which turns words into calls."""
