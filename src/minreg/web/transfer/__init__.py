"""Sending parts of files: which bytes, and how they get to the socket."""
