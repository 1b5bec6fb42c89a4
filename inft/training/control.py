"""What a run is asked for while it goes on: to save, to stop, to end now; by a signal or by a file in `control/`.

SIGTERM (a scheduler's preemption, `kill`) and SIGINT (Ctrl-C) mean stop: while training, at the next optimiser step and
with a checkpoint; before and after, at once. SIGUSR1 means save, SIGHUP means nothing. Nothing here needs torch, so
that a run can be stopped in the seconds that loading it takes.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Protocol, TypeAlias

from inft.errors import DiskError, InftError
from inft.runs import control as requests
from inft.runs import events
from inft.runs.control import Request
from inft.runs.directory import RunDirectory
from inft.runs.endings import way_on
from inft.runs.find import reference
from inft.runs.jsonl import Record
from inft.runs.saved import last_checkpoint

POLL_S = 0.5
"""How often the folder of requests is looked at."""

INSIST_S = 2.0
"""A stop that a library swallowed (an exception in a destructor is only printed) is repeated after this time."""

_PLANS: dict[Request, str] = {
    "save": "It will save at the end of this step and go on.",
    "stop": "It will end at the end of this step, with a checkpoint.",
    "abort": "It ends now, without a checkpoint.",
}


class Told(Protocol):
    """Who hears of requests; `RunReport` is one."""

    def event(self, record: Record) -> None:
        """Writes an event."""

    def aborted(self, message: str, fix: str) -> None:
        """Writes down that the run ends now, whatever else is being written."""


Seen: TypeAlias = tuple[int, int]
"""What tells one request's file from the next one's: its inode and when it was written, in nanoseconds."""


class RunControl:
    """The requests to one run, made to the process that this object was made in.

    Args:
        run: whose `control/` folder is watched.
    """

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._owner = os.getpid()
        self._asked: dict[Request, str] = {}
        self._unsaid: list[tuple[Request, str]] = []
        self._saying = threading.Lock()
        # Between this thread and the watcher. The signal handler, which interrupts this thread, must not need it.
        self._saving = threading.Lock()
        self._taken: Seen | None = None
        self._deferring = True
        self._raised = float("-inf")
        self._closed = threading.Event()
        self._watcher: threading.Thread | None = None
        self._told: Told | None = None

    @property
    def stop(self) -> str | None:
        """Who asked for an early end, as in "by SIGTERM"; None = nobody did."""
        return self._asked.get("stop")

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Takes the signals, which at first are only noted. In the main thread only, which is where they arrive."""
        handlers: dict[signal.Signals, Any] = {
            signal.SIGTERM: self._signalled,
            signal.SIGINT: self._signalled,
            signal.SIGUSR1: self._signalled,
            signal.SIGHUP: signal.SIG_IGN,
        }
        previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        # Whoever started this process may have blocked them until somebody listens.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, handlers)
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    @contextmanager
    def watching(self, told: Told) -> Iterator[None]:
        """Looks at the folder of requests from a thread, and lets `told` know who asked for what.

        At the end, requests that nobody can honour any more are taken away.
        """
        self._told = told
        self._watcher = threading.Thread(target=self._watch, name="inft-control", daemon=True)
        self._watcher.start()
        try:
            yield
        finally:
            self._closed.set()
            self._watcher.join(timeout=INSIST_S)
            with suppress(DiskError):
                self.say()
            for request in requests.pending(self._run):
                with suppress(DiskError):
                    requests.done(self._run, request)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """In here a stop is honoured at once, by a KeyboardInterrupt; everywhere else it is only noted.

        Raises:
            KeyboardInterrupt: somebody asks for it, or did before.
        """
        self._deferring = False
        try:
            self._raise_if_stopped()
            yield
        finally:
            self._deferring = True

    def defer(self) -> None:
        """From here to the end of `interruptible`, a stop is only noted, for whoever reads `stop`.

        Raises:
            KeyboardInterrupt: somebody asked for it before.
        """
        self._deferring = True
        self._raise_if_stopped()

    def take_save(self) -> bool:
        """Whether a checkpoint is to be written now; what is asked from here on is asked anew."""
        with self._saving:
            if self._asked.pop("save", None) is None:
                return False
            self._taken = self._seen("save") or self._taken
            return True

    def saved(self) -> None:
        """A checkpoint is complete, and with it what was taken on."""
        with self._saving:
            # Whoever asked again since then has not got their checkpoint yet.
            if self._taken is not None and self._seen("save") == self._taken:
                with suppress(DiskError):  # what cannot be deleted is still known by `_taken`
                    requests.done(self._run, "save")

    def _raise_if_stopped(self) -> None:
        if self.stop is not None:
            raise KeyboardInterrupt

    def say(self) -> None:
        """Lets everybody know at once what was asked for; otherwise it takes up to `POLL_S`.

        Raises:
            DiskError: the log cannot be written.
        """
        with self._saying:
            while self._unsaid and self._told is not None:
                request, by = self._unsaid.pop(0)
                message = f"Asked to {request} {by}."
                self._told.event(events.alert(level="info", kind=request, message=message, fix=_PLANS[request]))

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._owner:
            # A process that some library forks inherits this handler. Who forked it ends it: Ctrl-C is not for it.
            if number == signal.SIGTERM:
                os._exit(128 + number)
            return
        if number == signal.SIGUSR1:
            self._note("save", "by SIGUSR1")
            return
        self._note("stop", f"by {signal.Signals(number).name}")
        if not self._deferring and time.monotonic() - self._raised >= INSIST_S:
            self._raised = time.monotonic()
            raise KeyboardInterrupt

    def _note(self, request: Request, by: str) -> None:
        # No event from here: the signal may have come while one is being written.
        if request not in self._asked:
            self._asked[request] = by
            self._unsaid.append((request, by))

    def _watch(self) -> None:
        while True:
            self._look()
            if self._closed.wait(POLL_S):
                return

    def _look(self) -> None:
        pending = requests.pending(self._run)
        if "abort" in pending:
            self._abort()
        with self._saving:
            save = self._seen("save")
            if save is not None and save != self._taken:
                self._note("save", self._by("save"))
        if "stop" in pending:
            self._note("stop", self._by("stop"))
        if self.stop is not None and not self._deferring and not self._closed.is_set():
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        with suppress(DiskError):
            self.say()

    def _seen(self, request: Request) -> Seen | None:
        try:
            found = (self._run.control / request).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _by(self, request: Request) -> str:
        found = requests.asker(self._run, request)
        if found is None:
            return "by a file in control/"
        user = f"{found.user} on " if found.user else ""
        return f"by {user}{found.host} (process {found.pid})"

    def _abort(self) -> None:
        if self._told is not None:
            self._told.aborted(f"Aborted {self._by('abort')}.", self._way_on())
            with suppress(DiskError):
                requests.done(self._run, "abort")
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpgrp(), signal.SIGKILL)
        # In a terminal's or a script's group there are others; our data workers end once we are gone.
        os.kill(os.getpid(), signal.SIGKILL)

    def _way_on(self) -> str:
        try:
            last = last_checkpoint(self._run)
            return way_on(reference(self._run), None if last is None else str(last.path))
        except (InftError, OSError):  # an abort has to work whatever is broken
            return ""
