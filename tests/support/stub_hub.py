"""A Hugging Face hub of our own on this machine: repositories are folders, served over the parts of its HTTP interface
that listing, streaming and downloading use."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Handler(BaseHTTPRequestHandler):
    root: Path
    requests: list[tuple[str, str, str | None]]
    """Method, path, range."""
    cut: dict[str, int]
    """Path -> bytes after which the next answer breaks off."""
    gone: str | None
    """The name of a file that the hub lists and does not have."""
    gated: set[str]
    """Repositories whose files are for those alone whom their owners let in: for nobody here."""
    stall: dict[str, int]
    """Name -> bytes after which an answer stands still, as long as it is here."""

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.requests.append((self.command, path, self.headers.get("Range")))
        found = re.fullmatch(r"/api/(?:datasets|models)/([^/]+/[^/]+)/tree/[^/]+/?(.*)", path)
        if found and (self.root / found[1]).is_dir():
            return self._json(self._tree(found[1], found[2]))
        if found := re.fullmatch(r"/api/(?:datasets|models)/([^/]+/[^/]+)/paths-info/[^/]+", path):
            return self._json(self._tree(found[1], ""))
        found = re.fullmatch(r"/api/(?:datasets|models)/([^/]+/[^/]+)(?:/revision/[^/]+)?", path)
        if found and (self.root / found[1]).is_dir():
            gated = "auto" if found[1] in self.gated else False
            common = {"sha": COMMIT, "siblings": [], "private": False, "tags": []}
            return self._json({"id": found[1], "gated": gated} | common)
        if found := re.fullmatch(r"/api/(?:datasets|models)/([^/]+/[^/]+)/auth-check", path):
            return self._json({}) if found[1] not in self.gated else self._refuse()
        if found := re.fullmatch(r"/(?:datasets/)?([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            if found[1] in self.gated:
                return self._refuse()
            file = self.root / found[1] / found[2]
            if file.is_file() and file.name != self.gone:
                return self._file(file)
        return self._json({"error": "Repository not found"}, 404)

    def _tree(self, repository: str, folder: str) -> list[dict]:
        root = self.root / repository
        files = sorted(path for path in (root / folder).rglob("*") if path.is_file())
        return [
            {"type": "file", "path": str(path.relative_to(root)), "size": path.stat().st_size, "oid": _etag(path)}
            for path in files
        ]

    def _refuse(self) -> None:
        self._json({"error": "Access to this repository is restricted. Please log in."}, 401)

    def _json(self, value: object, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        if code := {404: "RepoNotFound", 401: "GatedRepo"}.get(status):
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _file(self, file: Path) -> None:
        body, begin = file.read_bytes(), 0
        size = len(body)
        if found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
            begin = int(found[1])
            body = body[begin : int(found[2]) + 1 if found[2] else None]
        self.send_response(206 if self.headers.get("Range") else 200)
        if self.headers.get("Range"):
            self.send_header("Content-Range", f"bytes {begin}-{begin + len(body) - 1}/{size}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{_etag(file)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            sent = self.cut.pop(file.name, size)
            if file.name in self.stall:
                self.wfile.write(body[: self.stall[file.name]])
                self.wfile.flush()
                while file.name in self.stall:
                    time.sleep(0.05)
                return
            self.wfile.write(body[:sent])
            self.close_connection = sent < len(body)

    def log_message(self, *_: object) -> None:
        pass


def _etag(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that was killed is nothing to print."""


@contextmanager
def serve(root: Path) -> Iterator[tuple[str, type[Handler]]]:
    """Yields the address, for HF_ENDPOINT, and the handler, which holds the requests."""
    state = {"root": root, "requests": [], "cut": {}, "gone": None, "gated": set(), "stall": {}}
    handler = type("Served", (Handler,), state)
    server = _Server(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler
    finally:
        server.shutdown()
