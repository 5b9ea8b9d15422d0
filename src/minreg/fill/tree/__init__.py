"""What changes a registry tree: every step leaves it whole."""
