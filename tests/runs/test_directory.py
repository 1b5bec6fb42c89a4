from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inft.config import Config
from inft.errors import ConfigError, DiskError
from inft.machine.boot import boot_id
from inft.profiles import load_config, resolve, to_toml
from inft.runs.directory import Origin, RunDirectory, create_run, link_latest, run_name
from inft.runs.records import read_record

MOMENT = datetime(2025, 3, 1, 12, 30, 5, 250_000, tzinfo=UTC)


def create(config: Config, **kwargs: object) -> RunDirectory:
    return create_run(config, to_toml(config), argv=["inft-tui"], at=MOMENT, **kwargs)  # type: ignore[arg-type]


def test_the_id_names_profile_and_moment_and_counts_when_taken(config: Config) -> None:
    assert [create(config).run_id for _ in range(3)] == [
        "small-20250301-123005",
        "small-20250301-123005-2",
        "small-20250301-123005-3",
    ]


@pytest.mark.parametrize(
    ("profile", "name"),
    [
        ("aya_adv", "aya_adv"),
        ("../../etc/x", "etc-x"),
        ("a b\n\x1b[31m", "a-b-31m"),
        ("රතු", "run"),
        ("..", "run"),
        ("-rf", "rf"),
        ("x" * 300, "x" * 120),
    ],
)
def test_a_profile_s_name_cannot_leave_the_folder(profile: str, name: str) -> None:
    assert run_name(profile) == name


def test_run_json_says_where_the_run_came_from(config: Config, project: Path) -> None:
    token = "hf_" + "x" * 34
    run = create_run(config, to_toml(config), argv=["inft-tui", f"--token={token}"], at=MOMENT)
    record = json.loads(run.run_json.read_text(encoding="utf-8"))
    assert record["schema_version"] == 1
    assert record["run_id"] == run.run_id
    assert (record["profile"], record["family"], record["mode"]) == ("small", "aya", "basic")
    assert record["argv"] == ["inft-tui", "--token=hf_***"]
    assert record["created"] == "2025-03-01T12:30:05.250Z"
    assert (record["resumed_from"], record["checkpoint"], record["forced"]) == (None, None, False)
    assert record["boot_id"] == boot_id()
    assert record["git_commit"] is None
    assert record["packages"]["torch"]
    assert "inft-tui" in record["packages"]
    assert token not in run.run_json.read_text()


def test_a_run_that_goes_on_says_from_where(config: Config) -> None:
    origin = Origin("old-1", Path("/somewhere/checkpoint-40"), forced=True)
    record = read_record(create_run(config, to_toml(config), argv=[], origin=origin))
    assert (record.resumed_from, record.checkpoint, record.forced) == ("old-1", "/somewhere/checkpoint-40", True)


def test_config_toml_is_a_profile_that_gives_the_same_configuration(config: Config) -> None:
    assert load_config(create(config).config_toml) == config


def test_a_token_in_the_configuration_is_refused(config: Config, project: Path) -> None:
    text = to_toml(config) + f"\n# hf_{'x' * 34}\n"
    with pytest.raises(ConfigError, match="access token") as caught:
        create_run(config, text, argv=[])
    assert "x" * 34 not in str(caught.value)
    assert not (project / "logs").exists()


def test_logs_dir_may_be_absolute(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    config = resolve("small", [f"basic.logs_dir={elsewhere}"]).config
    assert create(config).path.parent == elsewhere


def test_a_logs_dir_that_is_a_file_is_a_disk_error(config: Config, project: Path) -> None:
    (project / "logs").write_text("")
    with pytest.raises(DiskError, match="logs"):
        create(config)


def test_a_folder_that_could_not_be_filled_is_taken_away(config: Config, project: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        create_run(config, "\ud800", argv=[])
    assert list((project / "logs").iterdir()) == []


def test_the_files_of_a_run(run: RunDirectory) -> None:
    assert sorted(path.name for path in run.path.iterdir()) == ["config.toml", "metrics.jsonl", "run.json"]
    assert run.metrics.stat().st_size == 0
    names = (run.status_json, run.samples, run.console_log, run.control)
    assert [path.name for path in names] == ["status.json", "samples.jsonl", "console.log", "control"]


class TestLink:
    def test_it_points_at_the_newest_run_and_survives_moving_the_folder(self, config: Config, project: Path) -> None:
        first, second = create(config), create(config)
        logs = project / "logs"
        assert link_latest(logs, "qlora-lora-aya8b", first) is None
        assert link_latest(logs, "qlora-lora-aya8b", second) is None
        link = logs / "trainer_qlora-lora-aya8b.jsonl"
        assert os.readlink(link) == f"{second.run_id}/metrics.jsonl"
        moved = project / "moved"
        logs.rename(moved)
        assert (moved / link.name).resolve() == moved / second.run_id / "metrics.jsonl"
        assert [path.name for path in moved.iterdir() if path.name.startswith(".")] == []

    def test_a_link_to_a_run_that_was_deleted_is_replaced(self, config: Config, project: Path) -> None:
        link = project / "logs" / "trainer_x.jsonl"
        run = create(config)
        link.symlink_to("gone/metrics.jsonl")
        assert link_latest(project / "logs", "x", run) is None
        assert link.exists()

    def test_a_log_of_another_program_is_never_overwritten(self, config: Config, project: Path) -> None:
        run = create(config)
        old = project / "logs" / "trainer_x.jsonl"
        old.write_text("months of work\n")
        alert = link_latest(project / "logs", "x", run)
        assert old.read_text() == "months of work\n"
        assert alert is not None
        assert alert["level"] == "warning"
        assert "trainer_x.jsonl" in str(alert["message"])

    def test_a_folder_that_cannot_be_written_is_a_disk_error(self, config: Config, project: Path) -> None:
        with pytest.raises(DiskError, match="trainer_x"):
            link_latest(project / "nowhere", "x", create(config))


def test_ids_match_the_contract(run: RunDirectory) -> None:
    assert re.fullmatch(r"small-\d{8}-\d{6}", run.run_id)
