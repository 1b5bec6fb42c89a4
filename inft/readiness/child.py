"""Programs of ours that may hang, run in a process of their own until a time limit."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inft.runs.launch import own_path


@dataclass(frozen=True)
class Outcome:
    """How it ended.

    Attributes:
        code: its exit code, negative for a signal; None = it was still running at the limit.
        stdout: what it printed.
        stderr: the same.
    """

    code: int | None
    stdout: bytes
    stderr: bytes

    @property
    def last_words(self) -> str:
        """The last line on stderr; empty if there is none."""
        lines = [line.strip() for line in self.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1] if lines else ""


class Child:
    """A started program: `python -P -m module arguments`.

    Args:
        module: the program.
        arguments: of its command line.
        environment: what it finds besides ours.

    Raises:
        OSError: no process can be started.
    """

    def __init__(
        self, module: str, arguments: Sequence[str] = (), *, environment: Mapping[str, str] | None = None
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {}), **own_path()},
            start_new_session=True,
        )
        self._began = time.monotonic()

    def outcome(self, limit_s: float) -> Outcome:
        """How it ends, at the latest `limit_s` after its start; then it is killed and left to the kernel.

        A process that a driver holds does not die of being killed, so it is not waited for. Ctrl-C, which does not
        reach its session, ends it as well.
        """
        left_s = max(0.0, self._began + limit_s - time.monotonic())
        try:
            stdout, stderr = self._process.communicate(timeout=left_s)
        except subprocess.TimeoutExpired as expired:
            self._kill()
            for stream in (self._process.stdout, self._process.stderr):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
            return Outcome(None, expired.stdout or b"", expired.stderr or b"")
        except BaseException:
            self._kill()
            raise
        return Outcome(self._process.returncode, stdout, stderr)

    def _kill(self) -> None:
        """With whatever it has started."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
