"""What the console does to runs: it runs the very command that a person would type, and tells what that said."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inft.errors import ExitCode
from inft.runs.control import pending
from inft.runs.directory import RunDirectory
from inft.runs.visible import visible

PROGRAM = (sys.executable, "-P", "-m", "inft_tui")
"""What `inft-tui` is, for this Python."""
_OPTIONS = {"resume": ("--detach",)}
_ONLY_WAITING = frozenset({"save", "stop"})
"""Once asked for, these happen by themselves; abort has more to do, and resume starts something."""
_UNDER_WAY = {
    "save": "{run} saves after this step …",
    "stop": "{run} saves and ends after this step …",
    "abort": "Ending {run} …",
    "resume": "Going on with {run} …",
}


@dataclass(frozen=True)
class Outcome:
    """How a deed ended.

    Attributes:
        text: what the command said, in one line.
        went_well: whether it did what it was asked to.
    """

    text: str
    went_well: bool


class Deeds:
    """Commands under way.

    Attributes:
        starting: what a run is being started of, safe to show; empty = none is.

    Args:
        say: told what is being done and how it ended; also from other threads.
    """

    def __init__(self, say: Callable[[Outcome], None]) -> None:
        self._say = say
        self.starting = ""
        self._under_way: set[tuple[str, Path]] = set()
        self._waiting: list[tuple[subprocess.Popen[str], str, RunDirectory]] = []

    def begin(self, request: str, run: RunDirectory, resumed: Callable[[str], None] | None = None) -> None:
        """Does it, without waiting for it; once at a time, however often it is asked for.

        Args:
            request: save, stop, abort or resume.
            run: which run.
            resumed: told, in another thread, the id of the run that goes on with it.
        """
        deed = (request, run.path)
        if deed in self._under_way:
            self._say(Outcome(f"{visible(run.run_id)} was already asked to {request}.", went_well=True))
            return
        self._under_way.add(deed)
        self._say(Outcome(_UNDER_WAY[request].format(run=visible(run.run_id)), went_well=True))
        threading.Thread(target=self._do, args=(request, run, resumed), name=request, daemon=True).start()

    def start(
        self,
        words: Sequence[str],
        name: str,
        ended: Callable[[str], None],
        refused: Callable[[str], None] | None = None,
    ) -> None:
        """Starts a run, without waiting for it.

        Args:
            words: the command that does it, as a person would type it.
            name: what it is a run of, to be told.
            ended: told, in another thread, the run's id; empty if it was refused.
            refused: told before that, if it was, all that the command said; else only one line is made of it.
        """
        self.starting = visible(name)
        self._say(Outcome(f"Starting {self.starting} …", went_well=True))
        threading.Thread(target=self._start, args=(words, ended, refused), name="start", daemon=True).start()

    def end_waiting(self) -> None:
        """Ends those that only wait for a run to honour what they have asked; it does so without them.

        One that has not asked yet goes on until the run has heard it.
        """
        for process, request, run in self._waiting:
            if request in pending(run):
                process.terminate()

    def _start(self, words: Sequence[str], ended: Callable[[str], None], refused: Callable[[str], None] | None) -> None:
        run_id = ""
        try:
            process = _start([*PROGRAM, *words[1:]])
            said, complained = process.communicate()
            run_id = said.split()[-1] if process.returncode == ExitCode.FINISHED and said.split() else ""
            text = one_line(complained) or f"`{words[0]}` ended with code {process.returncode}."
            self._say(Outcome(f"Started {visible(run_id)}." if run_id else text, went_well=bool(run_id)))
            if refused is not None and not run_id:
                refused(complained.removeprefix("error: ") if complained.strip() else text)
        except OSError as error:
            self._say(not_started("start", error))
        finally:
            self.starting = ""
            ended(run_id)

    def _do(self, request: str, run: RunDirectory, resumed: Callable[[str], None] | None) -> None:
        try:
            self._say(self._done(request, run, resumed))
        except OSError as error:
            self._say(not_started(request, error))
        finally:
            self._under_way.discard((request, run.path))

    def _done(self, request: str, run: RunDirectory, resumed: Callable[[str], None] | None) -> Outcome:
        process = _start(command_line(request, run))
        waits = (process, request, run)
        if request in _ONLY_WAITING:
            self._waiting.append(waits)
        said, complained = process.communicate()
        if request in _ONLY_WAITING:
            self._waiting.remove(waits)
        went_well = process.returncode == ExitCode.FINISHED
        if request == "resume" and went_well and said.split():
            run_id = said.split()[-1]
            if resumed is not None:
                resumed(run_id)
            return Outcome(f"Going on as {visible(run_id)}.", went_well)
        text = one_line(said if went_well and said.strip() else complained)
        return Outcome(text or f"`inft-tui {request}` ended with code {process.returncode}.", went_well)


def command_line(request: str, run: RunDirectory) -> list[str]:
    """The command, for this Python."""
    return [*PROGRAM, request, str(run.path.absolute()), *_OPTIONS.get(request, ())]


def _start(command: Sequence[str]) -> subprocess.Popen[str]:
    """Starts a command in a session of its own: a terminal that hangs up must not end it halfway."""
    package = Path(__file__).resolve().parent.parent
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(package))))
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": path},
    )


def not_started(what: str, error: OSError) -> Outcome:
    """Says that no process could be made for it."""
    reason = (error.strerror or str(error)).lower()
    return Outcome(f"`inft-tui {what}` could not be run: {reason}. Free memory, or try it in a shell.", went_well=False)


def one_line(said: str) -> str:
    r"""What a command printed, as one line.

    >>> one_line("error: It has ended.\n  `inft-tui status x` tells more.\n")
    'It has ended. `inft-tui status x` tells more.'
    """
    text = " ".join(part.strip() for part in said.splitlines() if part.strip())
    return visible(text.removeprefix("error: "))
