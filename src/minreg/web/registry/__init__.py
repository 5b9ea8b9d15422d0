"""The HTTP API of the registry.

It has the resources that follow the path of a URL, and one leaf resource for each kind of
response: a manifest, a blob, a list of tags, and a list of referrers.
"""
