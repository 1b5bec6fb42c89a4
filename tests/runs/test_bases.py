"""A base model is told from another one by its weights."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import save_file

from inft.errors import ConfigError
from inft.runs.bases import BaseIdentity, identify, trained_on_another, weights_digest
from inft.runs.results import RESULT, Result, read_result


def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {"a": torch.randn(64, 64), "b": torch.randn(3).to(torch.bfloat16), "c": torch.zeros(0)}


def saved(folder: Path, *shards: dict[str, torch.Tensor]) -> str:
    folder.mkdir(parents=True)
    for number, shard in enumerate(shards):
        save_file(shard, folder / f"model-{number}.safetensors", metadata={"format": "pt", "n": str(number)})
    return weights_digest(folder)


def test_files_do_not_matter_and_weights_do(tmp_path: Path) -> None:
    whole, again = saved(tmp_path / "1", weights()), weights()
    assert saved(tmp_path / "2", {"b": again["b"]}, {"a": again["a"], "c": again["c"]}) == whole
    trained = {**weights(), "a": weights()["a"] + 1e-4}
    renamed = {("z" if name == "a" else name): tensor for name, tensor in weights().items()}
    reshaped = {**weights(), "a": weights()["a"].reshape(32, 128)}
    cast = {**weights(), "b": weights()["b"].view(torch.float16)}
    others = [saved(tmp_path / f"o{number}", other) for number, other in enumerate((trained, renamed, reshaped, cast))]
    assert len({whole, *others}) == 5


def test_the_hub_s_cache_tells_the_commit(tmp_path: Path) -> None:
    commit = "0123456789abcdef" * 2 + "01234567"
    snapshot = tmp_path / "models--o--n/snapshots" / commit
    saved(snapshot, weights())
    assert identify("o/n", snapshot).commit == commit
    saved(tmp_path / "model", weights())
    assert identify("model", tmp_path / "model") == BaseIdentity("model", None, identify("o/n", snapshot).weights)


HUB, MOVED = BaseIdentity("o/n", None, "abc"), BaseIdentity("/new/place/tiny", None, "abc")


@pytest.mark.parametrize(
    ("found", "recorded", "name", "other"),
    [
        (HUB, BaseIdentity("elsewhere", None, "abc"), "x/y", None),
        (HUB, BaseIdentity("o/n", None, "f" * 40), "o/n", f"o/n (weights {'f' * 12})"),
        (HUB, None, "o/n", None),
        (HUB, None, "", None),
        (HUB, None, "x/y", "x/y"),
        (MOVED, None, "/old/place/tiny", None),
        (MOVED, None, "/old/place/other", "/old/place/other"),
        (MOVED, None, "tiny", "tiny"),
    ],
)
def test_another_base_is_known_by_its_weights_or_else_by_its_name(
    found: BaseIdentity, recorded: BaseIdentity | None, name: str, other: str | None
) -> None:
    assert trained_on_another(found, recorded, name) == other


def test_a_result_keeps_it_and_older_ones_lack_it(tmp_path: Path) -> None:
    base = BaseIdentity("o/n", None, "abc")
    (tmp_path / RESULT).write_bytes(msgspec.json.encode(Result("one", 3, base=base)))
    assert read_result(tmp_path) == Result("one", 3, base=base)
    (tmp_path / RESULT).write_text('{"run_id": "one", "step": 3}')
    assert read_result(tmp_path) == Result("one", 3)


@pytest.mark.parametrize(
    "content", [b"", b"\x10" + b"\0" * 7 + b"not json at all!", b"\xff" * 9, b"\x02" + b"\0" * 7 + b"[]"]
)
def test_what_is_no_weights_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ConfigError, match="no safetensors file"):
        weights_digest(tmp_path)
