"""The real program on a pseudo-terminal of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.pty.screen_model import ScreenModel

PROGRAM = (sys.executable, "-P", "-m", "inft_tui")
PATIENCE_S = 10.0
"""A crowded machine may be slow; what must be quick is measured, not waited for."""

_PLAIN = {"PATH": "/usr/local/bin:/usr/bin:/bin", "TERM": "xterm-256color", "LANG": "C.UTF-8", "COLORTERM": "truecolor"}
_TICK_S = 0.02
_QUIET_S = 0.03


class Terminal:
    """A program in a session of its own, whose terminal is read only while this is asked to.

    Args:
        arguments: of the program.
        columns, rows: of the window.
        env: beside a plain environment; None takes a variable out.
        program: what runs.
        wrapper: what starts it, as in `nohup`.
    """

    def __init__(
        self,
        *arguments: str,
        columns: int = 100,
        rows: int = 30,
        env: dict[str, str | None] | None = None,
        program: Sequence[str] = PROGRAM,
        ignore: Sequence[signal.Signals] = (),
    ) -> None:
        self._master, slave = pty.openpty()
        os.set_blocking(self._master, False)
        self._set_size(columns, rows)
        self.settings_before = termios.tcgetattr(slave)
        self._slave = slave
        self.screen = ScreenModel(columns, rows)
        self.chunks: list[tuple[float, bytes]] = []
        """What came, and when, on the clock of `time.monotonic`."""
        variables: dict[str, str | None] = {**_PLAIN, "HOME": "/nonexistent", **_passed_on(), **(env or {})}

        def begin() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            for number in ignore:
                signal.signal(number, signal.SIG_IGN)

        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*program, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=begin,
            env={name: value for name, value in variables.items() if value is not None},
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._close()

    @property
    def received(self) -> int:
        """Bytes so far."""
        return sum(len(data) for _, data in self.chunks)

    @property
    def output(self) -> str:
        """All that came, as text."""
        return b"".join(data for _, data in self.chunks).decode("utf-8", "replace")

    @property
    def settings(self) -> list[object]:
        """The terminal's line discipline, as `stty` shows it."""
        return termios.tcgetattr(self._slave)

    def read(self, seconds: float, *, at_most: int = 1 << 30) -> int:
        """Reads for that long, as a slow link does no more than `at_most` bytes, and gives how many came."""
        before, end = self.received, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            room = at_most - (self.received - before)
            if room <= 0:
                time.sleep(left)
            elif not self._read_once(left, room) and self.process.poll() is not None:
                break
        return self.received - before

    def wait_until(
        self, condition: Callable[[ScreenModel], bool], what: str = "", timeout_s: float = PATIENCE_S
    ) -> float:
        """Reads until the screen is so, and gives the moment of the last byte that it took."""
        end = time.monotonic() + timeout_s
        while not condition(self.screen):
            assert time.monotonic() < end, f"{what} did not come; the screen:\n{self.screen.text}"
            if not self._read_once(_TICK_S) and self.process.poll() is not None:
                self._read_once(_TICK_S)
                assert condition(self.screen), f"{what} did not come and the program ended:\n{self.output[-3000:]}"
        shown = self.chunks[-1][0] if self.chunks else self.started
        # A drawing comes in pieces; what is asserted next may be in the next one.
        while self._read_once(_QUIET_S):
            pass
        return shown

    def wait_for(self, text: str, timeout_s: float = PATIENCE_S) -> float:
        """Reads until `text` is on the screen."""
        return self.wait_until(lambda screen: text in screen.text, repr(text), timeout_s)

    def wait_gone(self, text: str, timeout_s: float = PATIENCE_S) -> float:
        """Reads until `text` is no longer on the screen."""
        return self.wait_until(lambda screen: text not in screen.text, f"the end of {text!r}", timeout_s)

    def press(self, keys: str) -> float:
        """Types, and gives the moment."""
        now = time.monotonic()
        os.write(self._master, keys.encode())
        return now

    def resize(self, columns: int, rows: int) -> None:
        """The window changes; the kernel tells the program."""
        self.screen.resize(columns, rows)
        self._set_size(columns, rows)

    def hang_up(self) -> float:
        """Takes the terminal away, as a lost connection does, and gives the moment."""
        now = time.monotonic()
        self._close()
        return now

    def signal(self, number: signal.Signals) -> float:
        """Sends a signal to the program, and gives the moment."""
        now = time.monotonic()
        os.kill(self.process.pid, number)
        return now

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Reads to the end and gives the exit code."""
        end = time.monotonic() + timeout_s
        while self.process.poll() is None:
            assert time.monotonic() < end, f"no end; the screen:\n{self.screen.text}"
            if self._master < 0:
                time.sleep(_TICK_S)
            else:
                self._read_once(_TICK_S)
        while self._master >= 0 and self._read_once(0):
            pass
        return self.process.wait()

    def cpu_seconds(self) -> float:
        """Processor time that the program has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        """Memory that the program holds."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf(
            "SC_PAGESIZE"
        )

    def _read_once(self, seconds: float, at_most: int = 1 << 16) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, seconds))
        if not ready:
            return False
        try:
            data = os.read(self._master, min(at_most, 1 << 16))
        except (BlockingIOError, OSError):
            return False
        self.chunks.append((time.monotonic(), data))
        self.screen.feed(data)
        return bool(data)

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _close(self) -> None:
        for descriptor in (self._slave, self._master):
            if descriptor >= 0:
                os.close(descriptor)
        self._master = self._slave = -1


def _passed_on() -> dict[str, str | None]:
    names = ("INFT_HOME", "PYTHONPATH", "STAND_IN", "OMP_NUM_THREADS")
    return {name: os.environ[name] for name in names if name in os.environ}
