"""Runs the real program, over pipes or over a pseudo-terminal."""

from __future__ import annotations

import atexit
import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from inft.machine.processes import ProcessId, is_alive
from inft.runs.directory import RunDirectory
from inft.runs.status import Status, read_status
from tests.training.nursery import Forked, Nursery, program_of

COMMANDS = Nursery("commands")
"""Where commands are forked that need not load the command line."""

atexit.register(COMMANDS.close)

COMMAND = (sys.executable, "-m", "inft_tui")

HEADLESS = """
import os, sys
from inft_tui.commands.headless import Request, run
from inft_tui.edge import exit_code_of
from inft_tui.terminal import open_missing_streams, tolerate_any_text
open_missing_streams()
tolerate_any_text()
options = sys.argv[1:]
flags = {option: f"--{option}" in options for option in ("detach", "force")}
request = Request("small", (), sys.argv, as_json="--json" in options, **flags)
module = os.environ.get("TRAINER", "tests.runs.stand_in")
sys.exit(exit_code_of(lambda: run(request, module=module), as_json=request.as_json))
"""
"""`inft-tui --headless --profile small`, with the stand-in as its trainer."""

RESUME = """
import os, sys
from inft_tui.commands.resume import Request, run
from inft_tui.edge import exit_code_of
from inft_tui.terminal import tolerate_any_text
tolerate_any_text()
name, *options = sys.argv[1:]
flags = {option: f"--{option}" in options for option in ("force", "detach")}
request = Request(name, [], sys.argv, as_json="--json" in options, dry_run="--dry-run" in options, **flags)
sys.exit(exit_code_of(lambda: run(request, None, module="tests.runs.stand_in"), as_json=request.as_json))
"""
"""`inft-tui resume NAME`, with the stand-in as its trainer."""

CONTROLLED = "import fcntl, termios\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
"""Statements of a session's first process that make stdin the terminal that it hears from."""

SAVING = "tests.inft_tui.saving"
"""A stand-in that saves real checkpoints, for the variable TRAINER."""


def inft_tui(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command, over pipes."""
    return over_pipes([*COMMAND, *arguments], env)


def headless(*options: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A headless run of the stand-in, over pipes."""
    return over_pipes([sys.executable, "-c", HEADLESS, *options], env)


def resume(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A resumed run of the stand-in, over pipes."""
    return over_pipes([sys.executable, "-c", RESUME, *arguments], env)


def started(behaviour: str = "slow", **env: str) -> RunDirectory:
    """A run of the stand-in that was left to itself and trains by now."""
    done = headless("--detach", env={"STAND_IN": behaviour, **env})
    assert done.returncode == 0, done.stderr
    run = RunDirectory(Path(os.environ["INFT_HOME"]) / "logs" / done.stdout.split()[-1])
    wait_for(run, "training")
    return run


def wait_for(run: RunDirectory, state: str) -> Status:
    """The status of a run once it is in `state`."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        status = read_status(run.status_json)
        if status is not None and status.state == state:
            return status
        time.sleep(0.05)
    raise AssertionError(f"{run.run_id} never was {state}")


def kill(run: RunDirectory, *victims: str) -> None:
    """SIGKILL to its `supervisor`, to its `trainer`, or to one after the other."""
    status = read_status(run.status_json)
    assert status is not None
    for victim in victims:
        process: ProcessId | None = vars(status.pids)[victim]
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        end = time.monotonic() + 10
        while is_alive(process):
            assert time.monotonic() < end
            time.sleep(0.01)


def over_pipes(command: Sequence[str], env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Python with arguments, forked where nobody can tell the difference, its output caught."""
    environment = {**os.environ, **(env or {})}
    if COMMANDS.fits(environment):
        return COMMANDS.run(command[1:], environment)
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env=environment, timeout=60, check=False
    )


class Terminal:
    """A program on a terminal of its own.

    Args:
        command: the program and its arguments.
        columns, rows: of the window.
        env: beside this process's environment.
        nursery: forks it where it is Python and nobody can tell the difference.
    """

    def __init__(
        self,
        *command: str,
        columns: int = 80,
        rows: int = 24,
        env: dict[str, str] | None = None,
        nursery: Nursery = COMMANDS,
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        plain = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
        environment = {**plain, "TERM": "xterm-256color", **(env or {})}
        self.process: subprocess.Popen[bytes] | Forked
        if command[0] == sys.executable and nursery.fits(environment):
            program = CONTROLLED + program_of(command[1:])
            self.process = nursery.start(program, environment, Path.cwd(), slave, stdin=slave)
        else:
            self.process = subprocess.Popen(
                command,
                stdin=slave,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
                env=environment,
            )
        os.close(slave)
        self.output = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a read can end within a character

    def read_until(self, text: str, timeout_s: float = 30.0) -> None:
        """Reads on until `text` was printed."""
        end = time.monotonic() + timeout_s
        while text not in self.output:
            assert time.monotonic() < end, f"{text!r} did not come; so far: {self.output!r}"
            self.read(0.1)

    def type(self, text: str) -> None:
        """Presses keys."""
        os.write(self._master, text.encode())

    def wait(self, timeout_s: float = 30.0) -> int:
        """Reads to the end and gives the exit code."""
        end = time.monotonic() + timeout_s
        while self.read(0.1) or self.process.poll() is None:
            assert time.monotonic() < end, f"no end; so far: {self.output!r}"
        os.close(self._master)
        return self.process.wait()

    @property
    def text(self) -> str:
        """What was printed, without escape sequences."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.output)

    def read(self, timeout_s: float) -> bool:
        """Reads what comes within `timeout_s`; False when nothing did, or when there is nothing more to come."""
        ready, _, _ = select.select([self._master], [], [], timeout_s)
        if not ready:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux's way to say that the program has let go of the terminal
            return False
        self.output += self._decoder.decode(data)
        return bool(data)

    def vanish(self) -> None:
        """Takes the terminal away, as a lost connection does: the kernel sends the hang-up."""
        os.close(self._master)


def only_run(project: Path) -> RunDirectory:
    """The only run of a project."""
    (found,) = (path for path in (project / "logs").iterdir() if path.is_dir())
    return RunDirectory(found)
