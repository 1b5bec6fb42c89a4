from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from inft.errors import ConfigError, DiskError
from inft.machine.boot import boot_id, uptime
from inft.machine.processes import ProcessId, this_process
from inft.profiles import load_config
from inft.runs import control
from inft.runs.checkpoints import Checkpoint
from inft.runs.condition import START_GRACE_S, Facts, Sight, is_out_of_sight, judge, sight_of
from inft.runs.directory import RunDirectory, RunRecord
from inft.runs.follow import follow
from inft.runs.inspect import Inspector, inspect
from inft.runs.launch import start_supervisor
from inft.runs.locks import OutputLocks
from inft.runs.records import read_record
from inft.runs.saved import checkpoint_folder
from inft.runs.status import Cause, Pids, RunState, Status, read_status
from tests.runs import stand_in
from tests.runs.pretend import (
    change_record,
    dead_process,
    move_to_another_machine,
    new_run,
    save_checkpoint,
    start_sleeper,
    working,
    write_events,
    write_status,
)

TRAINER, SUPERVISOR = ProcessId(10, 1.0, 10), ProcessId(9, 1.0, 9)
TRAINING = Status("training", Pids(SUPERVISOR, TRAINER), heartbeat="2025-03-01T12:00:00.000Z", step=40, max_steps=120)
CHECKPOINT = Checkpoint(Path("outputs/checkpoint-40"), 40, "small-1")
OTHER_BOOT = "00000000-0000-0000-0000-000000000000"


def held(run: RunDirectory) -> OutputLocks:
    """The lock that the processes of `run` would hold."""
    return OutputLocks.acquire([checkpoint_folder(run, load_config(run.config_toml))], run)


@pytest.fixture
def record(run: RunDirectory) -> RunRecord:
    return read_record(run)


class TestJudge:
    @pytest.mark.parametrize("state", ["finished", "stopped", "failed"])
    def test_a_last_word_stands_whatever_else_is_seen(self, record: RunRecord, state: RunState) -> None:
        cause = Cause("data", "No rows.", "")
        status = replace(TRAINING, state=state, exit_code=6, cause=cause)
        for facts in (Facts(), Facts(trainer=True, supervisor=True), Facts(rebooted=True), Facts(here=False)):
            found = judge(status, record, facts)
            assert (found.state, found.alive, found.exit_code, found.cause) == (state, False, 6, cause)
            assert found.recorded

    @pytest.mark.parametrize(
        ("trainer", "supervisor", "alive", "supervised"),
        [(True, True, True, True), (True, False, True, False), (False, True, True, True), (False, False, False, False)],
    )
    def test_who_lives(self, record: RunRecord, trainer: bool, supervisor: bool, alive: bool, supervised: bool) -> None:
        found = judge(TRAINING, record, Facts(trainer=trainer, supervisor=supervisor, heartbeat_age=1.0))
        assert (found.alive, found.supervised, found.training) == (alive, supervised, trainer)
        assert found.state == ("training" if alive else "failed")

    def test_stalled_is_an_old_heartbeat_of_a_living_run(self, record: RunRecord) -> None:
        facts = Facts(trainer=True, supervisor=True, heartbeat_age=400.0, stall_sec=300.0)
        assert judge(TRAINING, record, facts).stalled_sec == 400.0
        assert judge(TRAINING, record, replace(facts, heartbeat_age=300.0)).stalled_sec is None
        assert judge(TRAINING, record, replace(facts, heartbeat_age=None)).stalled_sec is None
        assert judge(TRAINING, record, replace(facts, trainer=False, supervisor=False)).stalled_sec is None

    def test_killed(self, record: RunRecord) -> None:
        found = judge(TRAINING, record, Facts(heartbeat_age=1.0, name="small-1", checkpoint=CHECKPOINT, tail=("x",)))
        assert (found.state, found.exit_code, found.recorded) == ("failed", 70, False)
        assert found.cause is not None
        assert (found.cause.kind, found.cause.tail) == ("killed", ("x",))
        assert "trainer and supervisor are gone" in found.cause.message
        assert "after step 40" in found.cause.message
        assert "inft-tui resume small-1" in found.cause.fix
        assert "checkpoint-40" in found.cause.fix

    def test_killed_without_a_supervisor_and_a_checkpoint(self, record: RunRecord) -> None:
        found = judge(replace(TRAINING, pids=Pids(None, TRAINER), step=0), record, Facts(heartbeat_age=1.0, name="x"))
        assert found.cause is not None
        assert "trainer is gone" in found.cause.message
        assert "before its first step" in found.cause.message
        assert "No checkpoint" in found.cause.fix

    def test_the_machine_was_restarted(self, record: RunRecord) -> None:
        found = judge(TRAINING, record, Facts(rebooted=True, heartbeat_age=1.0, asked=frozenset({"abort"})))
        assert (found.state, found.exit_code) == ("failed", 70)
        assert found.cause is not None
        assert found.cause.kind == "machine_restarted"
        assert record.host in found.cause.message

    def test_an_abort_that_nobody_could_write_down(self, record: RunRecord) -> None:
        found = judge(TRAINING, record, Facts(asked=frozenset({"abort"}), heartbeat_age=1.0))
        assert (found.state, found.exit_code) == ("stopped", 130)
        assert found.cause is not None
        assert found.cause.kind == "aborted"

    @pytest.mark.parametrize("supervisor", [None, SUPERVISOR])
    def test_a_start_has_some_time(self, record: RunRecord, supervisor: ProcessId | None) -> None:
        queued = Status("queued", Pids(supervisor=supervisor))
        assert judge(queued, record, Facts(heartbeat_age=START_GRACE_S - 1)).alive
        assert not judge(queued, record, Facts(heartbeat_age=1.0, rebooted=True)).alive
        late = judge(queued, record, Facts(heartbeat_age=START_GRACE_S + 1))
        assert (late.state, late.alive) == ("failed", False)
        assert late.cause is not None
        assert "queued" in late.cause.message

    def test_another_machine_is_judged_by_its_heartbeat_and_never_dead(self, record: RunRecord) -> None:
        found = judge(TRAINING, record, Facts(here=False, heartbeat_age=1e6, stall_sec=300))
        assert (found.state, found.alive, found.elsewhere, found.stalled_sec) == ("training", True, True, 1e6)
        assert judge(TRAINING, record, Facts(here=False, heartbeat_age=1.0)).stalled_sec is None


class TestSight:
    @pytest.mark.parametrize(
        ("host", "boot", "namespace", "sight"),
        [
            ("a", "boot", "pid:[1]", "processes"),
            ("renamed", "boot", "pid:[1]", "processes"),
            ("a", "boot", "pid:[2]", "lock"),
            ("b", "boot", "pid:[2]", "lock"),
            ("a", "later", "pid:[1]", "rebooted"),
            ("b", "later", "pid:[1]", "heartbeat"),
            ("a", None, None, "processes"),
            ("b", None, None, "heartbeat"),
        ],
    )
    def test_what_tells(
        self, record: RunRecord, host: str, boot: str | None, namespace: str | None, sight: Sight
    ) -> None:
        made = replace(record, host="a", boot_id="boot", pid_namespace="pid:[1]")
        assert sight_of(made, host=host, boot=boot, namespace=namespace) == sight

    def test_a_record_of_before(self, record: RunRecord) -> None:
        made = replace(record, host="a", boot_id="boot", pid_namespace=None)
        assert sight_of(made, host="a", boot="boot", namespace="pid:[1]") == "processes"
        assert sight_of(made, host="b", boot="boot", namespace="pid:[1]") == "lock"
        older = replace(made, boot_id=None)
        assert sight_of(older, host="a", boot="boot", namespace="pid:[1]") == "processes"
        assert sight_of(older, host="b", boot="boot", namespace="pid:[1]") == "heartbeat"


class TestInspect:
    @pytest.fixture
    def sleeper(self) -> Iterator[tuple[subprocess.Popen[bytes], ProcessId]]:
        process, identity = start_sleeper()
        yield process, identity
        process.kill()
        process.wait()

    def test_a_living_run(self, run: RunDirectory, sleeper: tuple[subprocess.Popen[bytes], ProcessId]) -> None:
        write_status(run, working(sleeper[1], this_process()))
        found = inspect(run)
        assert (found.state, found.alive, found.supervised, found.stalled_sec) == ("training", True, True, None)

    def test_the_supervisor_is_gone(
        self, run: RunDirectory, sleeper: tuple[subprocess.Popen[bytes], ProcessId]
    ) -> None:
        write_status(run, working(sleeper[1], dead_process()))
        found = inspect(run)
        assert (found.state, found.alive, found.supervised) == ("training", True, False)

    def test_both_are_gone(self, run: RunDirectory) -> None:
        run.console_log.write_text("last words\n")
        save_checkpoint(run, 20)
        newest = save_checkpoint(run, 40)
        write_status(run, working(dead_process(), dead_process()))
        found = inspect(run)
        assert (found.state, found.alive, found.step) == ("failed", False, 40)
        assert found.cause is not None
        assert found.cause.tail == ("last words",)
        assert str(newest.path) in found.cause.fix
        assert run.run_id in found.cause.fix

    def test_a_later_process_with_the_same_number_is_not_it(
        self, run: RunDirectory, sleeper: tuple[subprocess.Popen[bytes], ProcessId]
    ) -> None:
        earlier = replace(sleeper[1], started=sleeper[1].started - 60, ticks=(sleeper[1].ticks or 0) - 6000)
        write_status(run, working(earlier))
        assert inspect(run).state == "failed"

    def test_a_zombie_is_dead(self, run: RunDirectory, sleeper: tuple[subprocess.Popen[bytes], ProcessId]) -> None:
        write_status(run, working(sleeper[1]))
        sleeper[0].kill()
        end = time.monotonic() + 10
        while inspect(run).alive:
            assert time.monotonic() < end
            time.sleep(0.02)

    def test_a_restart_of_the_machine(
        self, run: RunDirectory, sleeper: tuple[subprocess.Popen[bytes], ProcessId]
    ) -> None:
        if boot_id() is None:
            pytest.skip("this system does not name its boots")
        change_record(run, boot_id="00000000-0000-0000-0000-000000000000")
        write_status(run, working(sleeper[1]))  # even if a process happens to have the number
        found = inspect(run)
        assert found.cause is not None
        assert found.cause.kind == "machine_restarted"

    def test_another_machine(self, run: RunDirectory) -> None:
        change_record(run, host="elsewhere", boot_id="other")
        write_status(run, working(dead_process()), heartbeat="2025-03-01T12:00:00.000Z")
        found = inspect(run)
        assert (found.alive, found.elsewhere) == (True, True)
        assert found.stalled_sec is not None
        assert found.stalled_sec > 1e6

    @pytest.mark.parametrize("heartbeat", ["1999-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z", "nonsense", ""])
    def test_a_jump_of_the_clock_stalls_nobody(
        self, run: RunDirectory, sleeper: tuple[subprocess.Popen[bytes], ProcessId], heartbeat: str
    ) -> None:
        write_status(run, working(sleeper[1]), heartbeat=heartbeat)
        found = inspect(run)
        assert (found.alive, found.stalled_sec) == (True, None)
        assert found.heartbeat_age is not None
        assert found.heartbeat_age < 60

    def test_a_stall_is_measured_on_the_steady_clock_with_the_run_s_own_limit(
        self, run: RunDirectory, sleeper: tuple[subprocess.Popen[bytes], ProcessId]
    ) -> None:
        text = run.config_toml.read_text()
        assert "stall_sec = 300" in text
        write_status(run, working(sleeper[1]), uptime=uptime() - 20)
        assert inspect(run).stalled_sec is None
        run.config_toml.write_text(text.replace("stall_sec = 300.0", "stall_sec = 10.0"))
        stalled = inspect(run).stalled_sec
        assert stalled is not None
        assert 20 <= stalled < 60
        run.config_toml.write_text("stall_sec = what")
        assert inspect(run).stalled_sec is None

    def test_a_run_that_was_just_made_is_queued(self, run: RunDirectory) -> None:
        found = inspect(run)
        assert (found.state, found.alive) == ("queued", True)
        change_record(run, created="2025-03-01T12:00:00.000Z")
        assert inspect(run).state == "failed"

    @pytest.mark.parametrize("content", ["", "{", "null", '{"state": "dancing"}', '{"state": "training", "pids": 7}'])
    def test_a_damaged_status_of_a_run_that_may_live_is_a_sentence(self, run: RunDirectory, content: str) -> None:
        run.status_json.write_text(content)
        with held(run), pytest.raises(ConfigError, match=r"status\.json is damaged") as caught:
            inspect(run)
        assert "\n" not in caught.value.message

    def test_a_lost_status_of_a_run_that_may_live_is_a_sentence(self, run: RunDirectory) -> None:
        run.console_log.write_text("so it was started\n")
        with held(run), pytest.raises(ConfigError, match=r"status\.json is missing"):
            inspect(run)

    def test_a_run_that_lives_replaces_a_damaged_status(
        self, run: RunDirectory, sleeper: tuple[subprocess.Popen[bytes], ProcessId]
    ) -> None:
        run.status_json.write_text("")
        soon = threading.Timer(0.3, write_status, (run, working(sleeper[1])))
        soon.start()
        with held(run):
            assert inspect(run).state == "training"
        soon.join()

    @pytest.mark.parametrize("content", ["", "{", "null", None])
    def test_a_lost_status_of_a_run_that_nobody_works_on(self, run: RunDirectory, content: str | None) -> None:
        run.console_log.write_text("last words\n")
        write_events(run, {"event": "log", "global_step": 30, "loss": 1.0})
        if content is not None:
            run.status_json.write_text(content)
        with held(new_run(load_config(run.config_toml), "2025-03-02 12:00:00")):  # by another run of that folder
            found = inspect(run)
        assert (found.state, found.alive, found.exit_code, found.step) == ("failed", False, 70, 30)
        assert found.cause is not None
        assert (found.cause.kind, found.cause.tail) == ("killed", ("last words",))
        assert "status.json is damaged or gone" in found.cause.message
        assert "after step 30" in found.cause.message

    def test_a_status_that_was_lost_with_the_power(self, run: RunDirectory) -> None:
        if boot_id() is None:
            pytest.skip("this system does not name its boots")
        change_record(run, boot_id=OTHER_BOOT)
        run.status_json.write_text("")
        with held(run):  # a later run of that name cannot be; the lock of another boot says nothing
            found = inspect(run)
        assert found.cause is not None
        assert found.cause.kind == "machine_restarted"
        assert "at an unknown step" in found.cause.message

    def test_a_lost_status_on_another_machine_is_judged_by_the_last_change(self, run: RunDirectory) -> None:
        move_to_another_machine(run, "elsewhere")
        run.status_json.write_text("")
        with pytest.raises(ConfigError, match="damaged"):
            inspect(run)
        for path in (run.status_json, run.metrics):
            os.utime(path, (1e9, 1e9))
        found = inspect(run)
        assert (found.alive, found.elsewhere, is_out_of_sight(found)) == (True, True, True)

    @pytest.mark.parametrize("name", ["here", "renamed"])
    def test_another_container_of_this_machine(self, run: RunDirectory, name: str) -> None:
        if boot_id() is None:
            pytest.skip("this system does not name its boots")
        change_record(run, pid_namespace="pid:[1]", **({} if name == "here" else {"host": name}))
        write_status(run, working(dead_process(), dead_process()), heartbeat="2025-03-01T12:00:00.000Z")
        with held(run):
            found = inspect(run)
            assert (found.state, found.alive, found.supervised, found.elsewhere) == ("training", True, True, False)
        found = inspect(run)
        assert (found.state, found.alive) == ("failed", False)

    def test_another_container_whose_output_folder_is_not_seen(self, run: RunDirectory) -> None:
        if boot_id() is None:
            pytest.skip("this system does not name its boots")
        change_record(run, pid_namespace="pid:[1]")
        write_status(run, working(dead_process()))
        found = inspect(run)
        assert (found.alive, found.elsewhere) == (True, True)

    def test_a_status_that_may_not_be_read(self, run: RunDirectory) -> None:
        run.status_json.mkdir()  # even root may not read a folder
        with pytest.raises(DiskError, match="Could not read"):
            inspect(run)
        run.status_json.rmdir()

    def test_a_status_that_is_damaged_while_it_is_watched(
        self, run: RunDirectory, sleeper: tuple[subprocess.Popen[bytes], ProcessId]
    ) -> None:
        inspector = Inspector(run)
        write_status(run, working(sleeper[1]))
        assert inspector.look().alive
        run.status_json.write_text("{")
        assert inspector.look().alive
        sleeper[0].kill()
        sleeper[0].wait()
        assert inspector.look().state == "failed"

    def test_a_last_word_written_between_two_looks_is_heard(
        self, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_status(run, working(dead_process()))

        def write_it_now(*_: object) -> bool:
            write_status(run, Status("finished", exit_code=0))
            return False

        monkeypatch.setattr("inft.runs.inspect.is_alive", write_it_now)
        assert inspect(run).state == "finished"

    def test_nothing_is_written(self, run: RunDirectory) -> None:
        write_status(run, working(dead_process()))
        control.ask(run, "abort")
        before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
        assert inspect(run).state == "stopped"
        assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before


class TestUnderARealSupervisor:
    def start(self, run: RunDirectory, behaviour: str, monkeypatch: pytest.MonkeyPatch) -> subprocess.Popen[bytes]:
        monkeypatch.setenv("STAND_IN", behaviour)
        return start_supervisor(run, module=stand_in.MODULE)

    def wait_until_training(self, run: RunDirectory) -> Pids:
        end = time.monotonic() + 20
        while (status := read_status(run.status_json)) is None or status.state != "training":
            assert time.monotonic() < end
            assert inspect(run).alive
            time.sleep(0.02)
        return status.pids

    @pytest.mark.parametrize("victims", [("supervisor", "trainer"), ("trainer", "supervisor")])
    def test_kill_both(self, run: RunDirectory, monkeypatch: pytest.MonkeyPatch, victims: tuple[str, str]) -> None:
        process = self.start(run, "slow", monkeypatch)
        pids = self.wait_until_training(run)
        assert pids.supervisor is not None
        assert pids.trainer is not None
        by_name = {"supervisor": pids.supervisor.pid, "trainer": pids.trainer.pid}
        for name in victims:
            os.kill(by_name[name], signal.SIGKILL)
        process.wait(20)
        end = time.monotonic() + 20
        while (found := inspect(run)).alive:
            assert time.monotonic() < end
            time.sleep(0.02)
        assert found.state == "failed"
        assert found.cause is not None
        assert found.cause.kind == "killed"

    def test_kill_the_supervisor(self, run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
        process = self.start(run, "slow", monkeypatch)
        self.wait_until_training(run)
        process.kill()
        process.wait()
        found = inspect(run)
        assert (found.state, found.alive, found.supervised, found.training) == ("training", True, False, True)
        control.ask(run, "stop")
        lines = [line for lines in follow(run, lambda: inspect(run).alive, poll_s=0.02) for line in lines]
        assert lines
        found = inspect(run)
        assert (found.state, found.exit_code, found.recorded) == ("stopped", 130, True)

    def test_from_start_to_end_no_look_finds_it_dead(self, run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
        process = self.start(run, "finish", monkeypatch)
        inspector = Inspector(run)
        seen = []
        while (found := inspector.look()).alive:
            seen.append(found.state)
        assert (found.state, found.exit_code, found.recorded) == ("finished", 0, True)
        assert {"queued", "training"} <= set(seen)
        assert process.wait(20) == 0
