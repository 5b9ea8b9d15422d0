"""Kubernetes' manifests, as far as they name images."""
