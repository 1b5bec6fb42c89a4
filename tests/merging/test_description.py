"""What the folder of a merged model says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from inft.merging.comparison import Comparison
from inft.merging.description import Merged, write_record
from inft.merging.lora import Adapters
from inft.merging.losses import Losses
from inft.merging.record import read_record
from inft.merging.source import Source
from inft.merging.weights import Plan
from inft.params import FamilyName
from inft.runs.bases import BaseIdentity
from tests.models.bases import demo

LOSSES = Losses({"en": 2.0}, 2.0, {"en": 10})


def card(folder: Path, family: FamilyName, *overrides: str) -> str:
    """The hub's page of what was merged into a base of that family."""
    config, _ = demo(family, *overrides)
    folder.mkdir()
    merged = Merged(
        Source(folder, config, folder, None, folder),
        Adapters(folder, "owner/base", 1.0, {}, {}, "digest"),
        BaseIdentity("owner/base", None, "weights"),
        Plan((), {}, {}),
        Comparison("split test", 4, LOSSES, LOSSES, four_bit=True, devices=("CPU", "CPU")),
        "",
    )
    assert write_record(folder, merged) == read_record(folder)
    return (folder / "README.md").read_text()


@pytest.mark.parametrize(
    ("family", "licence", "note"),
    [("llama32", "llama3.2", "Built with Llama."), ("aya", "cc-by-nc-4.0", "`logit_scale`")],
)
def test_the_card_states_the_licence_and_what_the_family_asks_for(
    tmp_path: Path, family: FamilyName, licence: str, note: str
) -> None:
    said = card(tmp_path / "released", family, "basic.model_source=hub")
    head, _, text = said.removeprefix("---\n").partition("\n---\n")
    assert head.splitlines()[-2:] == ["base_model: owner/base", f"license: {licence}"]
    assert note in text
    tiny = card(tmp_path / "tiny", family)
    assert "license" not in tiny
    assert note not in tiny
