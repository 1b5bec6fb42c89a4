from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from inft.config import Config
from inft.runs.directory import Origin, RunDirectory
from inft.runs.lineage import ancestors, successor
from inft.runs.saved import checkpoint_folder, home_of, last_checkpoint, last_sound_checkpoint
from tests.runs.pretend import change_record, damage, new_run, save_checkpoint


@pytest.fixture
def chain(config: Config) -> list[RunDirectory]:
    """Three runs, each continuing the one before."""
    runs = [new_run(config, "2025-03-01 12:00:00")]
    for hour in (13, 14):
        origin = Origin(runs[-1].run_id, Path("checkpoint-1"))
        runs.append(new_run(config, f"2025-03-01 {hour}:00:00", origin=origin))
    return runs


def test_ancestors_begin_with_the_run_itself(chain: list[RunDirectory]) -> None:
    ids = [run.run_id for run in chain]
    assert ancestors(chain[2]) == ids[::-1]
    assert ancestors(chain[0]) == ids[:1]


def test_a_lost_ancestor_is_the_last_one(chain: list[RunDirectory]) -> None:
    chain[1].run_json.unlink()
    assert ancestors(chain[2]) == [chain[2].run_id, chain[1].run_id]


@pytest.mark.parametrize("name", ["small-20250301-140000", "../../etc", "", "."])
def test_a_record_that_leads_astray(chain: list[RunDirectory], name: str) -> None:
    change_record(chain[0], resumed_from=name)
    assert ancestors(chain[2])[:3] == [run.run_id for run in chain[::-1]]
    assert last_checkpoint(chain[2]) is None


def test_the_successor_is_the_newest(chain: list[RunDirectory], config: Config) -> None:
    found = successor(chain[0])
    assert found is not None
    assert found.run_id == chain[1].run_id
    again = new_run(config, "2025-03-01 15:00:00", origin=Origin(chain[0].run_id, Path("x")))
    found = successor(chain[0])
    assert found is not None
    assert found.run_id == again.run_id
    assert successor(chain[2]) is None


class TestLastCheckpoint:
    def test_its_own_goes_before_a_later_one_of_an_ancestor(self, chain: list[RunDirectory]) -> None:
        save_checkpoint(chain[0], 50)
        own = save_checkpoint(chain[1], 40)
        assert last_checkpoint(chain[1]) == own

    def test_else_the_nearest_ancestor_s(self, chain: list[RunDirectory]) -> None:
        save_checkpoint(chain[0], 20)
        nearest = save_checkpoint(chain[1], 40)
        save_checkpoint(chain[1], 30)
        assert last_checkpoint(chain[2]) == nearest

    def test_damaged_ones_are_passed_over(self, chain: list[RunDirectory]) -> None:
        older = save_checkpoint(chain[0], 20)
        newer = save_checkpoint(chain[0], 40)
        (newer.path / "adapter_model.safetensors").write_bytes(b"cut")
        assert last_checkpoint(chain[0]) == older

    def test_without_a_configuration_there_is_none(self, chain: list[RunDirectory]) -> None:
        save_checkpoint(chain[0], 20)
        chain[0].config_toml.unlink()
        assert last_checkpoint(chain[0]) is None

    def test_where_a_run_before_is_gone_what_was_started_from_is_known(
        self, chain: list[RunDirectory], config: Config
    ) -> None:
        saved = save_checkpoint(chain[0], 20)
        later = new_run(config, "2025-03-01 15:00:00", origin=Origin(chain[0].run_id, saved.path))
        shutil.rmtree(chain[0].path)
        assert last_checkpoint(later) == saved
        assert last_sound_checkpoint(later) == (saved, [])
        damage(saved)
        found, (problem,) = last_sound_checkpoint(later)
        assert found is None
        assert str(saved.path) in problem.message

    def test_a_folder_of_runs_on_another_disk(
        self, project: Path, config: Config, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        other = tmp_path_factory.mktemp("disk") / "logs"
        other.mkdir()
        (project / "logs").symlink_to(other)
        run = new_run(config, "2025-03-01 12:00:00")
        saved = save_checkpoint(run, 20)
        seen_from_there = RunDirectory(other / run.run_id)
        assert home_of(seen_from_there, config) == project
        assert last_checkpoint(seen_from_there) == saved

    def test_a_project_that_was_moved(
        self, chain: list[RunDirectory], config: Config, project: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        save_checkpoint(chain[0], 20)
        moved = tmp_path_factory.mktemp("new") / "place"
        shutil.copytree(project, moved)
        assert home_of(RunDirectory(moved / "logs" / chain[0].run_id), config) == moved

    def test_it_is_found_from_another_project(
        self, chain: list[RunDirectory], config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        saved = save_checkpoint(chain[0], 20)
        assert home_of(chain[0], config) == tmp_path
        (tmp_path / "other").mkdir()
        monkeypatch.setenv("INFT_HOME", str(tmp_path / "other"))
        assert last_checkpoint(chain[0]) == saved
        assert checkpoint_folder(chain[0], config) == saved.path.parent
