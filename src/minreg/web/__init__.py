"""The HTTP face of a store: the pull side of the OCI distribution specification."""
