"""A base that is not the one that the adapters were trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from inft.adapters.origin import origin_of
from inft.errors import ConfigError
from inft.merging.base import check_base
from inft.merging.description import check_description
from inft.merging.lora import Adapters
from inft.merging.source import Source
from inft.models.checkpoint import Checkpoint
from inft.params import FamilyName
from inft.runs.bases import identify
from inft.runs.checkpoints import commit
from inft.runs.results import Result
from tests.models.bases import copied, demo, edit_json, edit_weights


def of(folder: Path, result: Result | None) -> Source:
    config, _ = demo("aya")
    return Source(folder, config, folder, result, folder)


def adapters(folder: Path, base_name: str) -> Adapters:
    return Adapters(folder, base_name, 1.0, {}, {}, "")


def test_other_weights_are_noticed_and_the_same_elsewhere_are_not(tiny: dict[FamilyName, Path], tmp_path: Path) -> None:
    trained_on = identify(str(tiny["aya"]), tiny["aya"])
    source = of(tmp_path, Result("demo_aya-20260101-000000", 3, base=trained_on))
    moved = copied(tiny["aya"], tmp_path / "moved")
    found = check_base(source, adapters(tmp_path, "elsewhere"), Checkpoint(moved, moved, str(moved)))
    assert (found.name, found.weights) == (str(moved), trained_on.weights)
    edit_weights(moved, lambda tensors: tensors["language_model.model.norm.weight"].mul_(2))
    with pytest.raises(ConfigError, match=r"^The adapters of demo_aya-20260101-000000 \(step 3\) were trained on "):
        check_base(source, adapters(tmp_path, str(moved)), Checkpoint(moved, moved, str(moved)))


def test_a_checkpoint_knows_what_it_was_trained_on(tiny: dict[FamilyName, Path], tmp_path: Path) -> None:
    """The same name is not enough: a hub id has many commits, and a folder can be replaced."""
    base = copied(tiny["aya"], tmp_path / "base")
    folder = tmp_path / "out" / "checkpoint-4"
    staged = tmp_path / "out" / ".saving" / "checkpoint-4"
    staged.mkdir(parents=True)
    commit(staged, folder, run_id="demo_aya-20260101-000000", step=4, base=identify(str(base), base))
    source = of(folder, origin_of(folder))
    check_base(source, adapters(folder, str(base)), Checkpoint(base, base, str(base)))
    edit_weights(base, lambda tensors: tensors["language_model.model.norm.weight"].mul_(2))
    with pytest.raises(ConfigError, match=r"step 4\) were trained on .* and the base here is "):
        check_base(source, adapters(folder, str(base)), Checkpoint(base, base, str(base)))


def test_where_only_a_name_is_known_that_decides(tiny: dict[FamilyName, Path], tmp_path: Path) -> None:
    base, source = tiny["aya"], of(tmp_path, None)
    for name in ("", str(base), f"/moved/{base.name}"):
        check_base(source, adapters(tmp_path, name), Checkpoint(base, base, str(base)))
    for name in ("somebody/else", "/other/folder"):
        with pytest.raises(ConfigError, match=f"were trained on {name}, and the base here is "):
            check_base(source, adapters(tmp_path, name), Checkpoint(base, base, str(base)))


def test_a_base_that_is_quantised_already_is_refused(tiny: dict[FamilyName, Path], tmp_path: Path) -> None:
    base = copied(tiny["aya"], tmp_path / "base")
    check_description(Checkpoint(base, base, "base"))
    edit_json(base / "config.json", quantization_config={"load_in_4bit": True})
    with pytest.raises(ConfigError, match="is quantised already"):
        check_description(Checkpoint(base, base, "base"))
