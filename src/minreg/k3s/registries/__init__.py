"""``registries.yaml``: reading, writing and merging it, and what K3s and containerd make of it."""
