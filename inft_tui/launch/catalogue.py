"""Which profiles there are, by model and mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from inft.errors import ConfigError
from inft.models.targets import LAYOUTS
from inft.params import FamilyName, Mode
from inft.profiles import OpenProfile, ProfileSummary, list_profiles, open_profile
from inft.runs.visible import visible

FAMILIES: tuple[FamilyName, ...] = get_args(FamilyName)
MODES: tuple[Mode, ...] = get_args(Mode)
FIRST = "demo_aya"
"""What somebody begins with who has not run anything yet: it runs everywhere, in a minute."""


@dataclass(frozen=True)
class Entry:
    """A profile that can be chosen.

    Attributes:
        summary: its name and kind.
        opened: its values; None where it cannot be used, and `summary.problem` says why.
    """

    summary: ProfileSummary
    opened: OpenProfile | None


@dataclass(frozen=True)
class Catalogue:
    """The profiles, sorted by name."""

    entries: tuple[Entry, ...] = ()

    def of(self, family: str, mode: str) -> tuple[Entry, ...]:
        """Those of one kind; what cannot be used has none, and comes last in every one."""
        fitting = [entry for entry in self.entries if (entry.summary.family, entry.summary.mode) == (family, mode)]
        return (*fitting, *(entry for entry in self.entries if entry.opened is None))

    def named(self, name: str) -> Entry | None:
        """The one of that name."""
        return next((entry for entry in self.entries if entry.summary.name == name), None)

    def first(self, recent: Sequence[str]) -> Entry | None:
        """What to begin with: what was run last, as far as it is still there, else a demo, else anything.

        Args:
            recent: names of profiles that were run, the newest first.
        """
        for name in (*recent, FIRST):
            entry = self.named(name)
            if entry is not None and entry.opened is not None:
                return entry
        return next((entry for entry in self.entries if entry.opened is not None), None)


def read_catalogue() -> Catalogue:
    """Reads all profiles; takes some milliseconds."""
    return Catalogue(tuple(map(_entry, list_profiles())))


def _is_text(name: str) -> bool:
    """Whether it can be typed on a command line; other bytes come as half of a pair of surrogates."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def model_title(family: str) -> str:
    """A family as a person knows it."""
    return next((layout.title for name, layout in LAYOUTS.items() if name == family), family)


def _entry(summary: ProfileSummary) -> Entry:
    if not _is_text(summary.name):
        problem = f"The name of {visible(str(summary.path))} is not UTF-8; rename it."
        return Entry(ProfileSummary(visible(summary.name), "", "", "", summary.path, problem), None)
    try:
        return Entry(summary, None if summary.problem else open_profile(summary.path))
    except ConfigError as error:  # it was changed since
        return Entry(ProfileSummary(summary.name, "", "", "", summary.path, error.message.splitlines()[0]), None)
