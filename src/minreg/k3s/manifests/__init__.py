"""Kubernetes manifests, and the images that they name."""
