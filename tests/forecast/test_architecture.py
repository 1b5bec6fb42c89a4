from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from inft.config import Config
from inft.errors import ConfigError
from inft.forecast.architecture import architecture_of, find_architecture
from inft.forecast.layers import total_parameters
from inft.forecast.weights import base_bytes, checkpoint_bytes, gradient_bytes, optimiser_bytes
from inft.models.released import RELEASED
from inft.models.tiny_description import TILE_PIXELS, tiny_description
from inft.params import FamilyName
from inft.profiles import resolve

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def config_of(profile: str, *overrides: str) -> Config:
    return resolve(profile, overrides).config


def smaller(family: FamilyName) -> dict[str, Any]:
    """A description that is not the released one."""
    return tiny_description(family, TILE_PIXELS[family])


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub's client."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path / "hf" / "hub"


def cache(hub: Path, repo: str, description: object, *, ref: str = "main") -> None:
    folder = hub / f"models--{repo.replace('/', '--')}"
    (folder / "snapshots" / COMMIT).mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / ref).write_text(COMMIT)
    (folder / "snapshots" / COMMIT / "config.json").write_text(json.dumps(description))


def test_the_tiny_checkpoint_is_known_before_it_is_made(tmp_path: Path) -> None:
    found = find_architecture(config_of("demo_aya"), tmp_path)
    assert found == architecture_of("aya", smaller("aya"))


def test_a_folder_is_what_its_description_says(tmp_path: Path) -> None:
    config = config_of("llama_basic", "basic.model_source=folder", "basic.model_path=model")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps(smaller("llama32")))
    assert find_architecture(config, tmp_path) == architecture_of("llama32", smaller("llama32"))


def test_one_on_the_hub_that_is_not_here_is_taken_for_the_released_one(hub: Path, tmp_path: Path) -> None:
    assert find_architecture(config_of("aya_basic"), tmp_path) == architecture_of("aya", RELEASED["aya"])


@pytest.mark.parametrize(
    ("overrides", "ref"), [((), "main"), (("basic.revision=v2",), "v2"), ((f"basic.revision={COMMIT}",), "main")]
)
def test_one_in_the_hub_s_cache_is_read_there(hub: Path, tmp_path: Path, overrides: tuple[str, ...], ref: str) -> None:
    cache(hub, "somebody/their-aya", smaller("aya"), ref=ref)
    config = config_of("aya_basic", "basic.aya_model_name=somebody/their-aya", *overrides)
    assert find_architecture(config, tmp_path) == architecture_of("aya", smaller("aya"))


def test_the_hub_s_cache_is_where_its_client_puts_it(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "from huggingface_hub.constants import HF_HUB_CACHE; print(HF_HUB_CACHE)"
    ours = "from inft.hub_cache import hub_cache_dir; print(hub_cache_dir())"
    monkeypatch.setenv("HUB_ROOT", str(tmp_path))
    cases: list[Mapping[str, str]] = [{}, {"HF_HUB_CACHE": "$HUB_ROOT/x"}, {"HUGGINGFACE_HUB_CACHE": "~/y"}]
    for case in cases:
        for name, value in case.items():
            monkeypatch.setenv(name, value)
    both = f"{program}\n{ours}"
    theirs, mine = subprocess.check_output([sys.executable, "-c", both], text=True).splitlines()
    assert mine == theirs


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a JSON object"),
        ('{"model_type": "llava"}', '"llava"'),
        ('{"text_config": []}', "text_config"),
        ('{"text_config": {"hidden_size": "wide"}}', "text_config.hidden_size"),
        ('{"text_config": {"hidden_size": 0}}', "text_config.hidden_size"),
        ('{"text_config": {"hidden_size": -4096}}', "text_config.hidden_size"),
        ('{"text_config": {"hidden_size": true}}', "text_config.hidden_size"),
        ('{"text_config": {"num_hidden_layers": 1e99}}', "text_config.num_hidden_layers"),
        ('{"vision_config": {"image_size": []}}', "vision_config.image_size"),
        ('{"tie_word_embeddings": "no"}', "tie_word_embeddings"),
    ],
)
def test_a_description_that_cannot_be_is_refused_by_name(tmp_path: Path, content: str, named: str) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(content)
    config = config_of("aya_basic", "basic.model_source=folder", "basic.model_path=model")
    with pytest.raises(ConfigError) as caught:
        find_architecture(config, tmp_path)
    assert named in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("table", "name", "value"),
    [
        ("text_config", "cross_attention_layers", [1, -1]),
        ("text_config", "cross_attention_layers", 3),
        ("vision_config", "supported_aspect_ratios", 8),
        ("vision_config", "intermediate_layers_indices", ["a"]),
    ],
)
def test_lists_of_llama_that_cannot_be_are_refused_by_name(table: str, name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{table}.{name}"):
        architecture_of("llama32", {table: {name: value}})


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    config = config_of("aya_basic", "basic.model_source=folder", "basic.model_path=nowhere")
    with pytest.raises(ConfigError, match="nowhere"):
        find_architecture(config, tmp_path)


@pytest.mark.parametrize("profile", ["aya_adv", "llama_adv"])
def test_sizes_are_there_between_two_keystrokes(profile: str) -> None:
    config = config_of(profile)
    architecture = architecture_of(config.family, RELEASED[config.family])

    def all_of_it() -> None:
        total_parameters(architecture)
        base_bytes(config, architecture)
        gradient_bytes(config, architecture)
        optimiser_bytes(config, architecture)
        checkpoint_bytes(config, architecture)

    all_of_it()
    times = []
    for _ in range(20):
        began = time.perf_counter()
        all_of_it()
        times.append(time.perf_counter() - began)
    assert min(times) < 2e-3


def test_no_library_is_imported_for_it() -> None:
    program = (
        "import sys; import inft.forecast.weights, inft.runs.plans, inft.models.targets; "
        "print({'torch', 'transformers', 'huggingface_hub', 'numpy'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"
