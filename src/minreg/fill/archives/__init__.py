"""Image archives, read once from beginning to end.

K3s air-gap tarballs, OCI layouts and docker-archives (``docker save``), as files, directories or
streams. The format is detected from the content, never from the name.
"""
