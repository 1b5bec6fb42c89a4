"""Lights, forecast and catalogue as lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from inft.machine.cards import Card, Cards
from inft.profiles import resolve
from inft.readiness.check import amber, green, red
from inft.readiness.checks import Readiness, outlook_on
from inft.runs.quantities import size
from inft_tui.display.spans import Line, width
from inft_tui.launch.catalogue import read_catalogue
from inft_tui.launch.lights import Lights, forecast_lines, light_lines, lights_of, worst_lines

CHECKS = (
    green("driver", "Driver 580 knows CUDA 13.0."),
    green("bf16", "unasked"),
    amber("cpu", "2 processors, and 4 data workers would share them.", "Run with --set data.num_workers=2."),
    red("hub model", "The hub cannot be reached.", "Check the network."),
    red("output folders", "Another run writes there.", "Wait for it."),
)
FOUND = Readiness(CHECKS, unasked=frozenset({"bf16"}))


def text(lines: list[Line]) -> list[str]:
    return ["".join(part for part, _ in line).rstrip() for line in lines]


def test_what_had_nothing_to_look_at_is_not_shown() -> None:
    lights = lights_of(FOUND, checking=False, stuck=False)
    assert text(light_lines(lights, 100, 20)) == [
        "  ✓ driver  ▲ cpu  ✗ hub model  ✗ output folders",
        "  ✗ hub model: The hub cannot be reached.",
        "  → Check the network.",
        "  ✗ output folders: Another run writes there.",
        "  → Wait for it.",
        "  ▲ cpu: 2 processors, and 4 data workers would share them.",
        "  → Run with --set data.num_workers=2.",
    ]
    assert lights.verdict == ("2 red, 1 amber", "bad")
    assert [check.name for check in lights.refusals()] == ["hub model"]
    assert [check.name for check in lights.taken()] == ["output folders"]


def test_with_little_room_the_worst_is_told_and_the_rest_counted() -> None:
    lights = lights_of(FOUND, checking=True, stuck=False)
    assert text(light_lines(lights, 100, 4))[1:] == [
        "  ✗ hub model: The hub cannot be reached.",
        "  → Check the network.",
        "  and 2 more: go there with Tab",
    ]
    assert lights.verdict[0] == "2 red, 1 amber · checking …"


def test_where_there_is_least_room_the_worst_still_says_the_way_out() -> None:
    lights = lights_of(FOUND, checking=False, stuck=False)
    assert text(worst_lines(lights, 60, 5))[-2:] == [
        "  ✗ hub model: The hub cannot be reached.",
        "  → Check the network.",
    ]
    assert text(worst_lines(lights, 60, 2)) == text(worst_lines(lights, 60, 5))[-2:]
    assert text(worst_lines(lights, 60, 1)) == ["  ✗ hub model: Check the network."]
    long = Lights((red("disk", "word " * 60, "fix " * 40),))
    brief = text(worst_lines(long, 60, 2))
    assert brief[0].startswith("  ✗ disk: fix fix")
    assert brief[1].endswith(" …")
    amber_only = Lights(CHECKS[:3])
    assert text(worst_lines(amber_only, 100, 4))[1].startswith("  ▲ cpu: 2 processors")
    assert text(worst_lines(Lights(CHECKS[:1]), 100, 4)) == ["  ✓ driver"]


def test_a_selected_light_is_told_alone() -> None:
    lines = text(light_lines(Lights(CHECKS), 100, 9, selected=0))
    assert lines[1:] == ["  ✓ driver: Driver 580 knows CUDA 13.0."]


@pytest.mark.parametrize("columns", [20, 40, 60, 160])
def test_nothing_is_wider_than_the_screen(columns: int) -> None:
    long = Lights((*CHECKS, red("disk", "word " * 60, "fix " * 40)))
    for line in light_lines(long, columns, 50):
        assert width(line) <= max(columns, 24)


def test_no_lights_yet_and_none_at_all() -> None:
    assert "Looking" in text(light_lines(lights_of(None, checking=True, stuck=False), 80, 3))[0]
    failed = lights_of(KeyError("x hf_abcdefgh1234"), checking=False, stuck=False)
    shown = " ".join(text(light_lines(failed, 80, 3)))
    assert "The checks failed: KeyError" in shown
    assert "abcdefgh" not in shown
    stuck = lights_of(FOUND, checking=True, stuck=True)
    assert "can be started all the same" in " ".join(text(light_lines(stuck, 80, 3)))
    assert stuck.refusals() == []


def test_the_forecast_beside_the_card(project: Path) -> None:
    config = resolve("aya_adv").config

    def lines(free: int | None) -> list[str]:
        cards = Cards("absent")
        if free is not None:
            cards = Cards("answers", usable=(Card(0, total_bytes=free, free_bytes=free),))
        return text(forecast_lines(outlook_on(cards, config, project), 100, known=True))

    seen = outlook_on(Cards("absent"), config, project)
    assert seen is not None
    need = size(seen.forecast.card_bytes)
    assert lines(None)[0] == f"  {need} on a GPU; there is none here"
    full = seen.forecast.card_bytes
    assert lines(4 * full)[0] == f"  ■■■■■■··················  {need} of {size(4 * full)}"
    assert lines(full // 2)[0].startswith(f"  {'■' * 24}  {need} of {size(full // 2)}, ")
    assert lines(full // 2)[0].endswith("GiB too much")
    assert text(forecast_lines(None, 80, known=False)) == ["  computing …"]
    assert text(forecast_lines(ValueError("no layer"), 80, known=True)) == ["  no layer"]


def test_profiles_by_model_and_mode(project: Path) -> None:
    (project / "profiles" / "broken.toml").write_text('family = "aya"\n[sft]\nlr = 9\n', encoding="utf-8")
    (project / "profiles" / "aya_adv.toml").write_text('family = "aya"\nmode = "advanced"\n', encoding="utf-8")
    catalogue = read_catalogue()
    names = {
        kind: [entry.summary.name for entry in catalogue.of(*kind)]
        for kind in (("aya", "basic"), ("llama32", "advanced"))
    }
    assert names == {
        ("aya", "basic"): ["aya_basic", "demo_aya", "fast_aya", "small", "small_aya", "broken"],
        ("llama32", "advanced"): ["llama_adv", "broken"],
    }
    own, broken = catalogue.named("aya_adv"), catalogue.named("broken")
    assert own is not None
    assert own.summary.path.is_relative_to(project)
    assert broken is not None
    assert broken.opened is None
    assert "sft.lr" in broken.summary.problem
    first = [catalogue.first(recent) for recent in ((), ("gone", "broken", "small"))]
    assert [entry and entry.summary.name for entry in first] == ["demo_aya", "small"]
