"""A stand-in of the hub: the requests that huggingface_hub makes to list and to fill a dataset repository."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_standinstandinstandin"


@dataclass
class Hub:
    """What the stand-in holds and was asked."""

    url: str = ""
    files: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    """(repository, branch) → path → content."""
    private: dict[str, bool] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    commits: list[list[str]] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    """Status codes to give where the path of a request holds a text."""


class Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, format: str, *args: Any) -> None: ...

    def answer(self, value: Any = None, code: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if code >= 400:
            self.send_header("X-Error-Message", f"no: {TOKEN}")
        self.end_headers()
        self.wfile.write(body)

    def handle_any(self) -> None:
        hub, body = self.hub, self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        hub.asked.append(f"{self.command} {path}")
        forced = next((code for text, code in hub.answers.items() if text in path), None)
        if forced is not None:
            return self.answer({"error": "told to refuse"}, forced)
        if path.startswith("/upload/"):
            oid = path.removeprefix("/upload/")
            assert hashlib.sha256(body).hexdigest() == oid
            hub.large[oid] = body
            return self.answer()
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer({"error": "Invalid credentials"}, 401)
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            assert asked["type"] == "dataset"
            known = (name, "main") in hub.files
            if not known:
                hub.files[name, "main"] = {".gitattributes": b"*.safetensors filter=lfs\n"}
                hub.private[name] = asked.get("visibility") == "private"
            return self.answer({"url": f"{hub.url}/datasets/{name}"}, 409 if known else 200)
        if path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        return self.in_repository(path, body)

    def in_repository(self, path: str, body: bytes) -> None:
        hub = self.hub
        if path.endswith("/info/lfs/objects/batch"):
            objects = [
                {
                    "oid": o["oid"],
                    "size": o["size"],
                    **(
                        {}
                        if o["oid"] in hub.large
                        else {"actions": {"upload": {"href": f"{hub.url}/upload/{o['oid']}"}}}
                    ),
                }
                for o in json.loads(body)["objects"]
            ]
            return self.answer({"transfer": "basic", "objects": objects})
        parts = path.removeprefix("/api/datasets/").split("/")
        if len(parts) == 2:
            known = ("/".join(parts), "main") in hub.files
            return self.answer({"id": "/".join(parts)} if known else {}, 200 if known else 404)
        owner, name, verb, branch = parts[:4]
        repository = f"{owner}/{name}"
        if verb == "branch":
            known = (repository, branch) in hub.files
            hub.files.setdefault((repository, branch), dict(hub.files[repository, "main"]))
            return self.answer({}, 409 if known else 200)
        files = hub.files[repository, branch]
        if verb == "tree":
            return self.answer([entry(path, data) for path, data in files.items()])
        if verb == "preupload":
            asked = json.loads(body)["files"]
            return self.answer(
                {"files": [{"path": f["path"], "uploadMode": mode(f["path"]), "shouldIgnore": False} for f in asked]}
            )
        assert verb == "commit"
        lines = [json.loads(line) for line in body.splitlines()]
        assert lines[0]["key"] == "header"
        for line in lines[1:]:
            value = line["value"]
            files[value["path"]] = (
                base64.b64decode(value["content"]) if line["key"] == "file" else hub.large[value["oid"]]
            )
        hub.commits.append([line["value"]["path"] for line in lines[1:]])
        oid = f"{len(hub.commits):040x}"
        return self.answer(
            {"success": True, "commitOid": oid, "commitUrl": f"{hub.url}/datasets/{repository}/commit/{oid}"}
        )

    do_GET = do_POST = do_PUT = handle_any  # noqa: N815  (named by http.server)


def mode(path: str) -> str:
    return "lfs" if path.endswith((".safetensors", ".png")) else "regular"


def entry(path: str, data: bytes) -> dict[str, Any]:
    """A file as the hub lists it."""
    if mode(path) == "regular":
        return {"type": "file", "path": path, "size": len(data), "oid": git_id(data)}
    oid = hashlib.sha256(data).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(data)}\n".encode()
    large = {"oid": oid, "size": len(data), "pointerSize": len(pointer)}
    return {"type": "file", "path": path, "size": len(data), "oid": git_id(pointer), "lfs": large}


def git_id(data: bytes) -> str:
    return hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()


@contextmanager
def stand_in() -> Iterator[Hub]:
    """A hub on a port of this machine."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
