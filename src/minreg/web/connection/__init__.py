"""Connections, and the site that they belong to."""
