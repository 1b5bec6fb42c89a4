"""Bytes of what a run holds whatever its batches: the base, the adapters, their gradients and the optimiser's state.

Each figure is what its tensors hold. PyTorch's allocator rounds every one up to 512 bytes, about a megabyte in all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from inft.config import Config
from inft.forecast.architecture import Architecture
from inft.forecast.layers import LinearLayer, linear_layers, other_biases, other_parameters
from inft.models.targets import LAYOUTS, find_targets
from inft.params import DtypeName, QLoRAParams

WIDTH: dict[DtypeName, int] = {"bfloat16": 2, "float16": 2, "float32": 4}
"""Bytes of a number."""

BLOCK = 64
"""Weights that share a quantisation constant (bitsandbytes quantize_4bit)."""
NESTED_BLOCK = 256
"""Constants that share one of their own under double quantisation."""
CODE_BOOK = 16 * 4
"""Bytes of the 16 values of a 4-bit number, kept with every layer."""
NESTED_CODE_BOOK = 256 * 4 + 4
"""Bytes of the 256 values of an 8-bit constant and the constants' mean, kept with every layer."""

SMALLEST_8_BIT = 4096
"""Numbers of the smallest tensor whose optimiser state bitsandbytes holds in 8 bit; of smaller ones it is fp32."""
OPTIMISER_BLOCK = 256
"""Numbers of such a state that share a constant."""
SMALLEST_PAGED = 100_000
"""Numbers of the smallest tensor whose state a paged optimiser may move to the host."""
OPTIMISER_CODE_BOOKS = 2 * 256 * 4
"""Bytes of the values of both states' 8-bit numbers, kept once."""

FOLDER_OVERHEAD = 40 * 2**20
"""Bytes of a folder besides weights and optimiser: tokenizer.json (up to 20 MB), the schedule's state, settings."""


@dataclass(frozen=True)
class BaseBytes:
    """The frozen base on the card.

    Attributes:
        quantized: 4-bit weights, two to a byte.
        constants: what it takes to read them: absmax per block, and the code books.
        plain: everything that is not 4-bit, in the run's dtype: embeddings, head, norms, biases, positions, modules
            left out of the quantisation, and all linear weights where they are held dequantised or never quantised.
    """

    quantized: int
    constants: int
    plain: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.quantized + self.constants + self.plain


@dataclass(frozen=True)
class OptimiserBytes:
    """The optimiser's state after its first step.

    Attributes:
        card: in PyTorch's memory on the card.
        paged: in memory that the driver moves between card and host; outside of PyTorch's, and off the card where the
            card is full.
    """

    card: int
    paged: int


def base_bytes(config: Config, architecture: Architecture) -> BaseBytes:
    """The base as it is held while training.

    4-bit: `w / 2` bytes for w weights of a layer, and `constant_bytes(w)`. Everything else: `WIDTH[dtype]` bytes a
    number. With `qlora.hold_dequantized` no 4-bit copy is kept.
    """
    return _base_bytes(architecture, config.qlora, config.compute_dtype)


@lru_cache(maxsize=64)
def _base_bytes(architecture: Architecture, qlora: QLoRAParams, dtype: DtypeName) -> BaseBytes:
    quantised, plain = _split(architecture, qlora)
    if qlora.hold_dequantized:
        quantised, plain = (), (*quantised, *plain)
    double = qlora.bnb_4bit_use_double_quant
    rest = other_parameters(architecture) + sum(layer.biases for layer in linear_layers(architecture))
    return BaseBytes(
        quantized=sum(-(-layer.weights // 2) for layer in quantised),
        constants=sum(constant_bytes(layer.weights, double_quant=double) for layer in quantised),
        plain=WIDTH[dtype] * (rest + sum(layer.weights for layer in plain)),
    )


def constant_bytes(weights: int, *, double_quant: bool) -> int:
    """Bytes of what belongs to a 4-bit layer of so many weights.

    `4 ceil(w / 64) + 64`: an fp32 constant per block and the code book. With double quantisation
    `ceil(w / 64) + 4 ceil(w / 64 / 256) + 64 + 1028`: one byte per block, an fp32 per 256 of those, both code books.
    """
    blocks = -(-weights // BLOCK)
    if not double_quant:
        return 4 * blocks + CODE_BOOK
    return blocks + 4 * -(-blocks // NESTED_BLOCK) + CODE_BOOK + NESTED_CODE_BOOK


@lru_cache(maxsize=64)
def adapted_layers(architecture: Architecture, names: tuple[str, ...], scope: str) -> tuple[LinearLayer, ...]:
    """The linear layers that get an adapter.

    Raises:
        ConfigError: the names match none.
    """
    layers = linear_layers(architecture)
    layout = LAYOUTS[architecture.family]
    wanted = frozenset(find_targets([layer.path for layer in layers], names, scope, layout).modules)
    return tuple(layer for layer in layers if layer.path in wanted)


def adapter_parameters(config: Config, architecture: Architecture) -> int:
    """Numbers of the adapters: `r (inputs + outputs)` for each adapted layer."""
    return config.lora.r * _adapted_widths(architecture, config.target_modules, config.lora.scope)


@lru_cache(maxsize=64)
def _adapted_widths(architecture: Architecture, names: tuple[str, ...], scope: str) -> int:
    return sum(layer.inputs + layer.outputs for layer in adapted_layers(architecture, names, scope))


def trained_biases(config: Config, architecture: Architecture) -> int:
    """Numbers of the base's biases that train along (`lora.bias`)."""
    return sum(_bias_sizes(config, architecture))


def trainable_parameters(config: Config, architecture: Architecture) -> int:
    """Numbers that training changes: adapters, and biases of the base if any."""
    return adapter_parameters(config, architecture) + trained_biases(config, architecture)


def adapter_bytes(config: Config, architecture: Architecture) -> int:
    """The adapters on the card, `WIDTH[lora.adapter_dtype]` bytes a number; trained biases are part of the base."""
    return WIDTH[config.lora.adapter_dtype] * adapter_parameters(config, architecture)


def gradient_bytes(config: Config, architecture: Architecture) -> int:
    """A gradient of each trained number in that number's own dtype."""
    biases = WIDTH[config.compute_dtype] * trained_biases(config, architecture)
    return adapter_bytes(config, architecture) + biases


def optimiser_bytes(config: Config, architecture: Architecture) -> OptimiserBytes:
    """The state of `sft.optim`.

    adamw_torch, adamw_torch_fused: two numbers in its own dtype for each trained one. The 8-bit ones, for a tensor of n
    numbers: `2 n + 8 ceil(n / 256)` bytes, `8 n` below 4,096 numbers, and one pair of code books. The paged one keeps
    the `2 n` of tensors from 100,000 numbers on in memory of its own.
    """
    if not config.sft.optim.endswith("8bit"):
        return OptimiserBytes(card=2 * gradient_bytes(config, architecture), paged=0)
    card, paged = OPTIMISER_CODE_BOOKS, 0
    for size in _trained_sizes(config, architecture):
        if size < SMALLEST_8_BIT:
            card += 8 * size
            continue
        card += 8 * -(-size // OPTIMISER_BLOCK)
        if config.sft.optim.startswith("paged") and size >= SMALLEST_PAGED:
            paged += 2 * size
        else:
            card += 2 * size
    return OptimiserBytes(card, paged)


def results_bytes(config: Config, architecture: Architecture) -> int:
    """The folder of the final adapters on disk: what was trained, the processor and some settings."""
    return gradient_bytes(config, architecture) + FOLDER_OVERHEAD


def checkpoint_bytes(config: Config, architecture: Architecture) -> int:
    """One checkpoint on disk: as the final adapters, and the optimiser's whole state."""
    state = optimiser_bytes(config, architecture)
    return results_bytes(config, architecture) + state.card + state.paged


def _split(architecture: Architecture, qlora: QLoRAParams) -> tuple[tuple[LinearLayer, ...], tuple[LinearLayer, ...]]:
    """The linear layers that are quantised, and those that are not."""
    if not qlora.load_in_4bit:
        return (), linear_layers(architecture)
    return _split_by_name(architecture, qlora.skip_modules)


@lru_cache(maxsize=64)
def _split_by_name(
    architecture: Architecture, skipped: tuple[str, ...]
) -> tuple[tuple[LinearLayer, ...], tuple[LinearLayer, ...]]:
    """A name stands for whole parts of a path anywhere in it, as `inft.models.quantization` tells transformers."""

    def is_skipped(layer: LinearLayer) -> bool:
        return any(f".{name}." in f".{layer.path}." for name in skipped)

    layers = linear_layers(architecture)
    return tuple(layer for layer in layers if not is_skipped(layer)), tuple(filter(is_skipped, layers))


def _trained_sizes(config: Config, architecture: Architecture) -> Iterator[int]:
    """Numbers of each trained tensor."""
    for layer in adapted_layers(architecture, config.target_modules, config.lora.scope):
        yield config.lora.r * layer.inputs
        yield config.lora.r * layer.outputs
    yield from _bias_sizes(config, architecture)


def _bias_sizes(config: Config, architecture: Architecture) -> Iterable[int]:
    """Numbers of each trained bias; those outside of linear layers as one, which only 8-bit optimisers would mind."""
    if config.lora.bias == "none":
        return ()
    if config.lora.bias == "lora_only":
        layers = adapted_layers(architecture, config.target_modules, config.lora.scope)
        return tuple(layer.biases for layer in layers if layer.bias)
    of_layers = tuple(layer.biases for layer in linear_layers(architecture) if layer.bias)
    return (*of_layers, other_biases(architecture))
