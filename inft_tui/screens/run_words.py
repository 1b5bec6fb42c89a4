"""What `inft-tui status` says about a run, looked up apart from the screen and drawn on it."""

from __future__ import annotations

from dataclasses import replace

from inft.errors import InftError
from inft.runs.condition import Condition
from inft.runs.directory import RunDirectory
from inft.runs.inspect import Inspector
from inft_tui.commands.status import TAIL_HEADING, Looker, Picture, lines
from inft_tui.display.spans import EMPTY, Line

_LABEL_COLUMNS = 16
"""Of `status`: two blanks, the label, two blanks."""

AT_A_TIME_BYTES = 1 << 20
"""Of a run's events that are looked through for damage at one look: 5 ms."""


class RunWords:
    """The words about one run.

    Args:
        run: which.
    """

    def __init__(self, run: RunDirectory) -> None:
        self.run = run
        self._looker: Looker | None = None
        self._picture: Picture | InftError | None = None

    def look(self) -> None:
        """Looks at the run; takes milliseconds, so a thread does it."""
        try:
            if self._looker is None:
                self._looker = Looker(Inspector(self.run), most_bytes=AT_A_TIME_BYTES)
            picture = self._looker.look()
            self._picture = replace(picture, condition=in_minutes(picture.condition))
        except InftError as problem:
            self._picture = problem

    def lines(self, columns: int, rows: int | None = None) -> list[Line]:
        """The words, wrapped; nothing before the first look.

        Args:
            columns: where to wrap.
            rows: how many lines there is room for; None = for all. No heading stands without a line below it.
        """
        picture = self._picture
        if picture is None:
            return []
        if isinstance(picture, InftError):
            return [((f"  {picture.message}", "bad"),), ((f"  {picture.fix}", "text"),)]
        said = lines(picture, columns, watching=True)[1:][:rows]
        while said and said[-1] in ("", TAIL_HEADING):
            del said[-1]
        return [_styled(line) for line in said]


def in_minutes(condition: Condition) -> Condition:
    """`condition` with its ages in whole minutes, and none below one: seconds would be drawn again and again."""
    age, stalled = condition.heartbeat_age, condition.stalled_sec
    return replace(
        condition,
        heartbeat_age=None if age is None or age < 60 else age // 60 * 60,
        stalled_sec=stalled // 60 * 60 if stalled is not None and stalled >= 60 else stalled,
    )


def _styled(line: str) -> Line:
    """A label in one role and what it says in another."""
    return ((line[:_LABEL_COLUMNS], "dim"), (line[_LABEL_COLUMNS:], "text")) if line else EMPTY
