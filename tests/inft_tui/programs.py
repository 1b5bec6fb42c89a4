"""Runs the real program, over pipes or over a pseudo-terminal."""

from __future__ import annotations

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
from pathlib import Path

COMMAND = (sys.executable, "-m", "inft_tui")

HEADLESS = """
import sys
from inft_tui.commands.headless import Request, run
from inft_tui.edge import exit_code_of
from inft_tui.terminal import tolerate_any_text
tolerate_any_text()
options = sys.argv[1:]
request = Request("small", (), sys.argv, as_json="--json" in options, detach="--detach" in options)
sys.exit(exit_code_of(lambda: run(request, module="tests.runs.stand_in"), as_json=request.as_json))
"""
"""`inft-tui --headless --profile small`, with the stand-in as its trainer."""


def inft_tui(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command, over pipes."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, **(env or {})},
        timeout=60,
        check=False,
    )


def headless(*options: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A headless run of the stand-in, over pipes."""
    return subprocess.run(
        [sys.executable, "-c", HEADLESS, *options],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, **(env or {})},
        timeout=60,
        check=False,
    )


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *command: str, columns: int = 80, rows: int = 24, env: dict[str, str] | None = None) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        plain = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**plain, "TERM": "xterm-256color", **(env or {})},
        )
        os.close(slave)
        self.output = ""

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
        self.output += data.decode("utf-8", "replace")
        return bool(data)


def only_run(project: Path) -> Path:
    """The folder of the only run of a project."""
    (found,) = (path for path in (project / "logs").iterdir() if path.is_dir())
    return found


def stop(pid: int) -> None:
    """Ends a trainer that a command left running."""
    os.kill(pid, signal.SIGTERM)
