"""Both models on the same rows: what their losses are, and that only one of them is there at a time."""

from __future__ import annotations

import shutil
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from inft.errors import DataError
from inft.machine.room import Room
from inft.merging import comparison
from inft.merging.comparison import BOUND, Comparer, Comparison, NotCompared, choose_sample
from inft.models.checkpoint import Checkpoint
from inft.params import FamilyName
from tests.merging.adapters import SMALL, adapted, merged, saved
from tests.models.bases import demo

DATA = ("data.languages=en,si", "data.num_workers=0", "data.article_chars=40")
ON_TEST = ("data.eval_split=test", "data.eval_fraction=none")


@pytest.fixture(scope="module")
def pair(tiny: dict[FamilyName, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of Llama's adapters and of the merged model."""
    root = tmp_path_factory.mktemp("pair")
    model, _ = adapted(tiny["llama32"], "llama32")
    adapters = saved(model, root / "adapters")
    folder = merged(tiny["llama32"], adapters, root / "merged")
    shutil.copyfile(tiny["llama32"] / "config.json", folder / "config.json")
    return adapters, folder


def say(stage: str, detail: str) -> None:
    assert stage
    assert detail


def comparer(base: Path, *overrides: str, rows: int = 6) -> Comparer:
    config, family = demo("llama32", *SMALL[:2], *DATA, *overrides)
    config = replace(config, mode="advanced")
    sample = choose_sample(config, base, rows, say)
    checkpoint = Checkpoint(base, base, str(base))
    return Comparer(config, family, checkpoint, sample, torch.device("cpu"), say)


def compared(one: Comparer, adapters: Path, merged: Path, weights_bytes: int) -> Comparison:
    return one.compare(one.measure_adapters(adapters), merged, weights_bytes)


def test_the_losses_on_4_bit_and_merged_are_within_the_bound(
    tiny: dict[FamilyName, Path], pair: tuple[Path, Path]
) -> None:
    found = compared(comparer(tiny["llama32"], *ON_TEST), *pair, 1)
    assert (found.split, found.rows, found.four_bit, found.devices) == ("split test", 6, True, ("CPU", "CPU"))
    assert set(found.trained.languages) == {"en", "si"}
    assert found.merged.overall == pytest.approx(found.trained.overall, rel=BOUND)
    assert found.merged.overall != found.trained.overall
    assert found.trained.tokens == found.merged.tokens
    total = sum(found.trained.languages[code] * tokens for code, tokens in found.trained.tokens.items())
    assert found.trained.overall == pytest.approx(total / sum(found.trained.tokens.values()))


def test_on_a_base_that_was_not_quantised_merging_changes_next_to_nothing(
    tiny: dict[FamilyName, Path], pair: tuple[Path, Path]
) -> None:
    found = compared(comparer(tiny["llama32"], "qlora.load_in_4bit=false"), *pair, 1)
    assert not found.four_bit
    assert found.merged.overall == pytest.approx(found.trained.overall, rel=2e-3)


def test_the_first_model_is_gone_before_the_second_is_loaded(
    tiny: dict[FamilyName, Path], pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[weakref.ref[torch.nn.Module]] = []
    load = comparison.load_with_adapters

    def watched(*args: object, **kwargs: object) -> object:
        assert all(model() is None for model in loaded)
        model = load(*args, **kwargs)  # type: ignore[arg-type]
        loaded.append(weakref.ref(model))
        return model

    monkeypatch.setattr(comparison, "load_with_adapters", watched)
    compared(comparer(tiny["llama32"], rows=2), *pair, 1)
    assert len(loaded) == 2


def test_without_room_it_says_why(
    tiny: dict[FamilyName, Path], pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "look_at_room", lambda: Room(2.0, 2, 1 << 34, 1 << 33))
    with pytest.raises(NotCompared, match=r"takes 8\.0 GiB, and the host has not so much free"):
        compared(comparer(tiny["llama32"], rows=2), *pair, (1 << 33) + 1)


def test_the_rows_are_those_held_out_where_a_run_held_some_out(tiny: dict[FamilyName, Path], tmp_path: Path) -> None:
    config, _ = demo("llama32", *DATA, "data.eval_split=none", "data.eval_fraction=0.3")
    sample = choose_sample(config, tmp_path, 5, say)
    assert sample.split == "split train, held out"
    assert sample.count == 5
    assert {code: {sample.selection[row].language for row in rows} for code, rows in sample.rows.items()} == {
        "en": {"en"},
        "si": {"si"},
    }


def test_without_rows_to_compare_on_it_says_why_and_how_to_do_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "TEST_SPLIT", "exam")  # which this corpus does not have
    config, _ = demo("llama32", *DATA, "data.eval_split=none", "data.eval_fraction=none")
    with pytest.raises(NotCompared, match=r"^the run does not evaluate; .* has no split 'exam'; it has test, train$"):
        choose_sample(config, tmp_path, 5, say)
    config, _ = demo("llama32", *DATA, "data.eval_split=exam", "data.eval_fraction=none")
    with pytest.raises(DataError, match="has no split 'exam'") as raised:
        choose_sample(config, tmp_path, 5, say)
    assert raised.value.fix.endswith("To merge without a comparison: --no-check.")
