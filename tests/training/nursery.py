"""Processes that need not load the libraries first: forks of one process that has loaded them, and run nothing.

A fork's globals, threads, signals, streams and session are those of a new process. What only a process from scratch
can show (libraries that do not load, a stop while they do, what Python and libc look at when they start) takes one.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path
from types import ModuleType
from typing import Literal

from inft.loading import quick_loading
from inft.trainer import load_pipeline

REPOSITORY = Path(__file__).resolve().parents[2]
LONGEST_REQUEST = 1 << 17  # bytes
LOOKED_AT_ONCE = ("PYTHON", "LC_", "LANG", "LD_")
"""How variables begin that are looked at when a process starts, and never again."""


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

    def wait(self, timeout: float | None = None) -> int:
        """As `poll`, once it has ended; at the latest after so many seconds."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _ended(self, timeout: float | None) -> int | None:
        if self._code is None and select.select([self._lines], [], [], timeout)[0]:
            self._code = int(self._lines.readline())
            self._lines.close()
        return self._code


class Nursery:
    """The process that is forked, started when it is first needed.

    Args:
        loaded: by it: what trains, or the commands of `inft-tui`.
    """

    def __init__(self, loaded: Literal["training", "commands"] = "training") -> None:
        self._loaded = loaded
        self._requests: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._environment: Mapping[str, str] = {}

    def start(
        self,
        program: str,
        environment: Mapping[str, str],
        cwd: Path,
        output: int,
        *,
        errors: int | None = None,
        stdin: int | None = None,
    ) -> Forked:
        """Runs Python statements in a process and session of their own.

        Args:
            program: the statements.
            environment: all of its environment; libraries that look when they are loaded saw this process's.
            cwd: where it runs.
            output: descriptor for stdout.
            errors: descriptor for stderr; None = for both the same.
            stdin: its descriptor; None = it is empty.
        """
        self._start()
        assert self._requests is not None
        request = json.dumps([program, dict(environment), str(cwd)]).encode()
        assert len(request) < LONGEST_REQUEST
        mine, theirs = socket.socketpair()
        with mine, theirs, open(os.devnull) as nothing:
            streams = [nothing.fileno() if stdin is None else stdin, output, output if errors is None else errors]
            socket.send_fds(self._requests, [request], [theirs.fileno(), *streams])
            theirs.close()
            return Forked(mine)

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], timeout_s: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Python with arguments from `-m` or `-c` on, in this folder, its output caught; its stdin is empty."""
        (output, out), (errors, err) = os.pipe(), os.pipe()
        process = self.start(program_of(arguments), environment, Path.cwd(), out, errors=err)
        os.close(out)
        os.close(err)
        end, said, left = time.monotonic() + timeout_s, {output: b"", errors: b""}, {output, errors}
        while left:
            ready = select.select([*left], [], [], max(0.0, end - time.monotonic()))[0]
            if not ready:
                process.kill()
                raise subprocess.TimeoutExpired([*arguments], timeout_s, said[output], said[errors])
            for descriptor in ready:
                data = os.read(descriptor, 1 << 16)
                said[descriptor] += data
                if not data:
                    os.close(descriptor)
                    left.remove(descriptor)
        code = process.wait(max(0.0, end - time.monotonic()))
        texts = (io.TextIOWrapper(io.BytesIO(data), "utf-8").read() for data in said.values())
        return subprocess.CompletedProcess([*arguments], code, *texts)

    def fits(self, environment: Mapping[str, str]) -> bool:
        """Whether a fork is in this environment what a process from scratch would be.

        The modules of this checkout are found in both, whether PYTHONPATH names it or not.
        """
        self._start()
        plain = {"PYTHONPATH": str(REPOSITORY)}
        one, other = plain | dict(environment), plain | dict(self._environment)
        return all(one.get(name) == other.get(name) for name in {*one, *other} if name.startswith(LOOKED_AT_ONCE))

    def _start(self) -> None:
        if self._requests is not None:
            return
        self._environment = {**os.environ, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.training.nursery", str(theirs.fileno()), self._loaded],
                cwd=REPOSITORY,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def close(self) -> None:
        """Ends the process that is forked; the forks go on."""
        if self._requests is not None and self._process is not None:
            self._requests.close()
            self._process.wait()


def program_of(arguments: Sequence[str]) -> str:
    """The statements that `python -m MODULE` or `python -c STATEMENTS` with arguments of its own would execute."""
    option, what, *own = arguments
    assert option in ("-m", "-c")
    program = f"import sys\nsys.argv[1:] = {own!r}\n"
    if option == "-c":
        return program + what
    return f"{program}import runpy\nrunpy.run_module({what!r}, run_name='__main__', alter_sys=True)\n"


def serve(requests: socket.socket) -> tuple[str, dict[str, str], str]:
    """Forks at each request and returns, with what to run, in the fork; ends this process when nobody can ask."""
    signal.signal(signal.SIGCHLD, _reap)  # the forks' keepers
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, LONGEST_REQUEST, 4)
        if not request:
            sys.exit()
        if os.fork() == 0:
            break
        for descriptor in descriptors:
            os.close(descriptor)
    # The keeper, which stays until the fork has ended and says how.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    requests.close()
    channel, *streams = descriptors
    pid = os.fork()
    if pid:
        os.write(channel, f"{pid}\n".encode())
        for descriptor in streams:
            os.close(descriptor)
        os.write(channel, f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())
        os._exit(0)
    os.setsid()
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    for descriptor in descriptors:
        os.close(descriptor)
    program, environment, cwd = json.loads(request)
    return program, environment, cwd


def _reap(*_: object) -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def load_commands() -> None:
    """Imports the commands of `inft-tui`, and with them everything that is not torch."""
    with quick_loading():
        from inft_tui.command_line import app

        for path in (REPOSITORY / "inft_tui" / "commands").glob("[!_]*.py"):
            importlib.import_module(f"inft_tui.commands.{path.stem}")
        importlib.import_module("inft.readiness.hub_asking")
        # Half of what Typer loads it loads at the first command line.
        with redirect_stdout(io.StringIO()), suppress(SystemExit):
            app(["--version"], prog_name="inft-tui")


LOADING: dict[str, Callable[[], object]] = {"training": load_pipeline, "commands": load_commands}


def renew_streams() -> None:
    """Has stdin, stdout and stderr be what they are at the start of a process that has these descriptors."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        stream = open(  # noqa: SIM115 - until the process ends
            descriptor,
            "w" if descriptor else "r",
            buffering=1 if descriptor == 2 or os.isatty(descriptor) else -1,
            encoding=getattr(sys, name).encoding,
            errors="backslashreplace" if descriptor == 2 else "strict",
            closefd=False,
        )
        stream.reconfigure(write_through=bool(descriptor and os.environ.get("PYTHONUNBUFFERED")))
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def main() -> None:
    LOADING[sys.argv[2]]()  # what takes seconds

    assert threading.active_count() == 1, "a fork would have no thread but the one that forks"
    program, environment, cwd = serve(socket.socket(fileno=int(sys.argv[1])))
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    renew_streams()
    # As `python -c` has it. A spawned data worker loads the file of its parent's main module, if that has one.
    sys.argv, sys.path[0] = ["-c"], ""
    sys.modules["__main__"] = ModuleType("__main__")
    exec(compile(program, "<string>", "exec"), vars(sys.modules["__main__"]))


if __name__ == "__main__":
    main()
