"""Whose adapters those in a folder are, and which a run has."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from inft.adapters.origin import final_adapters, origin_of
from inft.config import Config
from inft.errors import ConfigError, DataError
from inft.machine.processes import this_process
from inft.profiles import resolve
from inft.project import project_root
from inft.runs.bases import BaseIdentity
from inft.runs.checkpoints import MANIFEST, commit
from inft.runs.directory import RunDirectory
from inft.runs.results import RESULT, Result
from inft.runs.status import Status
from inft.training.own_copy import bring_in
from tests.runs.pretend import dead_process, new_run, save_checkpoint, working, write_status

BASE = BaseIdentity("owner/base", "a" * 40, "b" * 64)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("INFT_HOME", str(tmp_path))
    return resolve("demo_aya").config


@pytest.fixture
def run(config: Config) -> RunDirectory:
    return new_run(config, "2025-03-01 12:00:00")


def put(folder: Path, result: Result) -> Path:
    folder.mkdir(parents=True)
    (folder / RESULT).write_bytes(msgspec.json.encode(result))
    return folder


def test_a_run_that_goes_on_names_its_last_checkpoint(run: RunDirectory, config: Config) -> None:
    write_status(run, working(this_process()))
    put(project_root() / config.best_model_dir, Result(run.run_id, 2))  # it was resumed, and began with these
    with pytest.raises(ConfigError, match="still goes on") as raised:
        final_adapters(run)
    assert raised.value.fix.endswith("--watch`); it has no checkpoint yet.")
    save_checkpoint(run, 20)
    last = save_checkpoint(run, 40)
    with pytest.raises(ConfigError, match="still goes on") as raised:
        final_adapters(run)
    assert raised.value.fix.endswith(f", or name its last checkpoint instead: {last.path}.")


def test_a_run_without_adapters_names_its_last_checkpoint(run: RunDirectory, config: Config) -> None:
    write_status(run, working(dead_process()))
    put(project_root() / config.best_model_dir, Result("demo_aya-20200101-000000", 2))
    with pytest.raises(ConfigError, match=r"has no adapters in .*; those there are of demo_aya-2020") as raised:
        final_adapters(run)
    assert raised.value.fix.startswith("Go on with it: ")
    last = save_checkpoint(run, 40)
    with pytest.raises(ConfigError) as raised:
        final_adapters(run)
    assert raised.value.fix == f"Name its last checkpoint instead: {last.path}."


def test_a_run_that_has_ended_has_its_own(run: RunDirectory, config: Config) -> None:
    write_status(run, Status("finished", step=2, max_steps=2, exit_code=0))
    result = Result(run.run_id, 2, base=BASE)
    folder = put(project_root() / config.best_model_dir, result)
    assert final_adapters(run) == (folder, result)
    assert origin_of(folder) == result


def test_a_checkpoint_says_whose_it_is_and_what_it_was_trained_on(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-3"
    staged = tmp_path / ".saving" / "checkpoint-3"
    staged.mkdir(parents=True)
    (staged / "adapter_model.safetensors").write_bytes(b"1")
    commit(staged, folder, run_id="some-run", step=3, base=BASE)
    assert origin_of(folder) == Result("some-run", 3, base=BASE)
    copy = bring_in(folder, tmp_path / "elsewhere", "another-run")
    assert (copy.parent.name, origin_of(copy)) == ("elsewhere", origin_of(folder))
    manifest = msgspec.json.decode((folder / MANIFEST).read_bytes())
    del manifest["base"]
    (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    assert origin_of(folder) == Result("some-run", 3), "as earlier versions wrote it"
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(DataError, match="is no complete checkpoint"):
        origin_of(folder)
    assert origin_of(tmp_path) is None
