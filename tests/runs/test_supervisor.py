"""The real supervisor beside a stand-in for the trainer: real processes, signals and files."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from inft.errors import DiskError
from inft.machine.processes import ProcessId, is_alive
from inft.profiles import resolve, to_toml
from inft.runs.control import ask, pending
from inft.runs.directory import RunDirectory, create_run
from inft.runs.escalation import Patience
from inft.runs.jsonl import JsonlReader
from inft.runs.launch import PACKAGES, start_supervisor, start_trainer, supervisor_log
from inft.runs.supervisor import Plan, Trainer, plan_of, supervise
from tests.runs import stand_in
from tests.runs.supervision import QUICK, Launch, cause_of, own_child, starter, status_of, until, working


def supervisor_of(run: RunDirectory) -> ProcessId:
    supervisor = status_of(run).pids.supervisor
    assert supervisor is not None
    return supervisor


class TestARunThatEndsByItself:
    def test_its_last_word_is_left_alone(self, run: RunDirectory, launch: Launch) -> None:
        supervisor = launch(run, "finish")
        assert supervisor.wait(30) == 0
        status = status_of(run)
        assert (status.state, status.exit_code, status.cause, status.step) == ("finished", 0, None, 5)
        assert supervisor_of(run).pid == supervisor.pid
        assert status.pids.trainer is not None
        assert status.pids.trainer.pid != supervisor.pid
        assert not supervisor_log(run).exists()
        with JsonlReader(run.metrics) as reader:
            steps = [line.record.get("global_step") for line in reader.read().lines if line.record["event"] == "log"]
        assert steps == [1, 2, 3, 4, 5]

    def test_and_its_exit_code_is_the_supervisors(self, run: RunDirectory, launch: Launch) -> None:
        assert launch(run, "fail").wait(30) == 6
        assert (status_of(run).state, cause_of(run).kind) == ("failed", "data")

    @pytest.mark.parametrize(
        ("behaviour", "code", "kind", "said"),
        [
            ("kill", 70, "killed", "signal 9 (SIGKILL)"),
            ("segv", 70, "crashed", "SIGSEGV"),
            ("library", 3, "library", "no_such_library"),
            ("crash", 70, "internal", "RuntimeError: before the status exists"),
            ("silent", 70, "internal", "without saying"),
        ],
    )
    def test_what_it_does_not_say_is_said_for_it(
        self, run: RunDirectory, launch: Launch, behaviour: str, code: int, kind: str, said: str
    ) -> None:
        assert launch(run, behaviour).wait(30) == code
        status = status_of(run)
        assert (status.state, status.exit_code) == ("failed", code)
        assert cause_of(run).kind == kind
        assert said in cause_of(run).message
        assert cause_of(run).tail[0] == "a line for console.log: ශ්‍රී"
        if behaviour in ("kill", "segv"):
            assert (status.step, status.max_steps) == (2, 5)

    def test_a_trainer_that_stays_after_its_last_word_is_ended(
        self, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("STAND_IN", "linger")
        code = supervise(run, replace(QUICK, patience=Patience(leave=0.3)), starter(run))
        assert (code, status_of(run).state, status_of(run).cause) == (0, "finished", None)
        trainer = status_of(run).pids.trainer
        assert trainer is not None
        assert not is_alive(trainer)

    def test_a_module_that_is_not_there(self, run: RunDirectory) -> None:
        assert start_supervisor(run, module="tests.runs.no_such_module").wait(30) == 3
        assert cause_of(run).kind == "library"

    def test_a_configuration_that_cannot_be_used_is_for_the_trainer_to_report(
        self, run: RunDirectory, launch: Launch
    ) -> None:
        run.config_toml.write_text("nonsense", encoding="utf-8")
        assert launch(run, "finish").wait(30) == 0
        assert plan_of(run) == Plan()


class TestSessions:
    def test_each_process_has_its_own(self, run: RunDirectory, launch: Launch) -> None:
        supervisor = launch(run, "slow")
        trainer = working(run)
        assert os.getsid(supervisor.pid) == supervisor.pid
        assert os.getsid(trainer.pid) == trainer.pid
        supervisor.terminate()
        supervisor.wait(20)

    def test_a_hangup_means_nothing_to_either(self, run: RunDirectory, launch: Launch) -> None:
        supervisor = launch(run, "slow")
        trainer = working(run)
        os.kill(supervisor.pid, signal.SIGHUP)
        os.kill(trainer.pid, signal.SIGHUP)
        step = status_of(run).step
        until(lambda: status_of(run).step > step + 10)
        assert supervisor.poll() is None
        ask(run, "stop")
        assert supervisor.wait(20) == 130

    @pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
    def test_a_scheduler_s_warning_to_all_ends_nobody(
        self, run: RunDirectory, launch: Launch, number: signal.Signals
    ) -> None:
        supervisor = launch(run, "slow")
        supervisor.send_signal(number)  # before it can have said what that means to it
        until(lambda: status_of(run).pids.trainer is not None)
        trainer = status_of(run).pids.trainer
        assert trainer is not None
        os.kill(trainer.pid, number)
        working(run)
        supervisor.send_signal(number)
        step = status_of(run).step
        until(lambda: status_of(run).step > step + 5)
        assert supervisor.poll() is None
        ask(run, "stop")
        assert supervisor.wait(20) == 130


class TestKilled:
    def test_a_killed_supervisor_costs_the_trainer_nothing(self, run: RunDirectory, launch: Launch) -> None:
        supervisor = launch(run, "slow")
        trainer = working(run)
        supervisor.kill()
        supervisor.wait()
        step = status_of(run).step
        until(lambda: status_of(run).step > step + 20)
        assert is_alive(trainer)
        assert not is_alive(supervisor_of(run))
        ask(run, "save")
        until(lambda: not pending(run))
        ask(run, "stop")
        until(lambda: not is_alive(trainer))
        assert (status_of(run).state, status_of(run).exit_code) == ("stopped", 130)

    def test_a_killed_trainer_is_named_and_its_workers_go_with_it(self, run: RunDirectory, launch: Launch) -> None:
        supervisor = launch(run, "stubborn")
        trainer = working(run)
        child = own_child(run)
        ask(run, "save")
        os.kill(trainer.pid, signal.SIGKILL)
        assert supervisor.wait(20) == 70
        assert cause_of(run).kind == "killed"
        assert "start again" in cause_of(run).fix
        until(lambda: not is_alive(child))
        assert pending(run) == frozenset()

    def test_the_out_of_memory_killer_is_told_from_a_person(
        self, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("STAND_IN", "kill")
        # The kernel's count rises with the death of the trainer, in its third step.
        code = supervise(run, QUICK, starter(run), lambda: 7 if status_of(run).step < 2 else 8)
        assert (code, status_of(run).state, cause_of(run).kind) == (4, "failed", "out_of_memory")

    def test_a_death_is_noticed_at_once(self, run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STAND_IN", "silent")
        began = time.monotonic()
        supervise(run, Plan(hardware_interval_s=0, tick_s=60), starter(run))
        assert time.monotonic() - began < 20


class TestRequests:
    def test_the_trainer_honours_them_itself(self, run: RunDirectory, launch: Launch) -> None:
        supervisor = launch(run, "slow")
        working(run)
        ask(run, "stop")
        assert supervisor.wait(20) == 130
        assert cause_of(run).message == "Stopped on request."
        assert pending(run) == frozenset()

    def test_an_abort_too(self, run: RunDirectory, launch: Launch) -> None:
        supervisor = launch(run, "slow")
        working(run)
        ask(run, "abort")
        assert supervisor.wait(20) == 130
        assert (status_of(run).state, cause_of(run).kind) == ("stopped", "aborted")
        assert pending(run) == frozenset()

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_to_the_supervisor_stops_the_run_and_is_waited_out(
        self, run: RunDirectory, launch: Launch, number: signal.Signals
    ) -> None:
        supervisor = launch(run, "slow")
        trainer = working(run)
        supervisor.send_signal(number)
        supervisor.send_signal(number)
        assert supervisor.wait(20) == 130
        assert not is_alive(trainer)
        assert (status_of(run).state, cause_of(run).message) == ("stopped", "Stopped on request.")

    def test_a_signal_before_the_trainer_listens(self, run: RunDirectory, launch: Launch) -> None:
        supervisor = launch(run, "slow")
        until(lambda: status_of(run).state == "starting")
        supervisor.terminate()
        assert supervisor.wait(20) == 130
        assert status_of(run).state == "stopped"


class TestEscalation:
    def run_with_times(self, project: Path) -> RunDirectory:
        config = resolve("small", ["basic.stop_ask_sec=0.5", "basic.stop_term_sec=0.5"]).config
        return create_run(config, to_toml(config), argv=["inft-tui"])

    def test_stop_ends_in_sigkill_for_all(self, project: Path, launch: Launch) -> None:
        run = self.run_with_times(project)
        supervisor = launch(run, "stubborn")
        trainer, child = working(run), own_child(run)
        began = time.monotonic()
        ask(run, "stop")
        assert supervisor.wait(20) == 130
        assert 1.0 <= time.monotonic() - began < 6
        assert (status_of(run).state, cause_of(run).kind) == ("stopped", "stopped")
        assert "0.5 seconds" in cause_of(run).message
        assert not is_alive(trainer)
        until(lambda: not is_alive(child))
        assert pending(run) == frozenset()

    def test_a_trainer_that_is_held_can_be_stopped(self, project: Path, launch: Launch) -> None:
        run = self.run_with_times(project)
        supervisor = launch(run, "slow")
        os.kill(working(run).pid, signal.SIGSTOP)
        ask(run, "stop")
        assert supervisor.wait(20) == 130
        assert cause_of(run).kind == "stopped"

    def test_a_signal_escalates_too(self, project: Path, launch: Launch) -> None:
        run = self.run_with_times(project)
        supervisor = launch(run, "stubborn")
        working(run)
        supervisor.terminate()
        assert supervisor.wait(20) == 130
        assert "was killed" in cause_of(run).message

    def test_abort_takes_two_seconds(self, project: Path, launch: Launch) -> None:
        run = self.run_with_times(project)
        supervisor = launch(run, "stubborn")
        working(run)
        began = time.monotonic()
        ask(run, "abort")
        assert supervisor.wait(20) == 130
        assert 2.0 <= time.monotonic() - began < 6
        assert (status_of(run).state, cause_of(run).kind) == ("stopped", "aborted")

    def test_the_patience_is_the_configurations(self, project: Path) -> None:
        run = self.run_with_times(project)
        plan = plan_of(run)
        assert (plan.patience.ask, plan.patience.terminate, plan.patience.abort) == (0.5, 0.5, 2.0)
        assert plan.hardware_interval_s == 5.0
        assert plan.output_dir == project / "outputs" / "aya" / "basic" / "checkpoints"


class TestTrouble:
    def test_a_trainer_that_cannot_be_started(self, run: RunDirectory) -> None:
        def start() -> Trainer:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

        assert supervise(run, QUICK, start) == 3
        assert "could not be started: resource temporarily unavailable" in cause_of(run).message

    def test_a_console_log_that_cannot_be_written(self, run: RunDirectory) -> None:
        run.console_log.mkdir()
        assert supervise(run, QUICK, starter(run)) == 7
        assert cause_of(run).kind == "disk"

    def test_locks_that_are_none(self, run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("INFT_LOCKS", "987")
        code = "import sys; from inft.runs.supervisor import main; sys.exit(main())"
        done = subprocess.run([sys.executable, "-c", code, str(run.path), stand_in.MODULE], check=False)
        assert (done.returncode, cause_of(run).kind) == (2, "configuration")

    def test_a_defect_of_ours_costs_the_trainer_nothing_and_is_told_once(
        self, run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("STAND_IN", "finish")

        def count() -> int:
            raise ZeroDivisionError("a defect")

        assert supervise(run, QUICK, starter(run), count) == 0
        assert status_of(run).state == "finished"
        assert capfd.readouterr().err.count("Traceback") == 1

    def test_the_callers_signals_are_as_before(self, run: RunDirectory) -> None:
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        before = [signal.getsignal(number) for number in numbers]
        supervise(run, QUICK, starter(run))
        assert [signal.getsignal(number) for number in numbers] == before
        assert signal.set_wakeup_fd(-1) == -1

    def test_an_unreadable_end_of_the_log(self, run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STAND_IN", "kill")

        def start() -> Trainer:
            trainer = start_trainer(run, module=stand_in.MODULE)
            run.console_log.unlink()
            return trainer

        assert supervise(run, QUICK, start) == 70
        assert cause_of(run).tail == ()


class TestAFullDisk:
    def test_room_is_made_for_the_end(self, run: RunDirectory) -> None:
        """A limit on the size of files stands for the disk; it is lifted as the reserve goes."""
        run.reserve.write_bytes(b"x" * 65536)
        code = f"""
        import os, resource, sys, threading, time
        from pathlib import Path
        from inft.runs.directory import RunDirectory
        from inft.runs.launch import start_trainer
        from inft.runs.supervisor import Plan, supervise

        run = RunDirectory(Path(sys.argv[1]))
        endless = resource.RLIM_INFINITY

        def start():
            trainer = start_trainer(run, module="{stand_in.MODULE}")
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, endless))
            return trainer

        def lift():
            while run.reserve.exists():
                time.sleep(0.01)
            resource.setrlimit(resource.RLIMIT_FSIZE, (endless, endless))

        threading.Thread(target=lift, daemon=True).start()
        sys.exit(supervise(run, Plan(hardware_interval_s=0.05, write_pause_s=0.5), start))
        """
        environment = {**os.environ, "STAND_IN": "kill"}
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), str(run.path)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 70, done.stderr
        assert (status_of(run).state, cause_of(run).kind) == ("failed", "killed")
        assert not run.reserve.exists()
        assert done.stderr.count("file too large") == 2  # at the handover and at the first attempt

    def test_a_disk_that_stays_full_does_not_keep_the_supervisor(self, run: RunDirectory) -> None:
        # Nothing can be replaced by a file where a folder with something in it has the name.
        plan = Plan(hardware_interval_s=0, write_attempts=3, write_pause_s=0.05)
        run.status_json.mkdir()
        (run.status_json / "occupied").touch()
        with pytest.raises(DiskError):
            start_supervisor(run)
        assert supervise(run, plan, starter(run)) == 70
        shutil.rmtree(run.status_json)

    def test_a_real_full_disk(self, tmp_path: Path) -> None:
        """A file system of 600 KiB in a mount namespace, filled while the stand-in trains."""
        probe = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--mount", "true"], capture_output=True, check=False
        )
        if probe.returncode != 0:
            pytest.skip("this machine lets nobody mount a file system of their own")
        code = f"""
        import os, subprocess, sys, time
        from pathlib import Path
        root = Path(sys.argv[1])
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", root], check=True)
        os.environ.update(INFT_HOME=str(root), STAND_IN="slow")
        from tests.runs.stand_in import write_project
        write_project(root)
        from inft.profiles import resolve, to_toml
        from inft.runs.directory import create_run
        from inft.runs.launch import start_supervisor
        from inft.runs.status import read_status
        config = resolve("small", ["basic.hardware_interval_sec=0.02"]).config
        run = create_run(config, to_toml(config), argv=[])
        run.reserve.write_bytes(b"x" * 65536)
        supervisor = start_supervisor(run, module="{stand_in.MODULE}")
        while (status := read_status(run.status_json)) is None or status.step < 3:
            time.sleep(0.01)
        while not run.hardware.exists() or not run.hardware.stat().st_size:
            time.sleep(0.01)
        with open(root / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * 4096)
            except OSError:
                pass
        # The stand-in stumbles over the full disk and dies of its traceback.
        code = supervisor.wait(60)
        status = read_status(run.status_json)
        samples = run.hardware.read_text()
        print(code, status.state, status.exit_code, status.cause.kind, samples.endswith("}}\\n"), run.reserve.exists())
        print(status.cause.message)
        """
        done = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c", textwrap.dedent(code), tmp_path],
            env={**os.environ, "PYTHONPATH": str(PACKAGES)},
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[0] == "70 failed 70 internal True False", done.stdout
        # Whether its last line still fitted into console.log is chance.
        assert done.stdout.splitlines()[1].startswith("The trainer exited with code 1")


def test_it_loads_no_library_that_it_does_not_need() -> None:
    code = "import sys, inft.runs.supervisor; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {
        "torch",
        "numpy",
        "transformers",
        "datasets",
        "typer",
        "rich",
        "textual",
        "tomlkit",
        "asyncio",
        "psutil",
        "pynvml",
        "importlib.metadata",
        "inft.runs.hardware",
    }


def test_the_main_thread_waits_and_does_not_poll(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN", "slow")
    threading.Timer(2.0, lambda: ask(run, "stop")).start()
    before = time.process_time()
    assert supervise(run, Plan(hardware_interval_s=0), starter(run)) == 130
    assert time.process_time() - before < 0.5
