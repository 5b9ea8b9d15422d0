"""The OCI specifications as pure code: names, manifests, platforms and errors. No I/O."""
