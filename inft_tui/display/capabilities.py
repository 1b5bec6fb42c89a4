"""What the terminal can do, told from its environment; nothing is asked of the terminal itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar, get_args

from inft.errors import ConfigError
from inft.wording import did_you_mean, shown

Colours: TypeAlias = Literal["none", "16", "256", "truecolor"]
Glyphs: TypeAlias = Literal["braille", "block", "ascii"]
ThemeName: TypeAlias = Literal["dark", "light", "colour-blind"]
Pictures: TypeAlias = Literal["kitty", "cells", "none"]

LOCAL_REFRESH_S = 0.25
REMOTE_REFRESH_S = 0.5
"""Over SSH: half the bytes, and nobody reads figures faster than twice a second."""

_CANNOT_DRAW = frozenset({"", "dumb", "unknown", "emacs", "network"})
_TRUECOLOR_TERMS = ("alacritty", "foot", "ghostty", "iterm", "kitty", "wezterm")
_MODERN_TERMS = (*_TRUECOLOR_TERMS, "256color", "direct", "konsole", "rio", "vte")
_KITTY_TERMS = frozenset({"xterm-kitty", "xterm-ghostty", "ghostty"})
"""Terminals that show pictures by kitty's Unicode placeholders. What multiplexes terminals has a TERM of its own."""
_REMOTE = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
_MULTIPLEXERS = ("TMUX", "STY", "ZELLIJ")
_LOCALE = ("LC_ALL", "LC_CTYPE", "LANG")
_COERCED = "LC_CTYPE"
"""What Python sets by itself in the C locale (PEP 538), which says nothing about the terminal."""

_Choice = TypeVar("_Choice", bound=str)


@dataclass(frozen=True)
class Overrides:
    """What a person decided; None = as detected.

    Attributes:
        colours: how many.
        glyphs: what charts are drawn with; other than "ascii" they imply UTF-8.
        theme: which colours.
    """

    colours: Colours | None = None
    glyphs: Glyphs | None = None
    theme: ThemeName | None = None


@dataclass(frozen=True)
class Capabilities:
    """A terminal.

    Attributes:
        can_draw: whether lines can be redrawn on it.
        colours: how many it shows, or is meant to show.
        glyphs: what charts are drawn with.
        unicode: whether text other than ASCII may be sent to it.
        theme: which colours suit it.
        refresh_s: shortest time between two drawings of something new that nobody asked for.
        synchronises: whether it may be asked if it can show a whole drawing at once.
        pictures: how photographs are shown: as they are by kitty's protocol, in coloured cells, or not at all.
    """

    can_draw: bool
    colours: Colours
    glyphs: Glyphs
    unicode: bool
    theme: ThemeName
    refresh_s: float
    synchronises: bool
    pictures: Pictures = "cells"

    def with_theme(self, theme: ThemeName) -> Capabilities:
        """The same terminal in other colours."""
        return replace(self, theme=theme)


def detect(
    environment: Mapping[str, str], overrides: Overrides | None = None, terminfo_colours: int | None = None
) -> Capabilities:
    """What a terminal with this environment can do.

    Args:
        environment: variables as the program was started with.
        overrides: of the command line, which go before the environment's own INFT_COLORS, INFT_GLYPHS and INFT_THEME.
            INFT_PICTURES is the environment's alone.
        terminfo_colours: what the system's database says about TERM; None = nothing.

    Raises:
        ConfigError: one of the variables names nothing that there is.
    """
    overrides = overrides or Overrides()
    term = environment.get("TERM", "").lower()
    unicode = _is_unicode(environment, term)
    wanted = overrides.glyphs or stated("INFT_GLYPHS", environment.get("INFT_GLYPHS"), get_args(Glyphs))
    # The Linux console has 512 glyphs, and braille is not among them.
    glyphs: Glyphs = "ascii" if not unicode else "block" if term == "linux" else "braille"
    if wanted is not None:
        glyphs, unicode = wanted, unicode or wanted != "ascii"
    colours = (
        overrides.colours
        or stated("INFT_COLORS", environment.get("INFT_COLORS"), get_args(Colours))
        or _colours(environment, term, terminfo_colours)
    )
    return Capabilities(
        can_draw=term not in _CANNOT_DRAW,
        colours=colours,
        glyphs=glyphs,
        unicode=unicode,
        theme=overrides.theme
        or stated("INFT_THEME", environment.get("INFT_THEME"), get_args(ThemeName))
        or _theme(environment),
        refresh_s=REMOTE_REFRESH_S if any(environment.get(name) for name in _REMOTE) else LOCAL_REFRESH_S,
        synchronises=term != "linux" and environment.get("TERM_PROGRAM") != "Apple_Terminal",
        pictures=stated("INFT_PICTURES", environment.get("INFT_PICTURES"), get_args(Pictures))
        or _pictures(environment, term, colours, unicode=unicode),
    )


def stated(name: str, value: str | None, choices: tuple[_Choice, ...]) -> _Choice | None:
    """The one of `choices` that `value` is; None where nothing was stated.

    Args:
        name: of the variable or option, for the message.
        value: as a person wrote it.
        choices: what there is.

    Raises:
        ConfigError: it is none of them.
    """
    if not value:
        return None
    for choice in choices:
        if value.lower() == choice:
            return choice
    near = did_you_mean([choice for choice in choices if choice[:2] == value.lower()[:2]])
    raise ConfigError(f"{name} is {shown(value)}. {near}".strip(), f"There are: {', '.join(choices)}.")


def original_environment() -> dict[str, str]:
    """The variables that this program was started with, without what Python itself added."""
    variables = dict(os.environ)
    if _COERCED in variables:
        try:
            given = Path("/proc/self/environ").read_bytes().split(b"\0")
        except OSError:
            return variables
        if not any(entry.startswith(_COERCED.encode() + b"=") for entry in given):
            del variables[_COERCED]
    return variables


def terminfo_colours(term: str) -> int | None:
    """How many colours the system's database gives `term`; None where it does not know it."""
    if any(known in term for known in _MODERN_TERMS):
        return None  # its name tells, and curses takes some milliseconds
    try:
        import curses

        curses.setupterm(term)
        return curses.tigetnum("colors")
    except (ImportError, OSError, curses.error):
        return None


def _is_unicode(environment: Mapping[str, str], term: str) -> bool:
    named = next((environment[name] for name in _LOCALE if environment.get(name)), None)
    if named is not None:
        return "utf8" in named.lower().replace("-", "")
    # A container without any locale, entered from a desktop: every terminal of that name shows UTF-8.
    return any(modern in term for modern in _MODERN_TERMS) or bool(environment.get("COLORTERM"))


def _colours(environment: Mapping[str, str], term: str, terminfo: int | None) -> Colours:
    if environment.get("NO_COLOR"):
        return "none"
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit") or "direct" in term:
        return "truecolor"
    if any(name in term for name in _TRUECOLOR_TERMS):
        return "truecolor"
    if "256color" in term:
        return "256"
    if terminfo is None:
        return "none" if term.startswith("vt") else "16"
    return "256" if terminfo >= 256 else "16" if terminfo >= 8 else "none"


def _pictures(environment: Mapping[str, str], term: str, colours: Colours, *, unicode: bool) -> Pictures:
    """Kitty's placeholders need a colour of 24 bits to say which picture is meant."""
    multiplexed = any(environment.get(name) for name in _MULTIPLEXERS)
    return "kitty" if term in _KITTY_TERMS and colours == "truecolor" and unicode and not multiplexed else "cells"


def _theme(environment: Mapping[str, str]) -> ThemeName:
    """By COLORFGBG, which some terminals set to `foreground;background` in numbers of the 16 colours."""
    background = environment.get("COLORFGBG", "").rpartition(";")[2]
    return "light" if background in ("7", "15") else "dark"
