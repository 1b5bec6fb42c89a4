from __future__ import annotations

from itertools import combinations
from typing import get_args

import pytest
from rich.color import ColorSystem

from inft_tui.display.capabilities import Colours, ThemeName
from inft_tui.display.palette import SERIES, Role, palette_for

READ = ("text", "dim", "accent", "good", "warn", "bad", "info", "bar", "bar-dim", "key", "ask")


@pytest.mark.parametrize("theme", get_args(ThemeName))
@pytest.mark.parametrize("colours", get_args(Colours))
def test_every_role_has_a_look(theme: ThemeName, colours: Colours) -> None:
    palette = palette_for(theme, colours)
    for role in (*get_args(Role), *(f"series-{number}" for number in range(1, SERIES + 1))):
        style = palette.style(f"{role} selected")
        assert colours != "none" or (style.color is None and style.bgcolor is None)


def luminance(colour: tuple[float, float, float]) -> float:
    """WCAG 2.2, relative luminance."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", get_args(ThemeName))
@pytest.mark.parametrize("colours", ["truecolor", "256"])
def test_text_can_be_read(theme: ThemeName, colours: Colours) -> None:
    palette = palette_for(theme, colours)
    for role in (
        "text",
        "dim",
        "accent",
        "good",
        "warn",
        "bad",
        "info",
        "bar",
        "bar-dim",
        "key",
        "ask",
        "text selected",
    ):
        style = palette.style(role)
        assert style.color is not None
        assert style.bgcolor is not None
        one, other = (luminance(colour.get_truecolor()) for colour in (style.color, style.bgcolor))
        contrast = (max(one, other) + 0.05) / (min(one, other) + 0.05)
        assert contrast >= 4.5, f"{role}: {contrast:.1f}"


@pytest.mark.parametrize("theme", get_args(ThemeName))
def test_in_256_colours_the_bars_and_the_selection_are_seen(theme: ThemeName) -> None:
    palette = palette_for(theme, "256")
    grounds = []
    for role in ("text", "bar", "selected"):
        ground = palette.style(role).bgcolor
        assert ground is not None
        grounds.append(ground.downgrade(ColorSystem.EIGHT_BIT).number)
    assert len(set(grounds)) == 3


# Machado, Oliveira and Fernandes (2009), severity 1: what somebody without one of the three cones sees.
BLIND = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


@pytest.mark.parametrize("kind", BLIND)
def test_the_colour_blind_palette_keeps_good_and_bad_apart(kind: str) -> None:
    palette = palette_for("colour-blind", "truecolor")
    seen = {}
    for role in ("good", "warn", "bad"):
        colour = palette.style(role).color
        assert colour is not None
        parts = colour.get_truecolor()
        seen[role] = [sum(weight * part for weight, part in zip(row, parts, strict=True)) for row in BLIND[kind]]
    for one, other in combinations(seen, 2):
        distance = sum((a - b) ** 2 for a, b in zip(seen[one], seen[other], strict=True)) ** 0.5
        assert distance > 60, (one, other, distance)
