"""``registries.yaml``: read, written, and what K3s and containerd make of it."""
