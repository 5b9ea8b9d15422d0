"""What puts content into a registry tree, on the machine that still has a network."""
