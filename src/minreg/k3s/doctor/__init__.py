"""``minreg doctor``: inspects a node, and finds what keeps it from pulling its images."""
