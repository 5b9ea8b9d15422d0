"""Accepts pushes for a daemon that does not: only for tests of the specification.

Pushes and deletions change the tree that the daemon serves (OCI distribution specification, "Push"
and "Content Management"). All other GET and HEAD requests are passed to the daemon.
"""

import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>blobs/uploads|blobs|manifests)/(?P<last>[^/]*)")
_DIGEST = re.compile(r"(?P<algorithm>sha256|sha512):(?P<hex>[0-9a-f]{64,128})")
_HOP_BY_HOP = frozenset({"connection", "date", "keep-alive", "server", "transfer-encoding"})
_NONE: Mapping[str, str] = {}


class PushProxy(ThreadingHTTPServer):
    """A registry on a free port of 127.0.0.1 that reads through the daemon and writes its tree.

    Args:
        port: The port of the daemon on 127.0.0.1.
        root: The root of the tree that the daemon serves.
        repositories: Repositories that exist, if without content.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, root: str, *repositories: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.daemon_port = port
        self.root = root
        self.uploads: dict[str, bytes] = {}
        self.staging = os.path.join(root, ".minreg", "new")
        os.makedirs(self.staging, exist_ok=True)
        for name in repositories:
            os.makedirs(os.path.join(root, name, "manifests"))
        Thread(target=self.serve_forever, daemon=True).start()

    @property
    def registry(self) -> str:
        """The host and port that clients use."""
        return f"127.0.0.1:{self.server_address[1]}"

    def stop(self) -> None:
        """Close the port."""
        self.shutdown()
        self.server_close()

    def path(self, name: str, kind: str, last: str) -> str:
        """Return the path of a blob, manifest or tag of a repository."""
        return os.path.join(self.root, name, kind, last)

    def write(self, path: str, content: bytes) -> None:
        """Write a file under a temporary name, and rename it."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temporary = os.path.join(self.staging, secrets.token_hex(8))
        with open(temporary, "wb") as file:
            file.write(content)
        os.replace(temporary, path)

    def tag(self, name: str, tag: str, digest: str) -> None:
        """Make a tag a link to a manifest."""
        temporary = os.path.join(self.staging, secrets.token_hex(8))
        os.symlink(digest, temporary)
        os.replace(temporary, self.path(name, "manifests", tag))


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    server: PushProxy
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        """Answer a request with the method for it, or end the connection."""
        with suppress(ConnectionError):
            super().handle_one_request()

    def log_message(self, *arguments: object) -> None:
        """Log nothing: the daemon has a log."""

    def __getattr__(self, attribute: str) -> Callable[[], None]:
        # http.server calls do_GET, do_PUT and so on.
        if attribute.startswith("do_"):
            return self._respond
        raise AttributeError(attribute)

    def _respond(self) -> None:
        self._body = self._read_body()
        url = urlsplit(self.path)
        self._query = parse_qs(url.query)
        parts = _PATH.fullmatch(url.path)
        is_upload = parts is not None and parts["kind"] == "blobs/uploads"
        if parts is None or (self.command in {"GET", "HEAD"} and not is_upload):
            self._pass_to_daemon()
            return
        self._name, self._last = parts["name"], parts["last"]
        methods: Mapping[tuple[str, str], Callable[[], None]] = {
            ("blobs/uploads", "POST"): self._start_upload,
            ("blobs/uploads", "GET"): self._describe_upload,
            ("blobs/uploads", "PATCH"): self._continue_upload,
            ("blobs/uploads", "PUT"): self._complete_upload,
            ("blobs/uploads", "DELETE"): self._cancel_upload,
            ("manifests", "PUT"): self._put_manifest,
            ("manifests", "DELETE"): self._delete_manifest,
            ("blobs", "DELETE"): self._delete_blob,
        }
        methods.get((parts["kind"], self.command), self._refuse_method)()

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return body

    def _pass_to_daemon(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.server.daemon_port, timeout=60)
        try:
            headers = {name: ", ".join(self.headers.get_all(name, [])) for name in self.headers}
            connection.request(self.command, self.path, headers=headers)
            response = connection.getresponse()
            body = response.read()
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        finally:
            connection.close()

    def _send(self, status: int, headers: Mapping[str, str] = _NONE, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, body=json.dumps({"errors": [{"code": code}]}).encode())

    def _refuse_method(self) -> None:
        self._refuse(405, "UNSUPPORTED")

    def _start_upload(self) -> None:
        if "mount" in self._query and self._mount(self._query["mount"][0]):
            return
        if "digest" in self._query:
            self._write_blob(self._body)
            return
        self._last = secrets.token_hex(8)
        self.server.uploads[self._last] = b""
        self._describe_upload(202)

    def _mount(self, digest: str) -> bool:
        """Copy a blob of any repository; return whether there is one."""
        if _DIGEST.fullmatch(digest) is None:
            return False
        for directory, _, files in os.walk(self.server.root):
            if os.path.basename(directory) == "blobs" and digest in files:
                with open(os.path.join(directory, digest), "rb") as file:
                    self.server.write(self.server.path(self._name, "blobs", digest), file.read())
                self._send_location("blobs", digest)
                return True
        return False

    def _describe_upload(self, status: int = 204) -> None:
        if self._last not in self.server.uploads:
            self._refuse(404, "BLOB_UPLOAD_UNKNOWN")
            return
        last_byte = max(len(self.server.uploads[self._last]) - 1, 0)
        location = f"/v2/{self._name}/blobs/uploads/{self._last}"
        self._send(status, {"Location": location, "Range": f"0-{last_byte}"})

    def _continue_upload(self) -> None:
        if self._add_chunk():
            self._describe_upload(202)

    def _add_chunk(self) -> bool:
        """Add the body to the upload; return whether it could be added."""
        content = self.server.uploads.get(self._last)
        if content is None:
            self._refuse(404, "BLOB_UPLOAD_UNKNOWN")
            return False
        first_byte = self.headers.get("Content-Range", str(len(content))).split("-")[0]
        if first_byte != str(len(content)):
            self._refuse(416, "BLOB_UPLOAD_INVALID")
            return False
        self.server.uploads[self._last] = content + self._body
        return True

    def _complete_upload(self) -> None:
        if self._add_chunk():
            self._write_blob(self.server.uploads.pop(self._last))

    def _cancel_upload(self) -> None:
        is_known = self.server.uploads.pop(self._last, None) is not None
        self._send(204 if is_known else 404)

    def _write_blob(self, content: bytes) -> None:
        digest = self._query.get("digest", [""])[0]
        if not _has_digest(content, digest):
            self._refuse(400, "DIGEST_INVALID")
            return
        self.server.write(self.server.path(self._name, "blobs", digest), content)
        self._send_location("blobs", digest)

    def _put_manifest(self) -> None:
        try:
            manifest = json.loads(self._body)
        except ValueError:
            self._refuse(400, "MANIFEST_INVALID")
            return
        digest, tags = self._last, self._query.get("tag", [])
        if ":" not in digest:
            digest, tags = f"sha256:{hashlib.sha256(self._body).hexdigest()}", [self._last]
        if not _has_digest(self._body, digest):
            self._refuse(400, "DIGEST_INVALID")
            return
        self.server.write(self.server.path(self._name, "manifests", digest), self._body)
        for tag in tags:
            self.server.tag(self._name, tag, digest)
        headers = {"OCI-Tag": ", ".join(tags)} if "tag" in self._query else {}
        if "subject" in manifest:
            headers["OCI-Subject"] = manifest["subject"]["digest"]
        self._send_location("manifests", digest, headers)

    def _send_location(self, kind: str, digest: str, headers: Mapping[str, str] = _NONE) -> None:
        location = f"/v2/{self._name}/{kind}/{digest}"
        self._send(201, {"Location": location, "Docker-Content-Digest": digest, **headers})

    def _delete_manifest(self) -> None:
        path = self.server.path(self._name, "manifests", self._last)
        if not os.path.lexists(path):
            self._refuse(404, "MANIFEST_UNKNOWN")
            return
        os.unlink(path)
        directory = os.path.dirname(path)
        for file in os.listdir(directory):
            # A tag of a deleted manifest is deleted with it.
            tag = os.path.join(directory, file)
            if os.path.islink(tag) and os.readlink(tag) == self._last:
                os.unlink(tag)
        self._send(202)

    def _delete_blob(self) -> None:
        try:
            os.unlink(self.server.path(self._name, "blobs", self._last))
        except FileNotFoundError:
            self._refuse(404, "BLOB_UNKNOWN")
        else:
            self._send(202)


def _has_digest(content: bytes, digest: str) -> bool:
    parts = _DIGEST.fullmatch(digest)
    return (
        parts is not None and hashlib.new(parts["algorithm"], content).hexdigest() == parts["hex"]
    )
