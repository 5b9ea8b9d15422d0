"""Preflight: whether the registry has everything that a node will pull, before it pulls it."""
