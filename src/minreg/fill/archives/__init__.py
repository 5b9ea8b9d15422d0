"""Image archives, read once from their beginning to their end.

K3s air-gap tarballs, OCI layouts and what ``docker save`` writes, as files, directories or
streams. An archive is recognised by what it holds, never by how it is called.
"""
