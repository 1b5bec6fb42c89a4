"""The guide's own commands, as it writes them, on a tiny checkpoint."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inft.guide_entry import RECIPES
from inft.profiles import resolve
from inft.runs.directory import RunDirectory
from inft.runs.status import read_status
from tests.training.nursery import Forked, Nursery

REPOSITORY = Path(__file__).resolve().parents[1]
TINY = (
    "basic.model_source=tiny",
    "data.source=demo",
    "data.languages=en",
    "data.num_workers=0",
    "sft.gradient_accumulation_steps=2",
    "sft.max_steps=2",
    "sft.logging_steps=1",
)


def environment(home: Path, cache: Path) -> dict[str, str]:
    return {"INFT_HOME": str(home), "INFT_CACHE": str(cache), "PATH": "/usr/bin:/bin", "HOME": str(home)}


def command(start: list[str], home: Path, cache: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    sets = [f"--set={setting}" for setting in settings]
    return subprocess.run(
        [sys.executable, *start, *sets],
        cwd=REPOSITORY,
        env=environment(home, cache),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def forked(
    nursery: Nursery, home: Path, cache: Path, output: int, settings: tuple[str, ...], prelude: str = ""
) -> Forked:
    """As `python -m inft.aya_inft`, spared the seconds in which the libraries are loaded.

    Args:
        nursery: forks it.
        home: the project's root.
        cache: where tiny checkpoints lie.
        output: its stdout and stderr; closed here.
        settings: each of them a `--set`.
        prelude: statements that go first.
    """
    program = (
        f"{prelude}\nimport runpy, sys\nsys.argv[1:] = {[f'--set={setting}' for setting in settings]!r}\n"
        "runpy.run_module('inft.aya_inft', run_name='__main__', alter_sys=True)\n"
    )
    process = nursery.start(program, environment(home, cache), REPOSITORY, output)
    os.close(output)
    return process


@pytest.mark.slow
def test_the_guides_command_trains(tmp_path: Path, cache: Path) -> None:
    done = command(["inft/llama32_inft.py", "--training-mode", "advanced"], tmp_path, cache, *TINY)
    check_told(done, tmp_path, "qlora-lora-llama32-advanced", "llama32/advanced")


@pytest.mark.slow
def test_so_does_the_module(tmp_path: Path, cache: Path, nursery: Nursery) -> None:
    sets = [f"--set={setting}" for setting in TINY]
    done = nursery.run(["-m", "inft.aya_inft", *sets], environment(tmp_path, cache))
    check_told(done, tmp_path, "qlora-lora-aya8b", "aya/basic")


def check_told(done: subprocess.CompletedProcess[str], home: Path, tag: str, best: str) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for said in ("CUDA GPU: none; torch 2.", "BF16: yes", "trainable in", "step 2 of 2, loss", "adapters in"):
        assert said in done.stdout
    assert (home / "outputs" / best / "best/adapter_model.safetensors").is_file()
    link = home / "logs" / f"trainer_{tag}.jsonl"
    assert link.is_symlink()
    events = [json.loads(line)["event"] for line in link.read_text().splitlines()]
    assert events[-1] == "train_end"
    console = (link.resolve().parent / "console.log").read_text()
    assert "trainable in" in console


@pytest.mark.slow
def test_a_failure_is_a_sentence_safe_to_print_and_its_traceback_is_in_the_log(
    tmp_path: Path, cache: Path, nursery: Nursery
) -> None:
    settings = (*TINY, "basic.model_source=folder", f"basic.model_path={tmp_path}/with\x1b[31mred")
    told = tmp_path / "told"
    assert forked(nursery, tmp_path, cache, os.open(told, os.O_WRONLY | os.O_CREAT), settings).wait(60) == 2
    said = told.read_text()
    assert f"failed: There is no folder {tmp_path}/with\\x1b[31mred" in said
    assert "\x1b" not in said
    assert "Traceback" not in said
    (console,) = (tmp_path / "logs").glob("*/console.log")
    assert "Traceback" in console.read_text()


def test_a_run_folder_that_takes_nothing_is_told_on_stderr(tmp_path: Path, cache: Path) -> None:
    """A log folder with room for the run's record, and then no more: the reserve cannot be written."""
    if subprocess.run(["unshare", "-Urm", "true"], capture_output=True).returncode != 0:
        pytest.skip("unshare may not mount a tmpfs here")
    (tmp_path / "logs").mkdir()
    line = f"mount -t tmpfs -o size=48k none {tmp_path}/logs || exit 99; {sys.executable} -m inft.aya_inft"
    done = subprocess.run(
        [
            "unshare",
            "-Urm",
            "sh",
            "-c",
            f"{line} {' '.join(f'--set={setting}' for setting in TINY)}; code=$?;"
            f" cat {tmp_path}/logs/aya*/status.json >&2; exit $code",
        ],
        cwd=REPOSITORY,
        env=environment(tmp_path, cache),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 7, done.stdout + done.stderr
    said, _, status = done.stderr.partition("\n")
    assert "no space left" in said.lower()
    assert json.loads(status)["state"] == "failed"
    assert "Traceback" not in done.stdout + done.stderr


def test_a_wrong_value_is_refused_before_anything_is_made(tmp_path: Path, cache: Path) -> None:
    done = command(["-m", "inft.aya_inft"], tmp_path, cache, "sft.lr=fast")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "sft.lr" in done.stderr
    assert not (tmp_path / "logs").exists()


def test_each_recipe_is_its_familys() -> None:
    for (family, mode), profile in RECIPES.items():
        config = resolve(profile).config
        assert (config.family, config.mode) == (family, mode)


@pytest.mark.slow
@pytest.mark.parametrize("nohup", ["", "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"], ids=["", "nohup"])
def test_training_goes_on_when_its_terminal_hangs_up(nohup: str, tmp_path: Path, cache: Path, nursery: Nursery) -> None:
    terminal, output = pty.openpty()
    prelude = "import fcntl, os, signal, termios\nos.dup2(1, 0)\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n" + nohup
    process = forked(nursery, tmp_path, cache, output, HUNG_UP, prelude)
    hang_up(terminal)
    assert process.wait(60) == 0
    check_hung_up(tmp_path)


HUNG_UP = (*TINY, "sft.max_steps=5", "data.num_workers=1")


def hang_up(terminal: int) -> None:
    """Takes the terminal away once the first of five steps is told of on it."""
    seen = b""
    while b"step 1 of 5" not in seen:
        seen += os.read(terminal, 4096)
    os.close(terminal)


def check_hung_up(home: Path) -> None:
    run = only_run(home)
    status = read_status(run.status_json)
    assert status is not None
    assert (status.state, status.step) == ("finished", 5)
    logs = [event["global_step"] for event in events(run) if event["event"] == "log"]
    assert logs == [1, 2, 3, 4, 5]


@pytest.mark.slow
def test_closed_streams_are_no_reason_to_fail(tmp_path: Path, cache: Path) -> None:
    settings = " ".join(f"--set={setting}" for setting in TINY)
    line = f"{sys.executable} -m inft.aya_inft {settings} <&- >&- 2>&-"
    done = subprocess.run(["bash", "-c", line], cwd=REPOSITORY, env=environment(tmp_path, cache), timeout=200)
    assert done.returncode == 0
    check_trained(tmp_path)


@pytest.mark.slow
def test_a_pipe_that_nobody_reads_is_no_reason_to_fail(tmp_path: Path, cache: Path, nursery: Nursery) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    assert forked(nursery, tmp_path, cache, writing, TINY).wait(60) == 0
    check_trained(tmp_path)


def check_trained(home: Path) -> None:
    run = only_run(home)
    assert [event["event"] for event in events(run)][-1] == "train_end"
    assert "trainable in" in run.console_log.read_text()


@pytest.mark.slow
def test_ctrl_c_stops_with_a_checkpoint(tmp_path: Path, cache: Path, nursery: Nursery) -> None:
    told = tmp_path / "told"
    settings = (*TINY, "sft.max_steps=10000", "sft.num_epochs=1000")
    process = forked(nursery, tmp_path, cache, os.open(told, os.O_WRONLY | os.O_CREAT), settings)
    while "step 2 of" not in told.read_text():
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 130
    said = told.read_text()
    assert "stopped: Stopped by SIGINT after step" in said
    assert "Traceback" not in said
    assert list((tmp_path / "outputs/aya/basic/checkpoints").glob("checkpoint-*"))


def only_run(home: Path) -> RunDirectory:
    (folder,) = (path for path in (home / "logs").iterdir() if path.is_dir())
    return RunDirectory(folder)


def events(run: RunDirectory) -> list[dict[str, object]]:
    return [json.loads(line) for line in run.metrics.read_text().splitlines()]
