"""A profile with what was changed in it: the values, what is wrong with them, what differs, and the command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from inft.config import Config
from inft.profiles import Examined, FieldInfo, OpenProfile, describe_fields
from inft.profiles.knobs import fields_by_key
from inft.profiles.problems import Problem
from inft_tui.launch.raw import raw_text, read


@dataclass(frozen=True)
class Difference:
    """A value that the profile does not have.

    Attributes:
        info: of which key.
        before: the profile's.
        after: what it is now.
    """

    info: FieldInfo
    before: object
    after: object


@dataclass(frozen=True)
class Draft:
    """What would be run.

    Attributes:
        name: the profile's, as `--profile` takes it.
        opened: the profile.
        changes: what was typed, by key; each can be read by its key, though not all need go together.
    """

    name: str
    opened: OpenProfile
    changes: Mapping[str, str] = field(default_factory=dict)

    @property
    def overrides(self) -> tuple[str, ...]:
        """The changes as `--set` takes them, in the order of a profile."""
        return tuple(f"{info.key}={self.changes[info.key]}" for info in describe_fields() if info.key in self.changes)

    @cached_property
    def examined(self) -> Examined:
        """What they make of the profile."""
        return self.opened.examine(self.overrides)

    @cached_property
    def base(self) -> Config:
        """What the profile says by itself."""
        return self.opened.examine().resolved.config

    @property
    def config(self) -> Config | None:
        """What would be run; None while something is wrong."""
        return None if self.examined.problems else self.examined.resolved.config

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong: the values of several keys that do not go together."""
        return self.examined.problems

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """What differs from the profile."""
        return tuple(
            Difference(info, value_of(self.base, info), self.value(info))
            for info in describe_fields()
            if info.key in self.changes
        )

    def value(self, info: FieldInfo) -> object:
        """What a key is now."""
        return value_of(self.examined.resolved.config, info)

    def origin(self, info: FieldInfo) -> str:
        """Where a key got its value: "default", a line of the profile, or "--set"."""
        return self.examined.resolved.origins[info.key]

    def raw(self, info: FieldInfo) -> str:
        """What a key is now, as it would be typed."""
        return self.changes.get(info.key) or raw_text(info, self.value(info))

    def problem(self, key: str) -> str:
        """What is wrong about one key, with the way out; empty if nothing is."""
        return next((f"{problem.text} {problem.fix}" for problem in self.problems if key in problem.keys), "")

    def changed(self, key: str, raw: str) -> Draft:
        """With another value for a key; the profile's own is no change.

        Raises:
            msgspec.ValidationError: it is none that this key can have.
        """
        info = fields_by_key()[key]
        value, before = read(info, raw), value_of(self.base, info)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            value = {**before, **value}  # as `--set` does it: entries that are not stated stay
        if value == before:
            return self.reset(key)
        return Draft(self.name, self.opened, {**self.changes, key: raw.strip()})

    def reset(self, key: str) -> Draft:
        """With the profile's value for a key."""
        return Draft(self.name, self.opened, {other: raw for other, raw in self.changes.items() if other != key})

    def unchanged(self) -> Draft:
        """With none of the changes."""
        return Draft(self.name, self.opened)

    def on(self, opened: OpenProfile) -> Draft:
        """The same changes to a profile that may have been edited meanwhile; what no longer changes anything goes."""
        draft = Draft(self.name, opened)
        for key, raw in self.changes.items():
            try:
                draft = draft.changed(key, raw)
            except msgspec.ValidationError:
                continue  # the program itself is another one now
        return draft

    def command(self, *, force: bool = False) -> list[str]:
        """The command that starts it, word by word."""
        words = ["inft-tui", "--headless", "--detach", *(["--force"] if force else []), "--profile", self.name]
        return [*words, *(word for text in self.overrides for word in ("--set", text))]


def value_of(config: Config, info: FieldInfo) -> object:
    """One value of a configuration."""
    holder = vars(config)[info.table] if info.table else config
    value: object = vars(holder)[info.name]
    return value


def next_choice(info: FieldInfo, value: object, by: int = 1) -> str | None:
    """What comes `by` after `value` where there are few to choose from, as it is typed; None where there are not."""
    if info.kind == "bool":
        return "false" if value else "true"
    if info.kind == "choice":
        return info.choices[(info.choices.index(str(value)) + by) % len(info.choices)]
    return None
