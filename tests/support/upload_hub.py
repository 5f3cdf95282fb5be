"""A Hugging Face hub of our own that takes uploads: repositories are created, and commits become files in a folder."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Handler(BaseHTTPRequestHandler):
    root: Path

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self._chunks()
        path = urlsplit(self.path).path
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if found := re.fullmatch(r"/api/(models|datasets)/(me/[^/]+)/preupload/main", path):
            asked = [file["path"] for file in json.loads(body)["files"]]
            modes = [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in asked]
            return self._json({"files": modes})
        if found := re.fullmatch(r"/api/(models|datasets)/(me/[^/]+)/commit/main", path):
            for line in body.decode().splitlines():
                operation = json.loads(line)
                if operation["key"] == "file":
                    target = self.root / found[1] / found[2] / operation["value"]["path"]
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(base64.b64decode(operation["value"]["content"]))
            url = f"http://{self.headers['Host']}/{found[2]}/commit/{COMMIT}"
            return self._json({"success": True, "commitOid": COMMIT, "commitUrl": url})
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        return self._json({"error": "Not found"}, 404)

    def do_GET(self) -> None:
        if found := re.fullmatch(r"/api/(?:models|datasets)/(me/[^/]+)(?:/revision/main)?", urlsplit(self.path).path):
            return self._json({"id": found[1], "sha": COMMIT, "siblings": [], "private": True, "tags": []})
        return self._json({"error": "Not found"}, 404)

    def _create(self, asked: dict) -> None:
        owner = asked.get("organization") or asked["name"].split("/")[0]
        if owner != "me" or self.headers.get("Authorization") != "Bearer hf_stub":
            return self._json({"error": "You don't have the rights to create a repository under this namespace"}, 403)
        with (self.root / "created.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(asked) + "\n")
        name = asked["name"].split("/")[-1]
        return self._json({"url": f"http://{self.headers['Host']}/{owner}/{name}", "id": f"{owner}/{name}"})

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().strip(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _json(self, value: object, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve(root: Path) -> Iterator[str]:
    """Yields the address, for HF_ENDPOINT; `me` may write, with the token `hf_stub`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Served", (Handler,), {"root": root}))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
