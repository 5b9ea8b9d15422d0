"""Looks at a node for what keeps K3s from its images, without changing anything."""
