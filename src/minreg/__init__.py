"""A read-only OCI registry for air-gapped K3s systems."""

__version__ = "0.1.0"
