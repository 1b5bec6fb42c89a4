"""A merged model on a stand-in for the hub."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from inft.errors import ExitCode
from tests.stand_in_hub import COMMIT, Hub, answering, nobody_listens, run_against

PROGRAM = """
import sys
from pathlib import Path
from inft.edge import exit_code_of
from inft.merging.push import check_push, push
def work():
    check_push("somebody/model")
    print(push(Path(sys.argv[1]), "somebody/model", private=True))
sys.exit(exit_code_of(work, as_json=False))
"""


class Writable(Hub):
    """Takes a new repository and one commit."""

    kind = "model"
    repo_id = "somebody/model"
    exists: ClassVar[bool] = False
    made: ClassVar[list[dict[str, Any]]] = []

    def do_GET(self) -> None:
        if self.path == "/api/whoami-v2":
            if self.headers.get("authorization") == "Bearer hf_right":
                self.send_json({"name": "somebody", "type": "user"})
            else:
                self.send(401, b"{}")
        elif self.exists:
            super().do_GET()
        else:
            self.send(404, b"{}", **{"X-Error-Code": "RepoNotFound"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        page = f"http://{self.headers['host']}/somebody/model"
        path = self.path.split("?")[0]
        if path == "/api/repos/create":
            self.made.append(json.loads(body))
            type(self).exists = True
            self.send_json({"url": page})
        elif path.endswith("/preupload/main"):
            files = [one["path"] for one in json.loads(body)["files"]]
            self.send_json(
                {"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in files]}
            )
        elif path.endswith("/commit/main"):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.contents[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self.send_json({"commitUrl": f"{page}/commit/{COMMIT}", "commitOid": COMMIT, "success": True})
        else:
            self.send(404, b"{}")


@contextmanager
def hub(**attributes: object) -> Iterator[tuple[str, type[Writable]]]:
    fresh: dict[str, object] = {"contents": {}, "made": [], "tokens": [], "fetched": []}
    handler = type("OneHub", (Writable,), fresh | attributes)
    with answering(handler) as address:
        yield address, handler


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "merged"
    folder.mkdir()
    (folder / "merge.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def pushed(endpoint: str, home: Path, folder: Path, token: str | None) -> subprocess.CompletedProcess[str]:
    environment = {} if token is None else {"HF_TOKEN": token}
    return run_against(endpoint, home, "-c", PROGRAM, str(folder), environment=environment)


def test_everything_in_the_folder_goes_into_a_private_repository(tmp_path: Path, folder: Path) -> None:
    with hub() as (endpoint, there):
        done = pushed(endpoint, tmp_path, folder, "hf_right")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{endpoint}/somebody/model\n"
        (made,) = there.made
        assert (made["name"], made["organization"]) == ("model", "somebody")
        assert made.get("private", made.get("visibility")) in (True, "private")
        assert there.contents == {"merge.json": b"{}", "model.safetensors": b"weights"}
        again = pushed(endpoint, tmp_path, folder, "hf_right")
        assert again.returncode == ExitCode.HUB
        assert "somebody/model holds a model already" in again.stderr
        assert len(there.made) == 1


def test_a_wrong_token_is_told_before_anything_is_made(tmp_path: Path, folder: Path) -> None:
    with hub() as (endpoint, there):
        done = pushed(endpoint, tmp_path, folder, "hf_wrong")
        assert done.returncode == ExitCode.HUB
        assert "The hub refused to have somebody/model written with this machine's token (status 401)" in done.stderr
        none = pushed(endpoint, tmp_path, folder, None)
        assert none.returncode == ExitCode.HUB
        assert "This machine has no token for the hub" in none.stderr
        assert not there.made


def test_a_hub_that_does_not_answer_is_told(tmp_path: Path, folder: Path) -> None:
    with nobody_listens() as endpoint:
        done = pushed(endpoint, tmp_path, folder, "hf_right")
    assert done.returncode == ExitCode.HUB
    assert "error: The hub cannot be reached." in done.stderr
