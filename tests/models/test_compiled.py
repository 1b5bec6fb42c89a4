"""Layers that are compiled while they train, and the dropout that goes with them.

torch.compile hands what it has traced and cut into forward and backward to eager execution here: which numbers come
out, what is kept and what is computed again is decided by then, and machine code would take a C++ compiler.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch._dynamo
import torch._functorch.config
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from inft.data.workers import FOR_THE_TRAINER
from inft.models.compiled import CACHE_VARIABLE, cache_compiled, compile_layers
from inft.models.registry import FAMILIES
from inft.models.seeded_dropout import SeededDropout, draw_seeds, mask_like, seed_dropouts
from inft.params import FamilyName
from tests.models.packed_bases import adapted, set_up

LAYERS = 2
TOY = replace(FAMILIES["aya"], layers=("layers",))


class ToyLayer(nn.Module):
    """As little as a layer can be that has something to keep."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(16, 32), nn.Linear(32, 16)

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.down(nn.functional.silu(self.up(hidden)).sin())


class Toy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([ToyLayer() for _ in range(LAYERS)])

    def forward(self, hidden: Tensor) -> Tensor:
        for layer in self.layers:
            hidden = layer(hidden)
        return hidden


def toy(dropout: float = 0.3) -> PeftModel:
    """With adapters that speak."""
    torch.manual_seed(2)
    model = get_peft_model(Toy(), LoraConfig(r=4, lora_dropout=dropout, target_modules=["up", "down"]))
    for name, parameter in model.named_parameters():
        if ".lora_B." in name:
            nn.init.normal_(parameter, std=0.3)
    return model.train()


class Backend:
    """Stands for what makes machine code; counts the calls of what was compiled."""

    def __init__(self) -> None:
        self.calls = 0
        self.original = torch.compile

    def __call__(self, function: Callable[..., Any], *, dynamic: bool) -> Callable[..., Any]:
        compiled = self.original(function, dynamic=dynamic, backend="aot_eager_decomp_partition")

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            return compiled(*args, **kwargs)

        return counted


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    backend = Backend()
    monkeypatch.setattr(torch, "compile", backend)
    # What a test sets is gone after it.
    dynamo, budget = torch._dynamo.config, torch._functorch.config.activation_memory_budget
    functorch = torch._functorch.config.patch(activation_memory_budget=budget)
    before = {name: getattr(dynamo, name) for name in ("recompile_limit", "fail_on_recompile_limit_hit")}
    with dynamo.patch(**before), functorch:
        yield backend
    torch._dynamo.reset()


def compiled_toy(
    budget: float, told: list[tuple[int, int]] | None = None, warn: Callable[[str], None] = pytest.fail
) -> PeftModel:
    model = toy()
    heard: list[tuple[int, int]] = [] if told is None else told
    compile_layers(model, TOY, budget=budget, progress=lambda done, total: heard.append((done, total)), warn=warn)
    return model


def uncompiled_toy() -> PeftModel:
    """The same computation and the same draws, step by step."""
    model = toy()
    for layer in TOY.find_layers(model.get_base_model()):
        dropouts = seed_dropouts(layer)
        layer.register_forward_pre_hook(lambda layer, inputs, dropouts=dropouts: draw_seeds(dropouts, inputs[0].device))
    return model


def outcome(model: PeftModel, rows: int = 40) -> tuple[Tensor, dict[str, Tensor], int]:
    """Output, gradients, and the bytes that were kept for them beside parameters."""
    own = {tensor.untyped_storage().data_ptr() for tensor in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    torch.manual_seed(3)
    inputs, weights = torch.randn(rows, 16), torch.randn(rows, 16)
    model.zero_grad()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = model(inputs)
    (output * weights).sum().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.requires_grad}
    return output.detach(), gradients, sum(kept.values())


def test_whatever_is_computed_again_the_numbers_are_the_same(backend: Backend) -> None:
    """A mask drawn anew in the backward pass would belong to another loss."""
    output, right, _ = outcome(uncompiled_toy())
    kept = []
    for budget in (1.0, 0.5, 0.0):
        torch._dynamo.reset()
        same_output, found, size = outcome(compiled_toy(budget))
        torch.testing.assert_close(same_output, output)
        torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-4)
        kept.append(size)
    assert kept[0] > kept[1] > kept[2], "the budget does not arrive"
    assert kept[2] <= LAYERS * (40 * 16 * 4 + 200), "more is kept than each layer's inputs and seeds"


def test_another_pass_draws_other_masks(backend: Backend) -> None:
    model = compiled_toy(0.0)
    torch.manual_seed(4)
    once, again = (model(torch.ones(5, 16)) for _ in range(2))
    assert not torch.allclose(once, again)


def test_only_training_is_compiled_and_says_so_once(backend: Backend) -> None:
    told: list[tuple[int, int]] = []
    model = compiled_toy(1.0, told)
    assert told == []
    for rows in (40, 50):  # the second with other shapes
        outcome(model, rows)
    assert (told, backend.calls) == ([(1, LAYERS), (2, LAYERS)], 2 * LAYERS)
    inputs = torch.randn(3, 16)
    torch.testing.assert_close(model.eval()(inputs), toy().eval()(inputs))
    assert backend.calls == 2 * LAYERS


@pytest.mark.parametrize(
    ("settings", "budget"),
    [
        (("sft.activation_budget=0.7", "sft.gradient_checkpointing=false"), 0.7),
        (("sft.gradient_checkpointing=true",), 0.0),
    ],
)
def test_every_layer_of_a_model_is_compiled_with_the_budget_asked_for(
    tiny: dict[FamilyName, Path], family: FamilyName, backend: Backend, settings: tuple[str, ...], budget: float
) -> None:
    model = adapted(tiny[family], family, "lora.dropout=0.1")
    layers = FAMILIES[family].find_layers(model.get_base_model())
    before = [layer.forward.__code__ for layer in layers]
    set_up(model, family, "sft.torch_compile=true", *settings)
    assert torch._functorch.config.activation_memory_budget == budget
    assert all(layer.forward.__code__ is not code for layer, code in zip(layers, before, strict=True))
    dropouts = [m.lora_dropout["default"] for m in model.modules() if isinstance(m, LoraLayer) and m.lora_dropout]
    assert len(dropouts) > 20
    assert all(isinstance(dropout, SeededDropout) and dropout.p == 0.1 for dropout in dropouts)


def test_compiled_code_is_kept_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, "elsewhere")
    cache_compiled(tmp_path)
    assert os.environ[CACHE_VARIABLE] == "elsewhere"
    monkeypatch.delenv(CACHE_VARIABLE)
    cache_compiled(tmp_path)
    assert os.environ[CACHE_VARIABLE] == str(tmp_path)


class TestSeededDropout:
    def drawn(self, p: float = 0.1) -> SeededDropout:
        dropout = SeededDropout(p).train()
        draw_seeds([dropout], torch.device("cpu"))
        return dropout

    def test_drops_its_share_and_scales_up_the_rest(self) -> None:
        torch.manual_seed(1)
        inputs = torch.rand(300, 1000) + 1
        output = self.drawn()(inputs)
        dropped = output == 0
        assert float(dropped.float().mean()) == pytest.approx(0.1, abs=0.003)
        torch.testing.assert_close(output[~dropped], inputs[~dropped] / 0.9)
        shares = dropped.float().mean(0)
        assert float(shares.std()) == pytest.approx((0.09 / 300) ** 0.5, rel=0.1), "the draws hang together"
        assert self.drawn()(inputs.bfloat16()).dtype == torch.bfloat16

    def test_passes_gradients_where_it_passed_values(self) -> None:
        inputs = torch.ones(50, 20, requires_grad=True)
        output = self.drawn(0.3)(inputs)
        output.sum().backward()
        assert inputs.grad is not None
        torch.testing.assert_close(inputs.grad, output.detach())

    def test_follows_from_its_seed_alone(self) -> None:
        inputs, dropout = torch.ones(50, 20), self.drawn()
        first = dropout(inputs)
        assert torch.equal(first, dropout(inputs))
        draw_seeds([dropout], torch.device("cpu"))
        assert not torch.equal(first, dropout(inputs))

    def test_does_nothing_in_an_evaluation(self) -> None:
        inputs = torch.ones(5)
        assert SeededDropout(0.5).eval()(inputs) is inputs

    def test_no_two_draw_the_same_mask(self) -> None:
        pair = [SeededDropout(0.5), SeededDropout(0.5)]
        draw_seeds(pair, torch.device("cpu"))
        one, other = (dropout(torch.ones(1000)) for dropout in pair)
        assert not torch.equal(one, other)

    def test_takes_the_place_of_dropout_and_of_nothing_else(self) -> None:
        assert len(seed_dropouts(toy(0.3))) == 2 * LAYERS
        assert seed_dropouts(toy(0)) == []

    def test_its_mask_can_be_compiled(self) -> None:
        torch.library.opcheck(mask_like, (torch.ones(4, 3), torch.tensor([1]), 0.9))


def test_past_the_last_variant_a_layer_goes_on_uncompiled_and_says_so(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "inft.models.compiled.VARIANTS", 2
    )  # what comes in needs no gradient in the first layer, and one in the second
    warnings: list[str] = []
    model = compiled_toy(1.0, warn=warnings.append)
    outcome(model)
    assert not warnings
    model.get_base_model().double()  # inputs of another kind
    for layer in TOY.find_layers(model.get_base_model()):
        layer.register_forward_pre_hook(lambda layer, inputs: (inputs[0].double(),))
    plain = uncompiled_toy()
    plain.get_base_model().double()
    for layer in TOY.find_layers(plain.get_base_model()):
        layer.register_forward_pre_hook(lambda layer, inputs: (inputs[0].double(),))
    for _ in range(2):
        output, found, _ = outcome(model)
        right_output, right, _ = outcome(plain)
        torch.testing.assert_close(output, right_output)
        torch.testing.assert_close(found, right)
    assert warnings == ["Layers have been compiled for 2 kinds of inputs and run uncompiled from now on."]


def test_what_compiling_starts_hears_no_signal_that_is_for_the_trainer(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As inductor's own processes, which are started at the first call."""
    blocked: list[int] = []
    compile_with = backend.original

    def starts_a_process(graph: Any, *arguments: Any, **settings: Any) -> Callable[..., Any]:
        status = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True).stdout
        blocked.append(int(re.search(r"SigBlk:\s*(\w+)", status)[1], 16))
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(compile_with, backend=starts_a_process))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    outcome(compiled_toy(1.0))
    assert blocked
    assert all(mask >> (number - 1) & 1 for mask in blocked for number in FOR_THE_TRAINER)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
