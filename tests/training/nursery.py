"""Trainer processes that need not load the libraries first: forks of one process that has loaded them, and run nothing.

A fork's globals, threads, signals, streams and session are those of a new process. What only a process from scratch
can show (libraries that do not load, a stop while they do) takes one: `Home.trainer`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from inft.trainer import load_pipeline

REPOSITORY = Path(__file__).resolve().parents[2]
LONGEST_REQUEST = 1 << 17  # bytes


class Forked:
    """A forked process; as far as it goes, what `subprocess.Popen` is for one of its own.

    Args:
        channel: says its number, and later its return code.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._lines = channel.makefile("r")
        self.pid = int(self._lines.readline())
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its return code, below 0 for a signal; None = it runs."""
        return self._ended(0)

    def wait(self, timeout: float) -> int:
        """As `poll`, once it has ended; at the latest after so many seconds."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _ended(self, timeout: float) -> int | None:
        if self._code is None and select.select([self._lines], [], [], timeout)[0]:
            self._code = int(self._lines.readline())
            self._lines.close()
        return self._code


class Nursery:
    """The process that is forked, started when it is first needed."""

    def __init__(self) -> None:
        self._requests: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, program: str, environment: Mapping[str, str], cwd: Path, output: int) -> Forked:
        """Runs Python statements in a process and session of their own, whose stdin is empty.

        Args:
            program: the statements.
            environment: all of its environment; libraries that look when they are loaded saw this process's.
            cwd: where it runs.
            output: descriptor of the file for stdout and stderr.
        """
        if self._requests is None:
            self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.training.nursery", str(theirs.fileno())],
                    cwd=REPOSITORY,
                    env={**os.environ, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
        request = json.dumps([program, dict(environment), str(cwd)]).encode()
        assert len(request) < LONGEST_REQUEST
        mine, theirs = socket.socketpair()
        with mine, theirs:
            socket.send_fds(self._requests, [request], [theirs.fileno(), output])
            theirs.close()
            return Forked(mine)

    def close(self) -> None:
        """Ends the process that is forked; the forks go on."""
        if self._requests is not None and self._process is not None:
            self._requests.close()
            self._process.wait()


def serve(requests: socket.socket) -> tuple[str, dict[str, str], str]:
    """Forks at each request and returns, with what to run, in the fork; ends this process when nobody can ask."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks' keepers
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, LONGEST_REQUEST, 2)
        if not request:
            sys.exit()
        if os.fork() == 0:
            break
        for descriptor in descriptors:
            os.close(descriptor)
    # The keeper, which stays until the fork has ended and says how.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    requests.close()
    channel, output = descriptors
    pid = os.fork()
    if pid:
        os.write(channel, f"{pid}\n".encode())
        os.close(output)
        os.write(channel, f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())
        os._exit(0)
    os.setsid()
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for descriptor in descriptors:
        os.close(descriptor)
    program, environment, cwd = json.loads(request)
    return program, environment, cwd


def main() -> None:
    load_pipeline()  # what takes seconds

    assert threading.active_count() == 1, "a fork would have no thread but the one that forks"
    program, environment, cwd = serve(socket.socket(fileno=int(sys.argv[1])))
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    # As `python -c` has it. A spawned data worker loads the file of its parent's main module, if that has one.
    sys.argv, sys.path[0] = ["-c"], ""
    sys.modules["__main__"] = ModuleType("__main__")
    exec(compile(program, "<string>", "exec"), vars(sys.modules["__main__"]))


if __name__ == "__main__":
    main()
