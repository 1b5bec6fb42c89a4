from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from inft.config import Config
from inft.errors import ConfigError, DiskError, InftError
from inft.profiles import to_toml
from inft.runs.directory import SCHEMA_VERSION, RunDirectory, create_run
from inft.runs.records import read_record


def test_what_was_written_is_read(config: Config) -> None:
    record = read_record(create_run(config, to_toml(config), argv=["a", "b"]))
    assert (record.profile, record.argv, record.schema_version) == ("small", ("a", "b"), SCHEMA_VERSION)


def test_a_record_of_the_first_release_is_read(run: RunDirectory) -> None:
    record = json.loads(run.run_json.read_text())
    for later in ("checkpoint", "forced", "boot_id"):
        del record[later]
    run.run_json.write_text(json.dumps(record))
    found = read_record(run)
    assert (found.checkpoint, found.forced, found.boot_id) == (None, False, None)


def test_a_newer_record_is_refused_by_its_version_even_if_all_else_changed(run: RunDirectory) -> None:
    run.run_json.write_text(json.dumps({"schema_version": SCHEMA_VERSION + 1, "run_id": 7}))
    with pytest.raises(ConfigError, match="newer inft"):
        read_record(run)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"schema_version": 1}', '{"schema_version": "one"}', "\x00" * 9]
)
def test_a_damaged_record_is_one_sentence(run: RunDirectory, content: str) -> None:
    run.run_json.write_text(content)
    with pytest.raises(ConfigError, match=r"run\.json is damaged") as caught:
        read_record(run)
    assert "\n" not in caught.value.message


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(ConfigError, match="no run's folder"):
            read_record(RunDirectory(path))


def test_a_record_that_may_not_be_read(run: RunDirectory) -> None:
    run.run_json.unlink()
    if os.geteuid() == 0:
        run.run_json.mkdir()  # root may read everything but a folder
    else:
        run.run_json.touch(mode=0o000)
    with pytest.raises(InftError) as caught:
        read_record(run)
    assert isinstance(caught.value, DiskError)
    assert caught.value.message.startswith("Could not read")
