from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from inft.config import Config
from inft.errors import ConfigError
from inft.forecast.choice import Choice, with_choice
from inft.machine.processes import this_process
from inft.profiles import load_config, resolve
from inft.runs import locks
from inft.runs.checkpoints import complete_checkpoints
from inft.runs.directory import Origin, RunDirectory
from inft.runs.inspect import is_at_work_in_sight
from inft.runs.locks import OutputLocks, lock_file
from inft.runs.plans import PlanRecord, write_plan
from inft.runs.provenance import package_versions
from inft.runs.resume import prepare, version_changes
from inft.runs.saved import checkpoint_folder
from inft.runs.status import Cause, Status
from tests.runs.pretend import (
    change_record,
    damage,
    dead_process,
    move_to_another_machine,
    new_run,
    save_checkpoint,
    working,
    write_status,
)


@pytest.fixture
def ended(config: Config) -> RunDirectory:
    """A run that was killed after step 45, with checkpoints of steps 20 and 40."""
    run = new_run(config, "2025-03-01 12:00:00")
    save_checkpoint(run, 20)
    save_checkpoint(run, 40)
    write_status(run, working(dead_process(), dead_process(), step=45))
    return run


@contextmanager
def pretending_to_be(host: str) -> Iterator[None]:
    """As if this were another machine with the same disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(platform, "node", lambda: host)
        patch.setattr(locks, "boot_id", lambda: "00000000-0000-0000-0000-000000000000")
        yield


def finish(run: RunDirectory, **changes: Any) -> None:
    write_status(run, Status("finished", step=120, max_steps=120, exit_code=0), **changes)


def test_the_newest_complete_checkpoint_and_the_same_configuration(ended: RunDirectory, config: Config) -> None:
    found = prepare(ended)
    assert (found.checkpoint.step, found.checkpoint.run_id) == (40, ended.run_id)
    assert found.origin == Origin(ended.run_id, found.checkpoint.path, forced=False)
    assert found.config == config
    assert (found.changed, found.warnings) == ((), ())


def test_nothing_is_made(ended: RunDirectory, project: Path) -> None:
    before = sorted(project.rglob("*"))
    prepare(ended)
    assert sorted(project.rglob("*")) == before


def test_a_damaged_newer_checkpoint_is_passed_over_and_told(ended: RunDirectory) -> None:
    newest = prepare(ended).checkpoint
    os.truncate(newest.path / "adapter_model.safetensors", 5)
    found = prepare(ended)
    assert found.checkpoint.step == 20
    assert found.warnings == ("Not complete, and therefore left out: checkpoint-40.",)


def test_a_newer_checkpoint_that_only_lost_its_content_is_passed_over_and_told(ended: RunDirectory) -> None:
    newest = prepare(ended).checkpoint
    damage(newest)
    found = prepare(ended)
    assert found.checkpoint.step == 20
    (warning,) = found.warnings
    assert str(newest.path) in warning
    assert "left out" in warning


def test_damaged_checkpoints_alone_are_told_and_start_nothing(ended: RunDirectory, config: Config) -> None:
    later = new_run(config, "2025-03-01 13:00:00", origin=Origin(ended.run_id, prepare(ended).checkpoint.path))
    write_status(later, working(dead_process()))
    for checkpoint in complete_checkpoints(checkpoint_folder(ended, config)):
        damage(checkpoint)
    with pytest.raises(ConfigError, match="no sound checkpoint") as caught:
        prepare(later)
    assert caught.value.message.count("is damaged") == 2


@pytest.mark.parametrize("content", [None, "", "{"])
@pytest.mark.parametrize("rebooted", [False, True])
def test_a_run_whose_status_was_lost(ended: RunDirectory, content: str | None, rebooted: bool) -> None:
    if rebooted:
        change_record(ended, boot_id="00000000-0000-0000-0000-000000000000")
    ended.console_log.write_text("so it was started\n")
    if content is None:
        ended.status_json.unlink()
    else:
        ended.status_json.write_text(content)
    assert prepare(ended).checkpoint.step == 40


def test_a_run_before_its_first_save_whose_origin_s_record_is_gone(ended: RunDirectory, config: Config) -> None:
    start = prepare(ended).checkpoint
    later = new_run(config, "2025-03-01 13:00:00", origin=Origin(ended.run_id, start.path))
    write_status(later, working(dead_process()))
    shutil.rmtree(ended.path)
    assert prepare(later).checkpoint == start


def test_what_leaves_the_curve_alone_may_change(ended: RunDirectory) -> None:
    found = prepare(ended, ["sft.logging_steps=3", "data.num_workers=0"])
    assert found.config.sft.logging_steps == 3
    assert (found.changed, found.warnings) == ((), ())


def test_what_shapes_the_curve_needs_force(ended: RunDirectory) -> None:
    overrides = ["sft.lr=2e-3", "lora.r=8", "sft.logging_steps=3"]
    with pytest.raises(ConfigError) as caught:
        prepare(ended, overrides)
    assert "lora.r (64 -> 8), sft.lr (0.001 -> 0.002)" in caught.value.message
    assert "logging_steps" not in caught.value.message
    assert "--force" in caught.value.fix
    found = prepare(ended, overrides, force=True)
    assert found.changed == ("lora.r", "sft.lr")
    assert found.origin.forced
    assert "lora.r, sft.lr" in found.warnings[0]


def test_the_same_value_again_is_no_change(ended: RunDirectory) -> None:
    assert prepare(ended, ["sft.lr=1e-3"]).changed == ()


def test_wrong_overrides_are_refused(ended: RunDirectory) -> None:
    with pytest.raises(ConfigError, match=r"sft\.lrr"):
        prepare(ended, ["sft.lrr=1"])


def test_a_living_run(ended: RunDirectory) -> None:
    # As its supervisor: a test's trainers are killed in the end.
    write_status(ended, working(dead_process(), this_process()))
    with pytest.raises(ConfigError, match="still goes on") as caught:
        prepare(ended, force=True)
    assert f"inft-tui stop {ended.run_id}" in caught.value.fix


def test_a_living_run_elsewhere(ended: RunDirectory) -> None:
    move_to_another_machine(ended, "node7")
    with pytest.raises(ConfigError, match="still goes on on node7"):
        prepare(ended)


def test_a_run_of_a_machine_that_is_gone_needs_somebody_s_word(ended: RunDirectory, project: Path) -> None:
    """A rented machine that was taken away leaves its disk, and comes back under another name."""
    move_to_another_machine(ended, "pod-1")
    write_status(ended, working(dead_process(), dead_process(), step=45), heartbeat="2025-03-01T12:00:00.000Z")
    with pytest.raises(ConfigError, match="pod-1, which cannot be seen from here, and has been silent for") as caught:
        prepare(ended)
    assert "--force" in caught.value.fix
    found = prepare(ended, force=True)
    assert (found.checkpoint.step, found.origin.forced) == (40, True)
    assert not is_at_work_in_sight(ended)
    lock = lock_file(project / "outputs")
    with OutputLocks.acquire([project / "outputs"], ended):
        written_elsewhere = lock.read_bytes()
    holder = msgspec.json.decode(written_elsewhere)
    with pretending_to_be("pod-1"), OutputLocks.acquire([project / "outputs"], ended):
        pass
    assert msgspec.json.decode(lock.read_bytes())["host"] == "pod-1" != holder["host"]
    other = new_run(found.config, "2025-03-02 12:00:00", origin=found.origin)
    with pytest.raises(ConfigError, match="on pod-1 has been writing"):
        OutputLocks.acquire([project / "outputs"], other)
    with OutputLocks.acquire([project / "outputs"], other, going_on=is_at_work_in_sight):
        pass


class TestFinished:
    def test_nothing_is_left_to_do(self, ended: RunDirectory) -> None:
        finish(ended)
        for overrides, force in (([], False), ([], True), (["sft.logging_steps=3"], False)):
            with pytest.raises(ConfigError, match="has finished") as caught:
                prepare(ended, overrides, force=force)
        assert "--force" in caught.value.fix

    def test_more_steps_change_the_curve(self, ended: RunDirectory) -> None:
        finish(ended)
        with pytest.raises(ConfigError, match=r"sft\.num_epochs"):
            prepare(ended, ["sft.num_epochs=3"])
        assert prepare(ended, ["sft.num_epochs=3"], force=True).changed == ("sft.num_epochs",)

    def test_stopped_early(self, ended: RunDirectory) -> None:
        finish(ended, step=60)
        with pytest.raises(ConfigError) as caught:
            prepare(ended)
        assert "early_stopping_patience=0 --force" in caught.value.fix
        assert prepare(ended, ["sft.early_stopping_patience=0"], force=True).changed == ()


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_a_run_that_ended_with_a_word(ended: RunDirectory, state: Any) -> None:
    write_status(ended, Status(state, step=45, exit_code=130, cause=Cause("x", "y", "")))
    assert prepare(ended).checkpoint.step == 40


def test_no_checkpoint(config: Config) -> None:
    run = new_run(config, "2025-03-01 12:00:00")
    write_status(run, working(dead_process()))
    with pytest.raises(ConfigError, match="no complete checkpoint") as caught:
        prepare(run)
    assert "outputs/aya/basic/checkpoints" in caught.value.message


def test_no_checkpoint_since_a_later_run_has_it(ended: RunDirectory, config: Config) -> None:
    origin = Origin(ended.run_id, Path("x"))
    later = new_run(config, "2025-03-01 13:00:00", origin=origin)
    for step in (20, 40):
        (ended.path.parents[1] / f"outputs/aya/basic/checkpoints/checkpoint-{step}/inft-checkpoint.json").unlink()
    with pytest.raises(ConfigError, match=later.run_id) as caught:
        prepare(ended)
    assert f"inft-tui resume {later.run_id}" in caught.value.fix


def test_a_second_continuation_is_told(ended: RunDirectory, config: Config) -> None:
    later = new_run(config, "2025-03-01 13:00:00", origin=Origin(ended.run_id, Path("x")))
    (warning,) = prepare(ended).warnings
    assert later.run_id in warning


def test_a_run_that_saved_nothing_itself_goes_on_from_its_origin(ended: RunDirectory, config: Config) -> None:
    later = new_run(config, "2025-03-01 13:00:00", origin=Origin(ended.run_id, Path("x")))
    write_status(later, working(dead_process()))
    found = prepare(later)
    assert (found.checkpoint.run_id, found.origin.run_id) == (ended.run_id, later.run_id)
    assert ended.run_id in found.warnings[0]


def test_at_its_last_step_a_run_has_its_adapters_left_to_write(ended: RunDirectory) -> None:
    text = ended.config_toml.read_text()
    ended.config_toml.write_text(text.replace('max_steps = "none"', "max_steps = 40"))
    assert prepare(ended).checkpoint.step == 40


def test_no_steps_left(config: Config, ended: RunDirectory) -> None:
    text = ended.config_toml.read_text()
    ended.config_toml.write_text(text.replace('max_steps = "none"', "max_steps = 30"))
    with pytest.raises(ConfigError, match="nothing is left to do"):
        prepare(ended)


@pytest.mark.parametrize("content", ["", "family = 7", "\x00", 'family = "aya"\nnew_table = 1'])
def test_a_damaged_configuration(ended: RunDirectory, content: str) -> None:
    ended.config_toml.write_text(content)
    with pytest.raises(ConfigError, match=r"config\.toml"):
        prepare(ended)


def test_a_damaged_record(ended: RunDirectory) -> None:
    ended.run_json.write_text("{")
    with pytest.raises(ConfigError, match=r"run\.json is damaged"):
        prepare(ended)


def test_another_project_s_run(ended: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("INFT_HOME", str(tmp_path / "other"))
    with pytest.raises(ConfigError, match="belongs to the project") as caught:
        prepare(ended)
    assert f"INFT_HOME={tmp_path}" in caught.value.fix


def test_other_versions_are_told(ended: RunDirectory) -> None:
    change_record(ended, packages={**package_versions(), "peft": "0.1", "textual": "0.1"})
    (warning,) = prepare(ended).warnings
    assert "peft 0.1 -> " in warning
    assert "textual" not in warning


@pytest.mark.parametrize(
    ("then", "now", "count"),
    [
        ({}, {"torch": "2"}, 0),
        ({"torch": "2"}, {"torch": "2"}, 0),
        ({"torch": "2", "bitsandbytes": None}, {"torch": "3", "bitsandbytes": "1"}, 2),
    ],
)
def test_only_recorded_packages_are_compared(
    then: Mapping[str, str | None], now: Mapping[str, str | None], count: int
) -> None:
    assert sum(warning.count("->") for warning in version_changes(then, now)) == count


PLANNED = Choice(micro_batch=2, accumulation=4, recompute=False, hold_dequantized=True)


@pytest.fixture
def fitted(project: Path) -> RunDirectory:
    """A run that chose for itself, and ended after a checkpoint of step 20."""
    config = resolve("small", ["sft.fit=auto", "sft.gradient_accumulation_steps=8"]).config
    run = new_run(config, "2025-03-01 12:00:00")
    save_checkpoint(run, 20)
    write_plan(run, PlanRecord(PLANNED))
    write_status(run, working(dead_process(), dead_process(), step=25))
    return run


def test_a_run_goes_on_as_it_was_planned(fitted: RunDirectory) -> None:
    found = prepare(fitted)
    assert found.config == with_choice(load_config(fitted.config_toml), PLANNED)
    assert found.config.sft.fit == "manual"
    assert (found.changed, found.origin.forced) == ((), False)
    assert found.warnings == ()
    way = "micro-batch 2 x 4, activations kept, base held in 16 bit"
    assert found.kept_plan == f"Keeps the plan of {fitted.run_id}: {way}."
    assert resolve(str(fitted.config_toml), found.overrides).config == found.config


def test_what_does_not_bend_the_curve_may_differ_from_the_plan(fitted: RunDirectory) -> None:
    found = prepare(fitted, ["qlora.hold_dequantized=false"])
    assert found.config == with_choice(load_config(fitted.config_toml), replace(PLANNED, hold_dequantized=False))
    assert found.changed == ()


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("data.batch_size=1", r"data\.batch_size \(2 -> 1\)"),
        ("sft.fit=auto", r"goes on as planned when it started: micro-batch 2 x 4, activations kept"),
    ],
)
def test_another_plan_has_to_be_forced(fitted: RunDirectory, override: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        prepare(fitted, [override])
    assert "--force" in caught.value.fix
    assert prepare(fitted, [override], force=True).changed


def test_a_new_plan_and_something_else_names_the_something_else(fitted: RunDirectory) -> None:
    with pytest.raises(ConfigError, match=r"loss curve.*: sft\.lr \(") as caught:
        prepare(fitted, ["sft.fit=auto", "sft.lr=1"])
    assert "sft.fit" not in caught.value.message


def test_a_forced_new_plan_starts_from_what_was_configured(fitted: RunDirectory) -> None:
    found = prepare(fitted, ["sft.fit=auto"], force=True)
    assert found.config == load_config(fitted.config_toml)


def test_a_lost_plan_is_told_unless_there_was_nothing_to_choose(fitted: RunDirectory, config: Config) -> None:
    fitted.plan.write_text("{")
    with pytest.raises(ConfigError, match=r"plan\.json is damaged"):
        prepare(fitted)
    stated = ["sft.fit=manual", "data.batch_size=2", "sft.gradient_accumulation_steps=4"]
    assert prepare(fitted, stated, force=True).config.data.batch_size == 2
    manual = new_run(config, "2025-03-01 13:00:00")
    save_checkpoint(manual, 20)
    write_status(manual, working(dead_process()))
    manual.plan.write_text('{"choice": {"micro_batch": "x"}}')
    assert prepare(manual).config == config
