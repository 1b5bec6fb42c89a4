"""What is done about a request that the trainer does not honour by itself, and when; no clock and no signal in here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias

from inft.params import BasicParams
from inft.runs.control import Request

Deed: TypeAlias = Literal["terminate", "kill"]
"""terminate: SIGTERM to the trainer, which means "stop with a checkpoint". kill: SIGKILL to its whole group."""


@dataclass(frozen=True)
class Patience:
    """How long each step of an escalation waits for its effect, in seconds.

    Attributes:
        ask: from the request to stop until SIGTERM.
        terminate: from SIGTERM until SIGKILL.
        abort: from the request to abort until SIGKILL.
        leave: from the trainer's last word until SIGKILL. A sound one is gone within a second or two; one that hangs
            while it gives back the card keeps memory and folders from the next run, which waits as long for them.
    """

    ask: float = BasicParams.stop_ask_sec
    terminate: float = BasicParams.stop_term_sec
    abort: float = 2.0
    leave: float = 30.0


class Escalation:
    """Follows the requests to one run and says what is due.

    A request once seen stays in force although its file goes: the trainer takes the file away when it honours the
    request, and may still hang after that. Each deed is due once.

    Args:
        patience: the times.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._stop_since: float | None = None
        self._abort_since: float | None = None
        self._terminated_at: float | None = None
        self._ended_since: float | None = None
        self._killed = False
        self._killed_for: Request | None = None

    def due(self, now: float, requests: Collection[Request], *, told: bool, ended: bool = False) -> Deed | None:
        """What is to be done to the trainer now.

        Args:
            now: seconds on a clock that only moves on.
            requests: those that are pending.
            told: whether the supervisor was itself sent SIGTERM or SIGINT, which the trainer gets at once.
            ended: whether the trainer has written its last word and only has to go.
        """
        if self._killed:
            return None
        if ended and self._ended_since is None:
            self._ended_since = now
        if "stop" in requests and self._stop_since is None:
            self._stop_since = now
        if "abort" in requests and self._abort_since is None:
            self._abort_since = now
        if _is_over(self._abort_since, self._patience.abort, now):
            return self._kill("abort")
        if _is_over(self._terminated_at, self._patience.terminate, now):
            return self._kill("stop")
        if _is_over(self._ended_since, self._patience.leave, now):
            return self._kill(None)
        if self._terminated_at is None and (told or _is_over(self._stop_since, self._patience.ask, now)):
            self._terminated_at = now
            return "terminate"
        return None

    def _kill(self, request: Request | None) -> Deed:
        self._killed, self._killed_for = True, request
        return "kill"

    @property
    def killed_for(self) -> Request | None:
        """The request for which the trainer was killed; None = it was not."""
        return self._killed_for

    @property
    def aborting(self) -> bool:
        """Whether somebody asked to abort."""
        return self._abort_since is not None


def _is_over(since: float | None, wait: float, now: float) -> bool:
    return since is not None and now >= since + wait
