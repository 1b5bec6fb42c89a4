"""Questions about this machine that may take long or hang, and what was answered last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from inft.errors import InftError
from inft.machine.cards import Cards
from inft.readiness.check import Check, amber
from inft_tui.worker import Worker

_Answer = TypeVar("_Answer")


class Look(Generic[_Answer]):
    """One question, asked again and again in a thread of its own, so that nothing else waits for its answer.

    Attributes:
        answer: the newest; None = none yet.

    Args:
        question: may take as long as it likes; raises nothing.
        worker: the thread.
        period_s: seconds from an answer to the next question.
        answered: told when there is another answer.
    """

    def __init__(
        self,
        question: Callable[[], _Answer],
        worker: Worker,
        period_s: Callable[[_Answer], float],
        answered: Callable[[], None],
    ) -> None:
        self.answer: _Answer | None = None
        self._question = question
        self._worker = worker
        self._period_s = period_s
        self._answered = answered
        self._asked_at: float | None = None
        self._due_at = float("-inf")
        self._now = 0.0

    @property
    def waiting_s(self) -> float:
        """Since when an answer is waited for, in seconds up to the last `poll`; 0 = for none."""
        return 0.0 if self._asked_at is None else self._now - self._asked_at

    def poll(self, now: float) -> None:
        """Asks if it is time to.

        Args:
            now: seconds on a clock that only moves on.
        """
        self._now = now
        if self._asked_at is None and now >= self._due_at:
            self._asked_at = now
            self._worker.ask(self._question, self._take)

    def again(self) -> None:
        """Has it asked at the next `poll`."""
        self._due_at = float("-inf")

    def _take(self, answer: _Answer) -> None:
        self._asked_at = None
        self._due_at = self._now + self._period_s(answer)
        if answer != self.answer:
            self.answer = answer
            self._answered()


@dataclass(frozen=True)
class GpuSight:
    """The GPUs and who is on them.

    Attributes:
        cards: what the driver says.
        names: of the programs, by number, as far as they can be seen from here.
    """

    cards: Cards
    names: Mapping[int, str] = field(default_factory=dict)


def look_at_gpus(module: str = "inft.machine.cards") -> GpuSight:
    """Has a process ask the driver, for a few seconds at the most.

    Args:
        module: the program that asks.
    """
    from inft.readiness.checks import look_at_cards  # 60 ms that only this screen and Launch take

    cards = look_at_cards(module=module)
    return GpuSight(cards, _names([holder.pid for card in cards.usable for holder in card.holders]))


def look_at_lights(root: Path) -> tuple[Check, ...]:
    """The lights of this machine that have something to tell.

    Args:
        root: the project's root.
    """
    from inft.readiness.checks import check_all

    try:
        ready = check_all(None, root)
    except InftError as error:
        return (amber("checks", error.message, error.fix),)
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        return (amber("checks", f"The checks could not be made: {words}.", "`inft-tui doctor` tries again."),)
    return tuple(check for check in ready.checks if check.name not in ready.unasked)


def _names(pids: Sequence[int]) -> dict[int, str]:
    """Names of those that can be seen from here."""
    found = {}
    for pid in pids:
        try:
            found[pid] = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            continue  # it has ended, or is in another container
    return found
