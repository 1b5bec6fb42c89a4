"""What the roles that text plays look like: three palettes in full colour, and two for terminals with less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, TypeAlias

from rich.style import Style
from textual.theme import Theme

from inft_tui.display.capabilities import ThemeName

Role: TypeAlias = Literal[
    "text",
    "dim",
    "faint",
    "title",
    "accent",
    "good",
    "warn",
    "bad",
    "info",
    "bar",
    "bar-dim",
    "tab",
    "key",
    "selected",
    "ask",
    "added",
    "gone",
]
SERIES = 8
"""Curves that can be told apart in one chart; their roles are `series-1` and so on."""


@dataclass(frozen=True)
class Palette:
    """The looks of all roles.

    Attributes:
        name: of the theme.
        looks: a style for each role, as rich writes it.
        theme: the same for Textual's own widgets.
    """

    name: str
    looks: Mapping[str, str]
    theme: Theme

    def style(self, role: str) -> Style:
        """What `role` looks like. Two roles may be put together, as in `good selected`."""
        return _style(tuple(self.looks[part] for part in role.split()))


@dataclass(frozen=True)
class _Colours:
    background: str
    surface: str
    selection: str
    text: str
    dim: str
    faint: str
    accent: str
    good: str
    warn: str
    bad: str
    info: str
    series: tuple[str, ...]
    dark: bool = True


_DARK = _Colours(
    background="#11151c",
    surface="#1b222d",
    selection="#2b3d55",
    text="#d7dde6",
    dim="#8d99a8",
    faint="#3c4656",
    accent="#6cb6ff",
    good="#5fd38d",
    warn="#f2b84b",
    bad="#ff6b6b",
    info="#b4a3ff",
    series=("#6cb6ff", "#f2b84b", "#5fd38d", "#ff8f8f", "#b4a3ff", "#4fd1d9", "#f59ac8", "#c5d86d"),
)
_LIGHT = _Colours(
    background="#fbfbf9",
    surface="#eceef0",
    selection="#cfe0f5",
    text="#20262e",
    dim="#5d6875",
    faint="#c3c9d0",
    accent="#0b5cad",
    good="#15753e",
    warn="#8f5700",
    bad="#b3261e",
    info="#5b3fb0",
    series=("#0b5cad", "#a35c00", "#15753e", "#b3261e", "#5b3fb0", "#00707a", "#a8286e", "#5d6b00"),
    dark=False,
)
# Okabe and Ito's colours, told apart with all three kinds of colour blindness; good is blue, bad is vermilion.
_COLOUR_BLIND = _Colours(
    background="#11151c",
    surface="#1b222d",
    selection="#34465c",
    text="#e6e6e6",
    dim="#9aa3ad",
    faint="#3c4656",
    accent="#56b4e9",
    good="#56b4e9",
    warn="#f0e442",
    bad="#e8743b",
    info="#cc79a7",
    series=("#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7", "#e8743b", "#3d8fd1", "#c8c8c8"),
)
# The 256 colours have no dark blue-greys: those would all become black. These are greys that they do have.
_DARK_256 = replace(_DARK, background="#121212", surface="#262626", selection="#3a3a3a", dim="#949494", faint="#4e4e4e")
_LIGHT_256 = replace(
    _LIGHT, background="#ffffff", surface="#e4e4e4", selection="#afd7ff", dim="#585858", faint="#bcbcbc"
)
_COLOUR_BLIND_256 = replace(
    _COLOUR_BLIND, background="#121212", surface="#262626", selection="#3a3a3a", dim="#949494", faint="#4e4e4e"
)
_IN_FULL: dict[ThemeName, _Colours] = {"dark": _DARK, "light": _LIGHT, "colour-blind": _COLOUR_BLIND}
_IN_256: dict[ThemeName, _Colours] = {"dark": _DARK_256, "light": _LIGHT_256, "colour-blind": _COLOUR_BLIND_256}

_SIXTEEN: dict[str, str] = {
    "text": "default",
    "dim": "bright_black",
    "faint": "bright_black",
    "title": "bold",
    "accent": "cyan",
    "good": "green",
    "warn": "yellow",
    "bad": "bold red",
    "info": "magenta",
    "bar": "reverse",
    "bar-dim": "reverse",
    "tab": "bold",
    "key": "bold cyan",
    "selected": "reverse",
    "ask": "bold black on yellow",
    "added": "bold green",
    "gone": "red",
}
_SIXTEEN_SERIES = ("cyan", "yellow", "green", "red", "magenta", "blue", "bright_white", "bright_green")

# Without colours weight tells, and words say what a colour would.
_NONE: dict[str, str] = {
    "text": "",
    "dim": "",
    "faint": "dim",
    "title": "bold",
    "accent": "bold",
    "good": "",
    "warn": "bold",
    "bad": "bold",
    "info": "",
    "bar": "reverse",
    "bar-dim": "reverse",
    "tab": "bold",
    "key": "bold",
    "selected": "reverse",
    "ask": "bold reverse",
    "added": "bold",
    "gone": "dim",
}


@cache
def palette_for(name: ThemeName, colours: Literal["none", "16", "256", "truecolor"]) -> Palette:
    """The palette of that name for a terminal with so many colours."""
    if colours == "none":
        return Palette(name, _NONE | {f"series-{number + 1}": "" for number in range(SERIES)}, _plain_theme(name))
    if colours == "16":
        series = {f"series-{number + 1}": colour for number, colour in enumerate(_SIXTEEN_SERIES)}
        return Palette(name, _SIXTEEN | series, _plain_theme(name))
    return _in_full(name, (_IN_256 if colours == "256" else _IN_FULL)[name])


def _in_full(name: str, of: _Colours) -> Palette:
    ground = f"on {of.background}"
    looks = {
        "text": f"{of.text} {ground}",
        "dim": f"{of.dim} {ground}",
        "faint": f"{of.faint} {ground}",
        "title": f"bold {of.text} {ground}",
        "accent": f"{of.accent} {ground}",
        "good": f"{of.good} {ground}",
        "warn": f"{of.warn} {ground}",
        "bad": f"{of.bad} {ground}",
        "info": f"{of.info} {ground}",
        "bar": f"{of.text} on {of.surface}",
        "bar-dim": f"{of.dim} on {of.surface}",
        "tab": f"bold {of.text} on {of.selection}",
        "key": f"bold {of.accent} on {of.surface}",
        "selected": f"on {of.selection}",
        "ask": f"bold {of.background} on {of.warn}",
        "added": f"bold {of.good} {ground}",
        "gone": f"{of.bad} {ground}",
    }
    looks |= {f"series-{number + 1}": f"{colour} {ground}" for number, colour in enumerate(of.series)}
    theme = Theme(
        name=f"inft-{name}",
        primary=of.accent,
        secondary=of.info,
        warning=of.warn,
        error=of.bad,
        success=of.good,
        accent=of.accent,
        foreground=of.text,
        background=of.background,
        surface=of.surface,
        panel=of.surface,
        dark=of.dark,
    )
    return Palette(name, looks, theme)


def _plain_theme(name: str) -> Theme:
    """The terminal's own colours, for Textual's widgets."""
    own = "ansi_default"
    return Theme(
        name=f"inft-{name}-plain",
        ansi=True,
        primary="ansi_cyan",
        secondary="ansi_magenta",
        warning="ansi_yellow",
        error="ansi_red",
        success="ansi_green",
        accent="ansi_cyan",
        foreground=own,
        background=own,
        surface=own,
        panel=own,
        boost=own,
        dark=name != "light",
        variables={
            "ansi-background": "ansi_white" if name == "light" else "ansi_black",
            "ansi-foreground": "ansi_black" if name == "light" else "ansi_white",
            "screen-selection-background": "ansi_bright_blue",
            "screen-selection-foreground": "ansi_black",
        },
    )


@cache
def _style(looks: tuple[str, ...]) -> Style:
    return Style.combine([Style.parse(look) for look in looks])
