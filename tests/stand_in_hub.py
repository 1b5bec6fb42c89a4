"""A stand-in for the Hugging Face hub on this machine, and fresh processes that ask it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Literal

COMMIT = "0" * 40


class Hub(BaseHTTPRequestHandler):
    """Answers as the hub does for one repository; a `refusal` (status and headers) answers everything instead."""

    kind: ClassVar[Literal["model", "dataset"]]
    repo_id: ClassVar[str]
    refusal: ClassVar[tuple[int, dict[str, str]] | None] = None
    contents: ClassVar[dict[str, bytes]] = {}
    tokens: ClassVar[list[str]] = []
    """What each request that brought a token said in its Authorization header."""
    fetched: ClassVar[list[str]] = []
    """Files that were sent, in order."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        pages = f"/datasets/{self.repo_id}" if self.kind == "dataset" else f"/{self.repo_id}"
        api = f"/api/{self.kind}s/{self.repo_id}"
        if token := self.headers.get("authorization"):
            self.tokens.append(token)
        if self.refusal is not None:
            self.send(self.refusal[0], b"", **self.refusal[1])
        elif match := re.fullmatch(rf"{pages}/resolve/[^/]+/(.+)", path):
            self.send_file(match[1])
        elif path == f"{api}/auth-check":
            self.send_json({})
        elif re.fullmatch(rf"{api}(/revision/[^/]+)?", path):
            siblings = [{"rfilename": name} for name in self.contents]
            self.send_json({"id": self.repo_id, "sha": COMMIT, "siblings": siblings, "tags": [], "private": False})
        elif match := re.fullmatch(rf"{api}/tree/[^/]+/?(.*)", path):
            self.send_json(self.listing(match[1]))
        else:
            self.send(404, b"{}", **{"X-Error-Code": "EntryNotFound"})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_json([self.entry(path) for path in body["paths"] if path in self.contents])

    def listing(self, folder: str) -> list[dict[str, Any]]:
        prefix = f"{folder}/" if folder else ""
        below = [name.removeprefix(prefix) for name in self.contents if name.startswith(prefix)]
        folders = sorted({prefix + name.split("/")[0] for name in below if "/" in name})
        return [{"type": "directory", "path": name, "size": 0, "oid": "2" * 40} for name in folders] + [
            self.entry(prefix + name) for name in below if "/" not in name
        ]

    def entry(self, name: str) -> dict[str, Any]:
        return {"type": "file", "path": name, "size": len(self.contents[name]), "oid": "1" * 40}

    def send_file(self, name: str) -> None:
        if name not in self.contents:
            self.send(404, b"", **{"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            return
        if self.command == "GET":
            self.fetched.append(name)
        etag = f'"{abs(hash(name)):x}"'
        self.send(200, self.contents[name], **{"X-Repo-Commit": COMMIT, "ETag": etag})

    def send_json(self, value: object) -> None:
        self.send(200, json.dumps(value).encode(), **{"Content-Type": "application/json"})

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def serving(
    kind: Literal["model", "dataset"], repo_id: str, contents: Mapping[str, bytes]
) -> Iterator[tuple[str, type[Hub]]]:
    """A hub that holds one repository: its address, and the class whose attributes say how it answers."""
    attributes = {"kind": kind, "repo_id": repo_id, "contents": dict(contents), "tokens": [], "fetched": []}
    handler = type("OneHub", (Hub,), attributes)
    with answering(handler) as address:
        yield address, handler


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server's address, whose requests `handler` answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def nobody_listens() -> Iterator[str]:
    """An address that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def run_against(
    endpoint: str, home: Path, *command: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Python with arguments in a process that knows no hub but `endpoint`, no token, and no cache but `home`."""
    return subprocess.run(
        [sys.executable, *command],
        env=_environment(endpoint, home, environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


BEFORE_AND_AFTER = """
import importlib, json, os, sys
module, calls, home = sys.argv[1:]
main, told = importlib.import_module(module).main, os.dup(1)
for number, arguments in enumerate(json.loads(calls)):
    for stream in (1, 2):
        os.dup2(os.open(f"{home}/{number}-{stream}", os.O_WRONLY | os.O_CREAT), stream)
    code = main(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(told, f"{code}\\n".encode())
    sys.stdin.readline()
"""
"""Loading the libraries takes seconds, so one process asks twice."""


def run_before_and_after_it_goes(
    repo_id: str,
    contents: Mapping[str, bytes],
    home: Path,
    module: str,
    calls: tuple[Sequence[str], Sequence[str]],
    environment: Mapping[str, str] | None = None,
) -> tuple[type[Hub], subprocess.CompletedProcess[str], subprocess.CompletedProcess[str]]:
    """A program's `main` while a hub has this model, and then, with other arguments, while nobody listens there."""
    with serving("model", repo_id, contents) as (endpoint, hub):
        process = subprocess.Popen(
            [sys.executable, "-c", BEFORE_AND_AFTER, module, json.dumps(calls), str(home)],
            env=_environment(endpoint, home / "hub", environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        before = process.stdout.readline()
    after, _ = process.communicate("\n\n", timeout=120)
    first, second = (
        subprocess.CompletedProcess(
            [module, *call], int(code), (home / f"{number}-1").read_text(), (home / f"{number}-2").read_text()
        )
        for number, (call, code) in enumerate(zip(calls, (before, after), strict=True))
    )
    return hub, first, second


def _environment(endpoint: str, home: Path, own: Mapping[str, str] | None) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    return clean | {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"} | dict(own or {})


def answer_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON object that a script printed behind the word ANSWER."""
    assert "ANSWER" in done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.rsplit("ANSWER", 1)[1])
    return answer
