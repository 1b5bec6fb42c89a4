"""`inft-tui modules`, run as a process; and the lines it prints, by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from inft import edge
from inft.errors import ConfigError, ExitCode
from inft.models.inventory import LinearModule, merge, ranges, take_inventory
from inft.models.registry import FAMILIES
from inft.modules import main
from inft.params import FamilyName
from inft.profiles import resolve
from tests.models.bases import demo
from tests.stand_in_hub import run_before_and_after_it_goes
from tests.training.nursery import Nursery

TOKEN = "hf_" + "Ab1" * 11 + "Z"
ELSEWHERE = ("--set", "basic.aya_model_name=nobody/model", "--set", "basic.aya_processor_name=nobody/model")


def modules(cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "inft.modules", *arguments],
        env=os.environ | {"INFT_CACHE": str(cache)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def layer(path: str, outputs: int = 8, adapter: bool = False) -> LinearModule:
    return LinearModule(path, 8, outputs, "language", adapter)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([7], "7"),
        ([0, 1], "{0,1}"),
        ([0, 1, 2], "{0..2}"),
        ([3, 8, 13], "{3,8,13}"),
        ([2, 1, 0, 4, 5, 9, 10, 11, 12], "{0..2,4,5,9..12}"),
    ],
)
def test_layer_numbers_are_told_as_runs(numbers: list[int], expected: str) -> None:
    assert ranges(numbers) == expected


def test_layers_that_differ_in_their_number_alone_share_a_line() -> None:
    alike = [layer(f"a.layers.{n}.q", outputs=4 if n == 2 else 8, adapter=n < 2) for n in range(6)]
    assert [(path, count) for path, _, count in merge([*alike, layer("a.proj"), layer("a.x.0.1.q")])] == [
        ("a.layers.{0,1}.q", 2),
        ("a.layers.2.q", 1),
        ("a.layers.{3..5}.q", 3),
        ("a.proj", 1),
        ("a.x.0.1.q", 1),
    ]


def test_the_released_llama_fits_on_a_screen() -> None:
    config = resolve("llama_adv").config
    family = FAMILIES["llama32"]
    inventory = take_inventory(family.released_config(), config, family)
    lines = [line.split() for line in inventory.lines()]
    others = "{0..2,4..7,9..12,14..17,19..22,24..27,29..32,34..37,39}"
    layers = "model.language_model.layers"
    assert [f"{layers}.{others}.self_attn.q_proj", "4096x4096", "x32", "language", "adapter"] in lines
    assert [f"{layers}.{{0..39}}.mlp.down_proj", "14336x4096", "x40", "language", "adapter"] in lines
    cross = f"{layers}.{{3,8,13,18,23,28,33,38}}.cross_attn.k_proj"
    assert [cross, "4096x1024", "x8", "language", "adapter"] in lines
    assert ["model.multi_modal_projector", "7680x4096", "x1", "projector", "adapter"] in lines
    fc1 = "model.vision_model.transformer.layers.{0..31}.mlp.fc1"
    assert [fc1, "1280x5120", "x32", "vision", "-"] in lines
    assert len(lines) == 24
    assert len(inventory.modules) == 521


def test_the_inventory_and_the_table_agree(family: FamilyName) -> None:
    config, described = demo(family, "lora.scope=language", "lora.r=3")
    inventory = take_inventory(described.released_config(), config, described)
    assert inventory.table is not None
    adapted = [module for module in inventory.modules if module.adapter]
    assert inventory.table.trainable == sum(3 * (module.inputs + module.outputs) for module in adapted)
    assert sum(row.modules for row in inventory.table.rows) == len(adapted)
    assert {module.group for module in adapted} == {"language"}


def test_targets_that_match_nothing_leave_the_list() -> None:
    config, described = demo("aya", "lora.target_modules=nope")
    inventory = take_inventory(described.released_config(), config, described)
    assert len(inventory.modules) == 388
    assert not any(module.adapter for module in inventory.modules)
    assert inventory.table is None
    assert isinstance(inventory.problem, ConfigError)


@pytest.mark.slow
def test_the_command_prints_layers_and_table_and_nothing_else(tmp_path: Path) -> None:
    done = modules(tmp_path, "--profile", "demo_llama", "--set", "lora.target_modules=q_proj,mm_projector")
    assert (done.returncode, done.stderr) == (ExitCode.FINISHED, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "53 linear layers of tiny llama32: inputs x outputs, how many alike"
    assert "model.language_model.layers.{0,2}.self_attn.q_proj               256x256  x2  language   adapter" in lines
    assert lines[-1] == "target names that are not in this model: mm_projector"
    assert all(line == line.rstrip() for line in lines)


def in_this_process(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command, without another process that loads the libraries."""
    monkeypatch.setenv("INFT_CACHE", str(cache))
    for name, value in edge.QUIET.items():
        monkeypatch.setenv(name, value)  # the program sets them for good, which this process must outlive
    return main(arguments), *capfd.readouterr()


def test_json_is_one_document_with_each_layer_by_itself(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    code, told, said = in_this_process(cache, monkeypatch, capfd, "--profile", "demo_aya", "--json")
    assert (code, said) == (ExitCode.FINISHED, "")
    document = json.loads(told)
    assert (document["profile"], document["family"], document["mode"]) == ("demo_aya", "aya", "basic")
    assert len(document["modules"]) == 42
    assert document["modules"][0] == {
        "path": "model.language_model.layers.0.self_attn.q_proj",
        "inputs": 256,
        "outputs": 256,
        "group": "language",
        "adapter": True,
    }
    trainable = document["trainable"]
    assert trainable["trainable"] == sum(group["trainable"] for group in trainable["groups"]) == 1_097_728
    assert trainable["unmatched"] == []


def test_targets_that_match_nothing_are_told_behind_the_list(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--profile", "demo_aya", "--set", "lora.target_modules=nope")
    code, told, said = in_this_process(cache, monkeypatch, capfd, *arguments)
    assert code == ExitCode.USAGE
    assert "model.multi_modal_projector.linear_1" in told
    assert said.startswith("error: None of the LoRA targets nope is a linear layer")
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "error: --profile is missing. There are: aya_adv,"),
        (("--profile", "demo_lama"), 'error: There is no profile "demo_lama"'),
        (("--profile", "demo_aya", "--set", "lora.rr=3"), "lora.rr"),
        (("--profile", "demo_aya", "--set", "lora.r=0"), "lora.r"),
    ],
)
def test_a_mistake_is_told_without_waiting_for_the_libraries(
    tmp_path: Path, arguments: tuple[str, ...], expected: str
) -> None:
    script = (
        "import sys, inft.modules; code = inft.modules.main(sys.argv[1:]); "
        "sys.exit(70 if 'torch' in sys.modules else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == ExitCode.USAGE
    assert expected in done.stderr
    assert done.stdout == ""


def test_a_mistake_is_an_alert_in_json(tmp_path: Path) -> None:
    done = modules(tmp_path, "--profile", "nobody", "--json")
    assert done.returncode == ExitCode.USAGE
    alert = json.loads(done.stdout)
    assert (alert["event"], alert["level"], alert["kind"]) == ("alert", "error", "configuration")


@pytest.mark.slow
def test_a_hub_checkpoint_is_described_by_its_config_json(tiny: dict[FamilyName, Path], tmp_path: Path) -> None:
    contents = {path.name: path.read_bytes() for path in tiny["aya"].iterdir()}
    arguments = ("--profile", "aya_adv")
    hub, done, unreached = run_before_and_after_it_goes(
        *("CohereLabs/aya-vision-8b", contents, tmp_path, "inft.modules"),
        (arguments, [*arguments, *ELSEWHERE]),
        {"HF_TOKEN": TOKEN},
    )
    assert (done.returncode, done.stderr) == (ExitCode.FINISHED, "")
    assert done.stdout.startswith("42 linear layers of CohereLabs/aya-vision-8b: ")
    assert hub.fetched == ["config.json"]
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["model.multi_modal_projector.linear_2", "128x256", "x1", "projector", "adapter"] in lines
    check_not_had(unreached)


@pytest.mark.slow
def test_offline_the_command_ends_in_one_sentence(nursery: Nursery) -> None:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_TOKEN": TOKEN}
    check_not_had(nursery.run(["-m", "inft.modules", "--profile", "aya_adv", *ELSEWHERE], environment))


def check_not_had(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == ExitCode.HUB
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("error: The model nobody/model is not in the cache")
    assert TOKEN not in done.stderr
