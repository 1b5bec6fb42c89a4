"""The trainer's process at its edges: libraries that do not load, requests before training, other runs, full disks."""

from __future__ import annotations

import json
import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from inft.machine.processes import process_of
from inft.runs import control as requests
from inft.runs.checkpoints import complete_checkpoints
from inft.runs.directory import RunDirectory
from inft.runs.status import Pids, Status, StatusFile
from tests.training.runs import Home, announced_steps, events_of, status_of, wait_for

ENDLESS = ("sft.max_steps=100000", "sft.num_epochs=10000")


def test_the_entry_loads_no_training_library() -> None:
    program = (
        "import sys, inft.trainer; print(sorted({'torch', 'transformers', 'datasets', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def with_torch(folder: Path, content: str) -> str:
    """Statements by which `import torch` runs `content`."""
    (folder / "torch").mkdir(parents=True)
    (folder / "torch/__init__.py").write_text(content)
    return f"import sys; sys.path.insert(0, {str(folder)!r})"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("raise ImportError('libcudart.so.12: cannot open shared object file')", "libcudart.so.12"),
        ("raise OSError('libtorch.so: undefined symbol: _ZN3c10')", "undefined symbol"),
        ("raise RuntimeError('module was compiled against NumPy 1.x')", "compiled against NumPy"),
        ("", "cannot import name"),
    ],
)
def test_a_library_that_does_not_load_is_named(home: Home, tmp_path: Path, content: str, says: str) -> None:
    run = home.create("demo_llama")
    assert home.trainer(run, prelude=with_torch(tmp_path / "broken", content)).wait(30) == 3
    status = status_of(run)
    assert status.cause is not None
    assert (status.state, status.cause.kind) == ("failed", "library")
    assert says in status.cause.message or content == ""
    assert "pip install" in status.cause.fix
    assert "Traceback" in run.console_log.read_text()
    assert [event["state"] for event in events_of(run, "train_end")] == ["failed"]


def test_a_full_disk_while_libraries_load_is_not_the_libraries_fault(home: Home, tmp_path: Path) -> None:
    run = home.create("demo_llama")
    prelude = with_torch(tmp_path / "full", "raise OSError(28, 'No space left on device', 'x.pyc')")
    assert home.trainer(run, prelude=prelude).wait(30) == 7
    cause = status_of(run).cause
    assert cause is not None
    assert cause.kind == "disk"


@pytest.mark.parametrize("how", ["signal", "request"])
def test_a_stop_while_libraries_load_is_honoured_at_once(home: Home, tmp_path: Path, how: str) -> None:
    run = home.create("demo_llama")
    process = home.trainer(run, prelude=with_torch(tmp_path / "slow", "import time; time.sleep(60)"))
    wait_for(run.status_json.exists, process)
    status = status_of(run)
    assert status.state == "starting"
    assert status.pids.trainer == process_of(process.pid)
    if how == "signal":
        process.terminate()
    else:
        requests.ask(run, "stop")
    assert process.wait(10) == 130
    assert status_of(run).state == "stopped"
    assert requests.pending(run) == frozenset()


LINGERING = (
    "import atexit, threading, time\n"
    "threading.Thread(target=time.sleep, args=(60,)).start()\n"
    "atexit.register(print, 'the last figures were sent')\n"
)
"""What a download or a tracking service leaves behind."""


def test_a_stop_waits_for_no_thread_of_a_library(home: Home, tmp_path: Path) -> None:
    run = home.create("demo_llama")
    process = home.trainer(run, prelude=with_torch(tmp_path / "slow", LINGERING + "time.sleep(60)"))
    wait_for(run.status_json.exists, process)
    time.sleep(0.5)
    process.terminate()
    assert process.wait(10) == 130


def test_a_failed_run_waits_for_no_thread_and_lets_trackers_finish(home: Home, tmp_path: Path) -> None:
    run = home.create("demo_llama")
    process = home.trainer(run, prelude=with_torch(tmp_path / "broken", LINGERING + "raise ImportError('no torch')"))
    assert process.wait(15) == 3
    assert "the last figures were sent" in run.console_log.read_text()


def test_a_tracker_that_hangs_at_exit_is_left_behind(home: Home, tmp_path: Path) -> None:
    run = home.create("demo_llama")
    hangs = "import atexit, time\natexit.register(time.sleep, 60)\nraise ImportError('no torch')"
    prelude = with_torch(tmp_path / "broken", hangs)
    process = home.trainer(run, prelude=f"{prelude}\nimport inft.training.leaving as l\nl.LAST_WORDS_S = 1")
    assert process.wait(15) == 3


@pytest.mark.slow
def test_a_finished_run_waits_for_no_thread_of_a_library(home: Home) -> None:
    run = home.create("demo_llama", "data.num_workers=1")
    process = home.fork(run, prelude=LINGERING)
    wait_for(lambda: run.metrics.exists() and len(events_of(run, "train_end")) == 1, process)
    assert process.wait(15) == 0
    assert "the last figures were sent" in run.console_log.read_text()


def test_a_run_that_cannot_even_be_recorded_says_why(home: Home) -> None:
    run = home.create("demo_llama")
    run.reserve.mkdir()
    assert home.trainer(run).wait(15) == 7
    assert str(run.reserve) in run.console_log.read_text()
    status = status_of(run)
    assert status.cause is not None
    assert (status.state, status.exit_code, status.cause.kind) == ("failed", 7, "disk")


def test_the_supervisors_word_is_waited_for_and_its_pid_kept(home: Home, tmp_path: Path) -> None:
    run = home.create("demo_llama")
    prelude = with_torch(tmp_path / "broken", "raise ImportError('no torch')")
    program = (
        f"{prelude}\nsys.argv = ['inft.trainer', {str(run.path)!r}]\nfrom inft.trainer import main\nsys.exit(main())"
    )
    with run.console_log.open("ab") as console:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=console,
            stderr=console,
            env={**home.environment, "INFT_SUPERVISED": "1"},
            start_new_session=True,
        )
    me, trainer = process_of(os.getpid()), process_of(process.pid)
    assert trainer is not None
    said = Status("starting", pids=Pids(supervisor=me, trainer=trainer), heartbeat="")
    time.sleep(1)
    assert not run.status_json.exists(), "it wrote a status before it was its turn"
    StatusFile(run.status_json).write(said)
    process.terminate()  # noted, and honoured once it may say so
    time.sleep(0.3)
    assert process.poll() is None
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(10) == 130
    status = status_of(run)
    assert status.pids == said.pids
    assert status.state == "stopped"


@pytest.mark.slow
def test_two_runs_do_not_write_to_one_folder(home: Home, tmp_path: Path) -> None:
    first, second = home.create("demo_llama"), home.create("demo_llama")
    holder = home.trainer(first, prelude=with_torch(tmp_path / "slow", "import time; time.sleep(60)"))
    wait_for((home.root / "outputs/demo_llama/.checkpoints.lock").exists, holder)
    time.sleep(0.5)
    assert home.trainer(second).wait(60) == 2
    cause = status_of(second).cause
    assert cause is not None
    assert first.run_id in cause.message
    holder.kill()
    holder.wait(10)
    third = home.create("demo_llama")
    assert home.fork(third).wait(120) == 0


@pytest.mark.slow
def test_an_internal_error_brings_the_end_of_its_traceback(home: Home) -> None:
    run = home.create("demo_llama")
    prelude = "import inft.pipeline\ndef broken(*given): raise ZeroDivisionError('nothing to share')\n"
    prelude += "inft.pipeline.early_stopping = broken\n"
    assert home.fork(run, prelude=prelude).wait(60) == 70
    cause = status_of(run).cause
    assert cause is not None
    assert cause.kind == "internal"
    assert cause.tail[-1] == "ZeroDivisionError: nothing to share"
    assert any("broken" in line for line in cause.tail)


@pytest.mark.slow
def test_a_killed_data_worker_is_taken_for_the_out_of_memory_killers_work(home: Home) -> None:
    run = home.create("demo_llama", *ENDLESS, "data.num_workers=1")
    process = home.fork(run)
    wait_for(lambda: len(events_of(run, "log")) >= 1, process)
    psutil.Process(process.pid).children()[0].kill()
    assert process.wait(60) == 4
    cause = status_of(run).cause
    assert cause is not None
    assert cause.kind == "out_of_memory"
    assert "data worker was killed" in cause.message
    assert "data.num_workers" in cause.fix


@pytest.mark.slow
@pytest.mark.parametrize("resumed", [False, True], ids=["fresh", "resumed"])
def test_a_signal_to_every_process_of_a_run_stops_it_with_a_checkpoint(home: Home, resumed: bool) -> None:
    """As `systemctl stop`, a shutdown or a scheduler sends it; the data workers get it, too."""
    run = home.create("demo_llama", *ENDLESS, "data.num_workers=2", "sft.save_steps=3")
    if resumed:
        process = home.fork(run)
        wait_for(lambda: len(events_of(run, "checkpoint")) >= 1, process)
        process.kill()
        process.wait(10)
        at = complete_checkpoints(home.root / "outputs/demo_llama/checkpoints")[-1]
        run = home.resume(run, at, "sft.save_steps=100000")
    process = home.fork(run, prelude=announced_steps(1))
    wait_for(lambda: run.metrics.exists() and len(events_of(run, "log")) >= 2, process)
    assert len(psutil.Process(process.pid).children()) >= 2
    os.killpg(process.pid, signal.SIGTERM)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(60) == 130, run.console_log.read_text()
    status = status_of(run)
    assert (status.state, status.exit_code) == ("stopped", 130)
    last = complete_checkpoints(home.root / "outputs/demo_llama/checkpoints")[-1]
    assert (last.run_id, last.step) == (run.run_id, status.step)


@pytest.mark.slow
def test_an_abort_of_a_training_run_leaves_its_checkpoints(home: Home) -> None:
    run = home.create("demo_llama", *ENDLESS, "sft.save_steps=2", "data.num_workers=2")
    process = home.fork(run)
    wait_for(lambda: len(events_of(run, "checkpoint")) >= 1, process)
    requests.ask(run, "abort")
    assert process.wait(10) == -signal.SIGKILL
    status = status_of(run)
    assert status.cause is not None
    assert (status.state, status.exit_code, status.cause.kind) == ("stopped", 130, "aborted")
    # The run saves every two steps; one more checkpoint may be complete between its last word and its end.
    last = complete_checkpoints(home.root / "outputs/demo_llama/checkpoints")[-2:]
    goes_on = f"`inft-tui resume {run.run_id}` goes on from its last complete checkpoint"
    assert status.cause.fix in [f"{goes_on}, {checkpoint.path}." for checkpoint in last]


@pytest.mark.slow
def test_a_request_to_save_is_honoured_and_training_goes_on(home: Home) -> None:
    run = home.create("demo_aya", *ENDLESS)
    process = home.fork(run, prelude=announced_steps(0.05))
    wait_for(lambda: len(events_of(run, "log")) >= 2, process)
    requests.ask(run, "save")
    wait_for(lambda: len(events_of(run, "checkpoint")) == 1, process)
    wait_for(lambda: not requests.pending(run), process)
    (event,) = events_of(run, "checkpoint")
    wait_for(lambda: events_of(run, "log")[-1]["global_step"] > event["global_step"] + 1, process)
    assert len(events_of(run, "checkpoint")) == 1
    requests.ask(run, "stop")
    assert process.wait(60) == 130
    kinds = [event["kind"] for event in events_of(run, "alert") if event["kind"] in ("save", "stop")]
    assert kinds == ["save", "stop"]
    cause = status_of(run).cause
    assert cause is not None
    assert f"(process {os.getpid()})" in cause.message


class TestFullDisk:
    """The end is told, and what was saved stays whole."""

    @pytest.mark.slow
    def test_of_the_log(self, home: Home) -> None:
        """By a limit on the size of a file, which only the growing log reaches."""
        run = home.create("demo_llama", *ENDLESS)
        limit = 200_000
        with run.metrics.open("w") as log:
            log.write((json.dumps({"event": "noise"}) + "\n") * ((limit - 4000) // 19))
        prelude = (
            "import resource, inft.training.callbacks as c\n"
            "begin = c.TrainerLoggingCallback.on_train_begin\n"
            "def limited(*a, **k):\n"
            f"    resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))\n"
            "    return begin(*a, **k)\n"
            "c.TrainerLoggingCallback.on_train_begin = limited\n"
            "import inft.runs.checkpoints as ck, inft.training.checkpointing as cp\n"
            "save = cp.CheckpointingTrainer._save_checkpoint\n"
            "def unlimited(*a, **k):\n"
            "    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
            "    return save(*a, **k)\n"
            "cp.CheckpointingTrainer._save_checkpoint = unlimited\n"
        )
        assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
        assert home.fork(run, prelude=prelude).wait(120) == 7, run.console_log.read_text()
        self.check_ended_for_the_log(home, run)

    @pytest.mark.slow
    def test_of_the_log_folder(self, home: Home, tmp_path: Path) -> None:
        """A small disk of its own for `logs/`, filled up by somebody else while the run goes on."""
        if not can_mount():
            pytest.skip("unshare may not mount a tmpfs here")
        script = tmp_path / "session.sh"
        marker, results = tmp_path / "filled", tmp_path / "results"
        (home.root / "logs").mkdir()
        program = (
            f"import os; os.environ['INFT_HOME'] = {str(home.root)!r}\n"
            f"{announced_steps(0.02)}"
            "from pathlib import Path\n"
            "import sys\n"
            "from tests.training.runs import Home\n"
            f"home = Home(Path({str(home.root)!r}), Path({str(home.cache)!r}))\n"
            f"run = home.create('demo_llama', *{ENDLESS!r})\n"
            "count = 0\n"
            "def filling(*a, **k):\n"
            "    global count\n"
            "    count += 1\n"
            "    if count == 4:\n"
            f"        with open({str(home.root / 'logs/somebody-elses')!r}, 'wb', buffering=0) as file:\n"
            "            try:\n"
            "                while True: file.write(bytes(4096))\n"
            "            except OSError: pass\n"
            f"        Path({str(marker)!r}).touch()\n"
            "    return announced(*a, **k)\n"
            "c.TrainerLoggingCallback.on_step_end = filling\n"
            "sys.argv = ['inft.trainer', str(run.path)]\n"
            "from inft.trainer import main\n"
            "log = os.open(run.console_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)\n"
            "os.dup2(log, 1); os.dup2(log, 2)\n"
            "sys.exit(main())\n"
        )
        script.write_text(
            f"mount -t tmpfs -o size=1M none {home.root}/logs || exit 99\n"
            f"{sys.executable} -c {shlex.quote(program)}\n"
            f"code=$?; cp -r {home.root}/logs {results}; exit $code\n"
        )
        done = subprocess.run(
            ["unshare", "-Urm", "sh", str(script)],
            env=home.environment,
            cwd=REPOSITORY,
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == 7, done.stdout + done.stderr
        assert marker.exists()
        (folder,) = (path for path in results.iterdir() if path.is_dir())
        self.check_ended_for_the_log(home, RunDirectory(folder))

    def check_ended_for_the_log(self, home: Home, run: RunDirectory) -> None:
        status = status_of(run)
        assert status.cause is not None
        assert (status.state, status.exit_code, status.cause.kind) == ("failed", 7, "disk")
        events = events_of(run)  # each line of it whole
        assert [event["event"] for event in events][-2:] == ["alert", "train_end"]
        (saved,) = complete_checkpoints(home.root / "outputs/demo_llama/checkpoints")
        assert saved.step == status.step
        assert f"step {saved.step}" in status.cause.fix
        assert not run.reserve.exists()

    @pytest.mark.slow
    def test_of_the_outputs(self, home: Home, tmp_path: Path) -> None:
        """A small disk for the checkpoints, with room for one and a half."""
        if not can_mount():
            pytest.skip("unshare may not mount a tmpfs here")
        run = home.create("demo_llama", "sft.save_steps=1", "sft.max_steps=5", "sft.save_total_limit=5")
        outputs, results = home.root / "outputs/demo_llama/checkpoints", tmp_path / "results"
        outputs.mkdir(parents=True)
        script = tmp_path / "session.sh"
        script.write_text(
            f"mount -t tmpfs -o size=4M none {outputs} || exit 99\n"
            f"{sys.executable} -P -m inft.trainer {run.path} > {run.console_log} 2>&1\n"
            f"code=$?; cp -r {outputs} {results}; exit $code\n"
        )
        environment = {**home.environment, "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run(["unshare", "-Urm", "sh", str(script)], env=environment, capture_output=True, timeout=120)
        assert done.returncode == 7, done.stdout + done.stderr
        status = status_of(run)
        assert status.cause is not None
        assert (status.state, status.cause.kind) == ("failed", "disk")
        whole = complete_checkpoints(results)
        assert [found.step for found in whole] == list(range(1, len(whole) + 1))
        assert [event["global_step"] for event in events_of(run, "checkpoint")] == [found.step for found in whole]
        assert whole, "not even one fitted"
        left = {path.name for path in results.iterdir()} - {".inft.lock"}
        assert left == {found.path.name for found in whole}


REPOSITORY = Path(__file__).resolve().parents[2]


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True)
    return tried.returncode == 0
