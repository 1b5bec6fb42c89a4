"""Whether the run can be started here, as lines: a light for each check, what is wrong with its fix, and the memory."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inft.forecast.choice import describe
from inft.machine.units import GIB
from inft.readiness.check import Check, Status
from inft.runs.quantities import size
from inft.runs.redact import redact
from inft.runs.visible import visible
from inft_tui.display.spans import ELLIPSIS, Line, Span, width

if TYPE_CHECKING:  # what the checks import takes a fifth of a second, and the thread that does them can take it
    from inft.readiness.checks import Readiness
    from inft.readiness.outlook import Outlook

MARKS: dict[Status, tuple[str, str]] = {"green": ("✓", "good"), "amber": ("▲", "warn"), "red": ("✗", "bad")}
"""Shape and role, so that a light is told without its colour, too."""
TAKEN = "output folders"
"""The check of `inft.readiness.folders` that locks enforce, whatever anybody says."""
STUCK = (
    "The checks do not come to an end; a disk or the network may hang. The run can be started all the same. "
    "u checks again."
)
BAR = 24
"""Columns of the picture of the card's memory."""


@dataclass(frozen=True)
class Lights:
    """What is known of this machine with the profile.

    Attributes:
        checks: as far as they had something to look at; empty while nobody looked.
        checking: whether newer ones are on their way.
        failure: why there are none; empty if there are.
    """

    checks: tuple[Check, ...] = ()
    checking: bool = False
    failure: str = ""

    @property
    def verdict(self) -> tuple[str, str]:
        """One of a few words, and its role."""
        red, amber = self.count("red"), self.count("amber")
        if self.failure:
            return "not known", "warn"
        if not self.checks:
            return "checking …", "dim"
        words = ", ".join([*([f"{red} red"] if red else []), *([f"{amber} amber"] if amber else [])])
        text = words or "ready"
        return f"{text} · checking …" if self.checking else text, "bad" if red else "warn" if amber else "good"

    def count(self, status: Status) -> int:
        """How many stand so."""
        return sum(check.status == status for check in self.checks)

    def refusals(self) -> list[Check]:
        """What would keep the run from starting and can be overruled; a folder that is taken cannot."""
        return [check for check in self.checks if check.status == "red" and check.name != TAKEN]

    def taken(self) -> list[Check]:
        """What keeps it from starting whatever anybody says: another run writes to its folders."""
        return [check for check in self.checks if check.status == "red" and check.name == TAKEN]


def lights_of(found: Readiness | Exception | None, *, checking: bool, stuck: bool) -> Lights:
    """The lights, of what the checks gave so far.

    Args:
        found: that; None = nothing yet.
        checking: whether newer ones are on their way.
        stuck: whether those take so long that they may never come.
    """
    if stuck:
        return Lights(failure=STUCK)
    if found is None:
        return Lights(checking=checking)
    if isinstance(found, Exception):
        words = visible(redact(f"{type(found).__name__}: {found}".splitlines()[0]))
        return Lights(checking=checking, failure=f"The checks failed: {words}. `inft-tui doctor` may say more.")
    return Lights(tuple(check for check in found.checks if check.name not in found.unasked), checking)


def strip_lines(lights: Lights, columns: int, rows: int, selected: int | None = None) -> list[Line]:
    """The names of all lights, beside each other."""
    lines: list[Line] = []
    current: list[Span] = [(" ", "text")]
    for number, check in enumerate(lights.checks):
        mark, role = MARKS[check.status]
        at = " selected" if number == selected else ""
        piece: list[Span] = [(f" {mark}", role + at), (f" {check.name} ", ("dim" if not at else "text") + at)]
        if width(tuple(current)) + width(tuple(piece)) > columns:
            lines.append(tuple(current))
            current = [(" ", "text")]
        current += piece
    return [*lines, tuple(current)][:rows] if lights.checks else []


def light_lines(lights: Lights, columns: int, rows: int, selected: int | None = None) -> list[Line]:
    """The lights, and below them what is the matter: with the selected one, else with those that are not green."""
    if lights.failure:
        return _paragraph("", "warn", lights.failure, columns)[:rows]
    if not lights.checks:
        looking: Line = (("  Looking at this machine and asking the hub …", "dim"),)
        return [looking][:rows]
    lines = strip_lines(lights, columns, rows, selected)
    if selected is not None:
        chosen = [lights.checks[min(selected, len(lights.checks) - 1)]]
    else:
        chosen = [check for status in ("red", "amber") for check in lights.checks if check.status == status]
    told = 0
    for check in chosen:
        more = check_lines(check, columns)
        left = rows - len(lines)
        if len(more) > left - (1 if told < len(chosen) - 1 else 0) and told:
            break
        lines += more
        told += 1
    if told < len(chosen) and len(lines) < rows:
        lines.append(((f"  and {len(chosen) - told} more: go there with Tab", "dim"),))
    return lines[:rows]


def worst_lines(lights: Lights, columns: int, rows: int) -> list[Line]:
    """Where there is little room: the worst light with its way out, before the names of all of them.

    The way out goes before what is the matter, of which the light's name tells the most.
    """
    worst = next((check for status in ("red", "amber") for check in lights.checks if check.status == status), None)
    if lights.failure or worst is None:
        return light_lines(lights, columns, min(rows, 3))
    told = check_lines(worst, columns)
    names = strip_lines(lights, columns, rows)
    if len(told) + len(names) <= rows:
        return [*names, *told]
    if len(told) <= rows:
        return told
    mark, role = MARKS[worst.status]
    brief = _paragraph(f"{mark} {worst.name}: ", role, visible(redact(worst.fix or worst.message)), columns)
    if 0 < rows < len(brief):
        brief[rows - 1] = (*brief[rows - 1], (f" {ELLIPSIS}", "dim"))
    return brief[:rows]


def forecast_lines(seen: Outlook | Exception | None, columns: int, *, known: bool) -> list[Line]:
    """The memory that the run will need, beside what there is.

    Args:
        seen: the forecast; None = the model is not known.
        columns: of the screen.
        known: whether it was looked at already.
    """
    if not known:
        return [(("  computing …", "dim"),)]
    if isinstance(seen, Exception):
        return _paragraph("", "warn", visible((str(seen) or type(seen).__name__).splitlines()[0]), columns)
    if seen is None:
        return [(("  not known before the model is", "dim"),)]
    return [_memory(seen), *_dim(f"{describe(seen.forecast.choice)}{_assumed(seen)}", columns)]


def _memory(seen: Outlook) -> Line:
    need, plan = seen.forecast.card_bytes, seen.plan
    if plan is None:
        where = "; it trains on the CPU here" if not seen.for_gpu else "; there is none here"
        return ((f"  {size(need)}", "title"), (f" on a GPU{where}", "dim"))
    share = min(1.0, need / max(1, plan.budget_bytes))
    role = "good" if plan.fits else "bad"
    filled = max(1, round(share * BAR))
    missing = "" if plan.fits else f", {plan.missing_bytes / GIB:.1f} GiB too much"
    return (
        ("  ", "text"),
        ("■" * filled, role),
        ("·" * (BAR - filled), "faint"),
        (f"  {size(need)}", "title"),
        (f" of {size(plan.budget_bytes)}", "dim"),
        (missing, "bad"),
    )


def _assumed(seen: Outlook) -> str:
    return "" if seen.forecast.measured_lengths or not seen.for_gpu else "; lengths of the rows assumed"


def check_lines(check: Check, columns: int) -> list[Line]:
    """What was looked at, how it stands and what to do, in as many lines as that takes."""
    mark, role = MARKS[check.status]
    lines = _paragraph(f"{mark} {check.name}: ", role, visible(redact(check.message)), columns)
    return lines + (_paragraph("→ ", "dim", visible(redact(check.fix)), columns) if check.fix else [])


def _paragraph(head: str, role: str, text: str, columns: int) -> list[Line]:
    lines = textwrap.wrap(head + text, max(20, columns - 4)) or [head]
    first: Line = (("  ", "text"), (lines[0][: len(head)], role), (lines[0][len(head) :], "text"))
    return [first, *((("    " + line, "text"),) for line in lines[1:])]


def _dim(text: str, columns: int) -> list[Line]:
    return [((f"  {line}", "dim"),) for line in textwrap.wrap(text, max(20, columns - 4))]


def heading(title: str, note: Sequence[Span], columns: int, *, focused: bool) -> Line:
    """A rule with a title, and something beside it."""
    head: Line = ((f" {title} ", "accent" if focused else "title"), *note)
    left = columns - width(head)
    return (*head, (" " + "─" * max(0, left - 1), "faint")) if left > 1 else head
