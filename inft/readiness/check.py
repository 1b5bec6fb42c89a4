"""One thing that was looked at, and how it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Status: TypeAlias = Literal["green", "amber", "red"]
"""green: nothing to do; amber: a run starts, and something about it deserves a look; red: it would not get far."""

SEVERITY: tuple[Status, ...] = ("green", "amber", "red")


@dataclass(frozen=True)
class Check:
    """One light.

    Attributes:
        name: what was looked at; stays the same, for scripts.
        status: how it stands.
        message: that in one sentence.
        fix: what to do, in one sentence; empty if there is nothing to do.
    """

    name: str
    status: Status
    message: str
    fix: str = ""


def green(name: str, message: str) -> Check:
    """Nothing to do."""
    return Check(name, "green", message)


def amber(name: str, message: str, fix: str) -> Check:
    """A run starts, and this deserves a look."""
    return Check(name, "amber", message, fix)


def red(name: str, message: str, fix: str) -> Check:
    """A run would not get far."""
    return Check(name, "red", message, fix)


def are_red(checks: Sequence[Check]) -> list[Check]:
    """Those that keep a run from starting."""
    return [check for check in checks if check.status == "red"]


def one_of_each(checks: Sequence[Check]) -> tuple[Check, ...]:
    """One light per name: the first of the worst, where the first of that name stood.

    >>> lights = [green("a", "1"), green("b", "2"), red("a", "3", ""), red("a", "4", "")]
    >>> [check.message for check in one_of_each(lights)]
    ['3', '2']
    """
    worst: dict[str, Check] = {}
    for check in checks:
        known = worst.setdefault(check.name, check)
        if SEVERITY.index(check.status) > SEVERITY.index(known.status):
            worst[check.name] = check
    return tuple(worst.values())


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
