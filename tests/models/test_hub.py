"""Checkpoints on the hub, against a stand-in of it; a fresh process asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from inft.errors import ExitCode
from inft.params import FamilyName
from tests.stand_in_hub import Hub, serving

MODEL = "CohereLabs/aya-vision-8b"
TOKEN = "hf_" + "Ab1" * 11 + "Z"

ASK = """
import json, os, sys
from pathlib import Path
from inft.errors import InftError
from inft.models.checkpoint import architecture, load_processor, locate
from inft.models.registry import FAMILIES
from inft.profiles import resolve

print("ready", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    os.environ.pop("HF_TOKEN", None)
    os.environ.update(asked["environment"])
    config = resolve("aya_basic", asked["overrides"]).config
    family, progress = FAMILIES["aya"], []
    try:
        if asked["weights"]:
            found = locate(config, family, Path("/"), lambda done, total: progress.append((done, total)))
            processor = load_processor(found.processor, family)
            answer = {"model": str(found.model), "processor": str(found.processor), "name": found.name}
            answer |= {"class": type(processor).__name__, "progress": progress}
            answer["files"] = sorted(path.name for path in found.model.iterdir())
        else:
            answer = {"hidden_size": architecture(config, family, Path("/")).get_text_config().hidden_size}
    except InftError as error:
        answer = {"exit_code": int(error.exit_code), "message": error.message, "fix": error.fix}
    print(json.dumps(answer), flush=True)
"""
"""Importing the libraries takes seconds, so one process is asked again and again."""


class Asker:
    """A process that knows no hub but one, no token but the one it is told, and no cache but its own."""

    def __init__(self, endpoint: str, home: Path) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        self._errors = (home / "stderr").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-c", ASK],
            env=clean | {"HF_ENDPOINT": endpoint, "HF_HOME": str(home / "hub"), "HF_HUB_DISABLE_XET": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.said = ""
        assert self._line() == "ready\n"

    def __call__(self, *overrides: str, token: str | None = None, weights: bool = True) -> dict[str, Any]:
        """What `locate` and `load_processor`, or `architecture` alone, give for a profile."""
        asked = {"overrides": overrides, "environment": {"HF_TOKEN": token} if token else {}, "weights": weights}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._line())
        return answer

    def all_output(self) -> str:
        """Everything that it has written so far."""
        self._errors.flush()
        self._errors.seek(0)
        return self.said + self._errors.read()

    def close(self) -> None:
        self._process.communicate(timeout=60)
        self._errors.close()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.said += line
        assert line, self.all_output()
        return line


@pytest.fixture(scope="module")
def served(tiny: dict[FamilyName, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Asker, type[Hub]]]:
    """A hub with one Aya checkpoint, pickles and other things beside it, and a process that asks it."""
    contents = {path.name: path.read_bytes() for path in tiny["aya"].iterdir()}
    contents |= {"pytorch_model.bin": b"\x80\x04.", "original/consolidated.pth": b"\x80\x04.", "evil.py": b"1 / 0"}
    with serving("model", MODEL, contents) as (endpoint, handler):
        asker = Asker(endpoint, tmp_path_factory.mktemp("home"))
        yield asker, handler
        asker.close()


@pytest.fixture
def asker(served: tuple[Asker, type[Hub]]) -> Asker:
    return served[0]


@pytest.fixture
def hub(served: tuple[Asker, type[Hub]]) -> Iterator[type[Hub]]:
    handler = served[1]
    handler.tokens.clear()
    handler.fetched.clear()
    yield handler
    handler.refusal = None
    handler.repo_id = MODEL


def fresh(n: object) -> Sequence[str]:
    """Names that nothing is cached under."""
    return [f"basic.aya_model_name=nobody/model-{n}", f"basic.aya_processor_name=nobody/model-{n}"]


def test_a_checkpoint_is_fetched_without_pickles_and_code_and_then_found_in_the_cache(
    asker: Asker, hub: type[Hub]
) -> None:
    answer = asker()
    assert (answer["name"], answer["class"]) == (MODEL, "AyaVisionProcessor")
    assert answer["model"] == answer["processor"]
    left = ("pytorch_model.bin", "original/consolidated.pth", "evil.py")
    expected = {name for name in hub.contents if name not in left}
    assert set(answer["files"]) == expected
    assert set(hub.fetched) == expected
    total = sum(len(hub.contents[name]) for name in expected)
    assert answer["progress"][-1][0] == total
    hub.fetched.clear()
    assert asker()["files"] == answer["files"]
    assert hub.fetched == []


def test_an_architecture_takes_config_json_alone(asker: Asker, hub: type[Hub]) -> None:
    hub.repo_id = "nobody/model-described"
    assert asker(*fresh("described"), weights=False) == {"hidden_size": 256}
    assert hub.fetched == ["config.json"]


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("status", [401, 403])
def test_a_gated_model_says_what_to_do(
    asker: Asker, hub: type[Hub], status: int, token: str | None, weights: bool
) -> None:
    hub.refusal = (status, {"X-Error-Code": "GatedRepo"})
    answer = asker(*fresh(f"{status}-{bool(token)}"), token=token, weights=weights)
    assert answer["exit_code"] == ExitCode.HUB
    assert f"The model nobody/model-{status}-{bool(token)} is gated" in answer["message"]
    for remedy in ("Accept the conditions on its page", "hf auth login", "HF_TOKEN"):
        assert remedy in answer["fix"]
    assert bool(hub.tokens) == bool(token)
    assert TOKEN not in asker.all_output()
    assert "hf_A" not in asker.all_output()


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize(
    ("status", "headers", "expected", "fix"),
    [
        (404, {"X-Error-Code": "RepoNotFound"}, "The hub knows no model nobody/", "hf auth login"),
        (401, {"X-Error-Code": "RepoNotFound"}, "The hub knows no model nobody/", "hf auth login"),
        (404, {"X-Error-Code": "RevisionNotFound"}, "no such revision", "basic.revision"),
        (401, {"X-Error-Message": "Invalid credentials in Authorization header"}, "status 401", "hf auth login"),
        (403, {}, "status 403", "hf auth login"),
        (400, {}, "status 400", "later"),
    ],
)
def test_refusals_are_told_apart(
    asker: Asker, hub: type[Hub], status: int, headers: dict[str, str], expected: str, fix: str, weights: bool
) -> None:
    hub.refusal = (status, headers)
    answer = asker(*fresh(f"{status}-{len(expected)}"), token=TOKEN, weights=weights)
    assert answer["exit_code"] == ExitCode.HUB
    assert expected in answer["message"]
    assert fix in answer["fix"]
    assert TOKEN not in asker.all_output()


@pytest.mark.parametrize("weights", [True, False])
def test_a_repository_of_another_family_is_refused(asker: Asker, hub: type[Hub], weights: bool) -> None:
    original = hub.contents["config.json"]
    hub.repo_id = f"nobody/model-other-{weights}"
    hub.contents["config.json"] = json.dumps(json.loads(original) | {"model_type": "mllama"}).encode()
    try:
        answer = asker(*fresh(f"other-{weights}"), weights=weights)
    finally:
        hub.contents["config.json"] = original
    assert answer["exit_code"] == ExitCode.USAGE
    assert "a model of type 'mllama'" in answer["message"]


def test_a_repository_with_pickles_alone_is_refused(asker: Asker, hub: type[Hub]) -> None:
    weights = hub.contents.pop("model.safetensors")
    hub.repo_id = "nobody/model-pickled"
    try:
        answer = asker(*fresh("pickled"))
    finally:
        hub.contents["model.safetensors"] = weights
    assert answer["exit_code"] == ExitCode.USAGE
    assert "no weights in safetensors files" in answer["message"]
    assert "pytorch_model.bin" not in hub.fetched
