"""Profiles: TOML files that state what differs from the defaults of `inft.params`, resolved into one `Config`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from inft.config import Config
from inft.errors import ConfigError
from inft.params import BasicParams, LoRAParams, MUNIChusLoadConfig, QLoRAParams, SFTParams
from inft.profiles.knobs import (
    TABLES,
    FieldInfo,
    ProfileHead,
    close,
    convert,
    describe_fields,
    fields_by_key,
    nearest_keys,
    table_fields,
)
from inft.profiles.overrides import place, read_text, read_value, split_override
from inft.profiles.problems import Problem, config_error
from inft.profiles.rules import check_rules
from inft.profiles.source import Source, read_source
from inft.project import bundled_profiles_dir, project_root
from inft.wording import did_you_mean, shown

__all__ = [
    "Config",
    "Examined",
    "FieldInfo",
    "OpenProfile",
    "ProfileSummary",
    "Resolved",
    "curve_changes",
    "describe_fields",
    "list_profiles",
    "load_config",
    "open_profile",
    "resolve",
    "to_toml",
]

DEFAULT = "default"
OVERRIDE = "--set"

TABLE_NAMES = tuple(name for name in TABLES if name)
HEAD_KEYS = tuple(item.name for item in fields(ProfileHead))

Table = TypeVar("Table")


@dataclass(frozen=True)
class Resolved:
    """A configuration, and where each value of it came from.

    Attributes:
        origins: dotted key -> "default", "profiles/aya_adv.toml line 12" or "--set".
    """

    config: Config
    origins: dict[str, str]


@dataclass(frozen=True)
class Examined:
    """What a profile and the command line make, and all that is wrong with it.

    Attributes:
        resolved: where something is wrong, without the values that were refused; not to be run then.
        problems: none = it can be run.
    """

    resolved: Resolved
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class OpenProfile:
    """A profile whose file was read, to try values on without reading it again.

    Attributes:
        path: the file.
        source: what it states.
        root: the project's, which relative paths start from.
    """

    path: Path
    source: Source
    root: Path

    def examine(self, overrides: Sequence[str] = ()) -> Examined:
        """What it makes with these values before its own, each "table.key=value"."""
        draft = _Draft(self._subject(overrides), self.root)
        draft.take_file(self.source)
        for text in overrides:
            draft.take_override(text)
        return draft.examined(_run_name(self.path))

    def resolve(self, overrides: Sequence[str] = ()) -> Resolved:
        """The same, for use.

        Raises:
            ConfigError: it or the overrides are wrong; all that is wrong is said at once.
        """
        examined = self.examine(overrides)
        if examined.problems:
            raise config_error(examined.problems, self._subject(overrides))
        return examined.resolved

    def _subject(self, overrides: Sequence[str]) -> str:
        return f"{self.source.name} with these --set values" if overrides else self.source.name


@dataclass(frozen=True)
class ProfileSummary:
    """One line of a listing.

    Attributes:
        family, mode: as stated; empty when the profile cannot be used.
        problem: why it cannot be used, or empty.
    """

    name: str
    family: str
    mode: str
    description: str
    path: Path
    problem: str = ""


def resolve(profile: str, overrides: Sequence[str] = ()) -> Resolved:
    """The configuration that a profile and the command line make.

    Args:
        profile: name of a profile, looked for in the project and then among the shipped ones; or the path of a file.
        overrides: values that go before the profile's, each "table.key=value".

    Raises:
        ConfigError: there is no such profile, or it or the overrides are wrong; all that is wrong is said at once.
    """
    return open_profile(_find(profile)).resolve(overrides)


def open_profile(path: Path) -> OpenProfile:
    """Reads the profile at `path`.

    Raises:
        ConfigError: it cannot be read, or is not TOML.
    """
    return OpenProfile(path, read_source(path, _shown_path(path)), project_root())


def load_config(path: Path) -> Config:
    """The configuration in a file that `to_toml` wrote, for instance a run's `config.toml`.

    Raises:
        ConfigError: it cannot be read or used.
    """
    return open_profile(path).resolve().config


def list_profiles() -> list[ProfileSummary]:
    """The profiles that can be named, sorted; the project's own goes before a shipped one of the same name."""
    paths: dict[str, Path] = {}
    for folder in _folders():
        for path in sorted(folder.glob("*.toml")):
            paths.setdefault(path.stem, path)
    return [_summary(paths[name]) for name in sorted(paths)]


def curve_changes(old: Config, new: Config) -> list[str]:
    """The keys, dotted and in the order of a profile, whose values differ in a way that changes the losses."""
    return [info.key for info in describe_fields() if info.shapes_curve and _value(old, info) != _value(new, info)]


def to_toml(config: Config) -> str:
    """Every value of `config` as a profile that resolves to it again."""
    import tomlkit  # only launching a run and printing a profile need it

    document = tomlkit.document()
    for table in TABLES:
        target: Any = tomlkit.table() if table else document
        for info in table_fields(table):
            target.add(info.name, to_item(_value(config, info)))
        if table:
            document.add(table, target)
    return tomlkit.dumps(document)


def _value(config: Config, info: FieldInfo) -> object:
    table = vars(config)[info.table] if info.table else config
    value: object = vars(table)[info.name]
    return value


def to_item(value: object) -> object:
    """`value` as tomlkit takes it into a profile."""
    import tomlkit

    if value is None:
        return "none"
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, dict):
        inline = tomlkit.inline_table()
        inline.update(value)
        return inline
    return value


class _Draft:
    """Values as they come in, each checked against its field; what is wrong is kept until all of it is known."""

    def __init__(self, subject: str, root: Path) -> None:
        self.subject = subject
        self.root = root
        self.values: dict[str, Any] = {info.key: copy(info.default) for info in describe_fields()}
        self.places: dict[str, str] = {}
        self.origins: dict[str, str] = dict.fromkeys(self.values, DEFAULT)
        self.problems: list[Problem] = []

    def take_file(self, source: Source) -> None:
        for name, value in source.table.items():
            here = source.place(name)
            if name in HEAD_KEYS:
                self._take(name, value, here, here)
            elif name not in TABLE_NAMES:
                self.problems.append(_unknown(name, here, is_table=isinstance(value, dict)))
            elif not isinstance(value, dict):
                text = f"{name} in {here} must be a table, not {shown(value)}."
                self.problems.append(Problem(text, f"Begin it with [{name}] and put its keys below."))
            else:
                for key, entry in value.items():
                    at = source.place(name, key)
                    self._take(f"{name}.{key}", entry, at, at)

    def take_override(self, text: str) -> None:
        parts = split_override(text)
        if isinstance(parts, Problem):
            self.problems.append(parts)
            return
        key, raw = parts
        info = fields_by_key().get(key)
        owner, _, entry = key.rpartition(".")
        holder = fields_by_key().get(owner)
        if info is None and holder is not None and holder.kind == "table":  # data.columns.image=photo
            self._take(owner, {entry: read_text(raw)}, place(text), OVERRIDE)
        else:
            self._take(key, raw if info is None else read_value(info, raw), place(text), OVERRIDE)

    def examined(self, run_name: str) -> Examined:
        """The configuration, and what is wrong with it."""
        broken = {key for problem in self.problems for key in problem.keys}
        if self.values["family"] is None:
            if "family" not in broken:
                self.problems.append(Problem(f"{self.subject} states no family.", self._family_fix(), ("family",)))
            self.values["family"] = "llama32"  # only so that the other rules can be judged
        self.values["profile"] = self.values["profile"] or run_name
        config = Config(
            profile=self.values["profile"],
            description=self.values["description"],
            family=self.values["family"],
            mode=self.values["mode"],
            basic=self._table("basic", BasicParams),
            qlora=self._table("qlora", QLoRAParams),
            lora=self._table("lora", LoRAParams),
            sft=self._table("sft", SFTParams),
            data=self._table("data", MUNIChusLoadConfig),
        )
        # A rule about a value that was refused would only repeat that it was.
        rules = check_rules(config, lambda key: self.places.get(key, "the defaults"), self.root)
        self.problems += [problem for problem in rules if broken.isdisjoint(problem.keys)]
        return Examined(Resolved(config, self.origins), tuple(self.problems))

    def _take(self, key: str, value: object, at: str, origin: str) -> None:
        info = fields_by_key().get(key)
        if info is None:
            self.problems.append(_unknown(key, at))
            return
        try:
            converted = convert(info, value)
        except msgspec.ValidationError:
            text = f"{key} in {at} must be {info.allowed}, not {shown(value)}."
            self.problems.append(Problem(text, _way_out(info, value), (key,)))
            return
        # One entry of a mapping may be stated; the others keep their value.
        self.values[key] = self.values[key] | converted if info.kind == "table" else converted
        self.places[key] = at
        self.origins[key] = origin

    def _table(self, table: str, cls: type[Table]) -> Table:
        return cls(**{info.name: self.values[info.key] for info in table_fields(table)})

    @staticmethod
    def _family_fix() -> str:
        choices = fields_by_key()["family"].choices
        return f"Add {' or '.join(f'family = {shown(choice)}' for choice in choices)} at its top."


def _unknown(key: str, at: str, *, is_table: bool = False) -> Problem:
    table = key.partition(".")[0]
    near = [f"[{name}]" for name in close(TABLE_NAMES, key)] if is_table else nearest_keys(key)
    if table in TABLE_NAMES:
        rest = f"`inft-tui profiles llama_basic` shows the keys that [{table}] has."
    else:
        rest = f"The top level holds {', '.join(HEAD_KEYS)} and the tables {', '.join(TABLE_NAMES)}."
    what = "table" if is_table else "key"
    return Problem(f"{_shown_key(key)} in {at} is not a {what} of a profile.", did_you_mean(near) or rest, (key,))


def _shown_key(key: str) -> str:
    """A key as a message may print it: bare where it is a plain word, else quoted and escaped."""
    return key if re.fullmatch(r"[\w.-]{1,80}", key) else shown(key)


def _way_out(info: FieldInfo, value: object) -> str:
    near = close(info.choices, value) if isinstance(value, str) else []
    if near:
        return did_you_mean([shown(choice) for choice in near[:1]])
    return "State one of them." if info.required else f"The default is {shown(info.default)}."


def _summary(path: Path) -> ProfileSummary:
    try:
        config = load_config(path)
    except ConfigError as error:
        return ProfileSummary(path.stem, "", "", "", path, error.message.splitlines()[0])
    return ProfileSummary(path.stem, config.family, config.mode, " ".join(config.description.split()), path)


def _find(profile: str) -> Path:
    """The file of a profile's name or path.

    Raises:
        ConfigError: no profile has that name.
    """
    if profile.endswith(".toml") or "/" in profile or "\\" in profile:
        try:
            return Path(profile).expanduser()
        except RuntimeError:
            raise ConfigError(f"{profile} starts at a home folder that does not exist.", "Write it out.") from None
    for folder in _folders():
        # Compared with the listing, since a name such as ".." or one with a NUL must not reach the file system.
        for path in folder.glob("*.toml"):
            if path.stem == profile:
                return path
    known = [path.stem for folder in _folders() for path in folder.glob("*.toml")]
    near = did_you_mean(close(known, profile))
    raise ConfigError(
        f"There is no profile {shown(profile)} in {' or '.join(str(folder) for folder in _folders())}.",
        f"{near} `inft-tui profiles` lists them; the path of a .toml file will do too.".lstrip(),
    )


def _folders() -> list[Path]:
    """Where profiles are looked for, the project's own first."""
    return list(dict.fromkeys((project_root() / "profiles", bundled_profiles_dir())))


def _shown_path(path: Path) -> str:
    """As short as it can be told apart: from the project's root where it lies inside."""
    absolute, root = path.absolute(), project_root()
    return str(absolute.relative_to(root)) if absolute.is_relative_to(root) else str(path)


def _run_name(path: Path) -> str:
    """The name of run directories for a profile file: its own, in characters that are safe in a folder's name."""
    return re.sub(r"[^\w.-]+", "-", path.stem).lstrip(".-")[:80] or "profile"
