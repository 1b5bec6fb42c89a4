from __future__ import annotations

import os
from pathlib import Path

import pytest

from inft.config import Config
from inft.errors import ConfigError, DiskError
from inft.runs.directory import RunDirectory
from inft.runs.find import all_runs, find_run, reference
from inft.runs.records import read_record
from tests.runs.pretend import change_record, new_run

FIRST, SECOND, THIRD = "small-20250301-120000", "small-20250301-130000", "small-20250302-080000"


@pytest.fixture
def logs(config: Config, project: Path) -> Path:
    for at in ("2025-03-01 12:00:00", "2025-03-01 13:00:00", "2025-03-02 08:00:00"):
        new_run(config, at)
    return project / "logs"


class TestFindRun:
    @pytest.mark.parametrize("name", [FIRST, f"{FIRST[:-4]}", "small-20250301-12"])
    def test_an_id_or_the_beginning_of_only_one(self, logs: Path, name: str) -> None:
        assert find_run(name).path == logs / FIRST

    def test_an_id_that_begins_another(self, logs: Path, config: Config) -> None:
        assert new_run(config, "2025-03-01 12:00:00").run_id == f"{FIRST}-2"
        assert find_run(FIRST).run_id == FIRST

    def test_paths(self, logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        run = logs / FIRST
        (run / "control").mkdir()
        (logs / "trainer_x.jsonl").symlink_to(f"{FIRST}/metrics.jsonl")
        paths = [
            run,
            f"{run}/",
            run / "metrics.jsonl",
            run / "control",
            run / "control" / "..",
            logs / "trainer_x.jsonl",
        ]
        for path in paths:
            assert find_run(str(path)).path == run, path
        monkeypatch.chdir(logs.parent)
        assert find_run(f"logs/{FIRST}").path == run
        assert find_run(f"./logs/{FIRST}/status.json/..").path == run
        monkeypatch.chdir(run)
        assert find_run(".").path == run
        assert find_run("./metrics.jsonl").path == run

    def test_a_plain_name_that_is_a_file_here(self, logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(logs / FIRST)
        assert find_run("metrics.jsonl").path == logs / FIRST

    def test_latest_is_by_creation_not_by_the_folder_s_date(self, logs: Path) -> None:
        os.utime(logs / FIRST, (2e9, 2e9))
        assert find_run("latest").run_id == THIRD
        change_record(RunDirectory(logs / SECOND), created="2030-01-01T00:00:00.000Z")
        assert find_run("latest").run_id == SECOND

    def test_latest_of_the_same_moment_is_the_later_number(self, logs: Path, config: Config) -> None:
        for _ in range(10):
            last = new_run(config, "2025-03-02 08:00:00")
        assert last.run_id == f"{THIRD}-11"
        assert find_run("latest").run_id == last.run_id

    def test_latest_does_not_pass_over_a_damaged_one(self, logs: Path) -> None:
        (logs / THIRD / "run.json").write_text("{")
        assert find_run("latest").run_id == THIRD

    def test_latest_passes_over_what_nobody_may_read(self, logs: Path) -> None:
        (logs / THIRD / "run.json").unlink()
        (logs / THIRD / "run.json").mkdir()  # even root may not read a folder
        assert find_run("latest").run_id == SECOND

    def test_another_folder_of_logs(self, logs: Path, tmp_path: Path) -> None:
        other = tmp_path / "elsewhere"
        (logs / FIRST).rename(tmp_path / "x")
        other.mkdir()
        (tmp_path / "x").rename(other / FIRST)
        assert find_run(FIRST, other).path == other / FIRST
        assert find_run("latest", other).path == other / FIRST
        with pytest.raises(ConfigError):
            find_run(FIRST)

    def test_unknown_names_the_nearest(self, logs: Path) -> None:
        with pytest.raises(ConfigError, match="There is no run") as caught:
            find_run("smal-20250301-120000")
        assert f"Did you mean {FIRST}" in caught.value.fix

    def test_ambiguous_lists_the_candidates(self, logs: Path) -> None:
        with pytest.raises(ConfigError, match="beginning of 2 runs") as caught:
            find_run("small-20250301")
        assert FIRST in caught.value.message
        assert SECOND in caught.value.message

    def test_ambiguous_among_many_lists_the_newest(self, logs: Path, config: Config) -> None:
        for hour in range(9, 19):
            new_run(config, f"2025-04-01 {hour:02}:00:00")
        with pytest.raises(ConfigError, match="beginning of 10 runs") as caught:
            find_run("small-202504")
        assert "small-20250401-180000" in caught.value.message
        assert "and 4 older" in caught.value.message

    @pytest.mark.parametrize(
        "name",
        ["", " ", "none", "/nowhere", "~nobody-here/x", "a\0b", "a/b\0", "..", "./", "x" * 5000, "a/" + "x" * 5000],
    )
    def test_nonsense_is_one_sentence(
        self, logs: Path, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        empty = tmp_path / "empty" / "empty"
        empty.mkdir(parents=True)
        monkeypatch.chdir(empty)
        with pytest.raises((ConfigError, DiskError)) as caught:
            read_record(find_run(name))
        assert "\n" not in caught.value.message
        assert "\0" not in caught.value.message

    def test_an_empty_name_never_means_the_only_run(self, config: Config, project: Path) -> None:
        new_run(config, "2025-03-01 12:00:00")
        with pytest.raises(ConfigError):
            find_run("")

    def test_no_runs_at_all(self, project: Path) -> None:
        with pytest.raises(ConfigError, match="no runs"):
            find_run("latest")

    def test_escape_sequences_in_names_are_written_out(self, logs: Path) -> None:
        for number in (1, 2):
            bad = logs / f"bad\x1b[2J\u202e\x9b{number}"
            bad.mkdir()
            (bad / "run.json").write_text("{}")
        for name in ("bad", "bad\x1b[2J3"):
            with pytest.raises(ConfigError) as caught:
                find_run(name)
            assert str(caught.value).isprintable()


class TestAllRuns:
    def test_oldest_first_with_the_damaged_in_their_place(self, logs: Path) -> None:
        (logs / SECOND / "run.json").write_text("{")
        (logs / "tensorboard").mkdir()
        (logs / "empty").mkdir()
        (logs / "file").touch()
        found = all_runs(logs)
        assert [one.run.run_id for one in found] == [FIRST, SECOND, THIRD]
        assert [one.record is None for one in found] == [False, True, False]
        assert isinstance(found[1].problem, ConfigError)

    def test_a_lost_record_is_shown(self, logs: Path) -> None:
        (logs / SECOND / "run.json").unlink()
        assert [one.record is None for one in all_runs(logs)] == [False, True, False]

    def test_a_newer_version_is_shown(self, logs: Path) -> None:
        change_record(RunDirectory(logs / SECOND), schema_version=99)
        (problem,) = (one.problem for one in all_runs(logs) if one.problem is not None)
        assert "newer inft" in problem.message

    def test_no_folder_is_no_runs(self, tmp_path: Path) -> None:
        assert all_runs(tmp_path / "nowhere") == []

    def test_a_folder_that_cannot_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(DiskError, match="Could not read"):
            all_runs(tmp_path / "file")


def test_a_command_names_a_run_by_its_id_where_that_is_enough(logs: Path, tmp_path: Path) -> None:
    assert reference(RunDirectory(logs / FIRST)) == FIRST
    assert reference(RunDirectory(tmp_path / "else where" / FIRST)) == f"'{tmp_path}/else where/{FIRST}'"
