"""Faster answers to repeated requests, and batched writes. The registry works without it."""
