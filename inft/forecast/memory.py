"""The memory that a run takes on a GPU, before anything is loaded: pure arithmetic on its parameters and lengths."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from inft.config import Config
from inft.forecast.activations import Activations
from inft.forecast.architecture import Architecture
from inft.forecast.choice import Choice, choice_of, with_choice
from inft.forecast.lengths import BatchShape, LengthTable
from inft.forecast.weights import adapter_bytes, base_bytes, gradient_bytes, optimiser_bytes
from inft.machine.units import GIB

CONTEXT_BYTES = int(0.75 * GIB)
"""What CUDA, cuBLAS and bitsandbytes take beside PyTorch's allocator; 0.75 GiB on an H200 with CUDA 13."""


@dataclass(frozen=True)
class Part:
    """Some of the memory.

    Attributes:
        name: one word, for scripts.
        words: what it is.
    """

    name: str
    bytes: int
    words: str


@dataclass(frozen=True)
class Forecast:
    """The most memory that a run takes at one time.

    Attributes:
        choice: how it does its steps.
        parts: what is there at that time; they add up to `peak_bytes`.
        peak_bytes: as `torch.cuda.max_memory_allocated` counts.
        training_bytes: the most of it while training; less where evaluation or captions take more.
        card_bytes: what has to be free on the card: the same, and what CUDA itself takes.
        moment: when that is, as the end of a sentence.
        shape: the micro-batch that it happens with.
        measured_lengths: whether the rows' lengths were measured, or assumed.
    """

    choice: Choice
    parts: tuple[Part, ...]
    peak_bytes: int
    training_bytes: int
    card_bytes: int
    moment: str
    shape: BatchShape
    measured_lengths: bool


def forecast(
    config: Config, architecture: Architecture, lengths: LengthTable, choice: Choice | None = None
) -> Forecast:
    """The forecast of a configuration.

    Args:
        config: the run's parameters.
        architecture: of its model.
        lengths: of its rows.
        choice: how it does its steps; None = as configured.

    Raises:
        ConfigError: the adapters' targets match no layer.
    """
    chosen = choice or choice_of(config)
    config = with_choice(config, chosen)
    shapes = lengths.heaviest(chosen.micro_batch)
    found = [_of_shape(config, architecture, shape, chosen, lengths.measured) for shape in shapes]
    return max(found, key=lambda one: one.peak_bytes)


def of_shape(config: Config, architecture: Architecture, shape: BatchShape, *, measured: bool = True) -> Forecast:
    """The forecast of a configuration on one micro-batch that is known."""
    return _of_shape(config, architecture, shape, choice_of(config), measured)


def heaviness(config: Config, architecture: Architecture, shape: BatchShape) -> int:
    """How heavy a micro-batch is: the `Forecast.training_bytes` of it."""
    return of_shape(config, architecture, shape).training_bytes


def _of_shape(
    config: Config, architecture: Architecture, shape: BatchShape, choice: Choice, measured: bool
) -> Forecast:
    base, state = base_bytes(config, architecture), optimiser_bytes(config, architecture)
    held = Activations(config, architecture, shape)
    kept = held.kept()
    words_of_base = "base, held dequantised" if choice.hold_dequantized else "base"
    fixed = [
        Part("base", base.total, words_of_base),
        Part("adapters", adapter_bytes(config, architecture), "adapters"),
        Part("gradients", gradient_bytes(config, architecture), "gradients"),
        Part("optimiser", state.card, "optimiser state"),
        Part("inputs", held.inputs(choice.accumulation), "pictures and ids that are on the card"),
    ]
    of_vision = [
        Part("vision", int(kept.vision), "activations of the vision tower"),
        Part("projector", int(kept.projector), "activations of the projector"),
    ]
    of_all = [
        *of_vision,
        Part("text", int(kept.text), "activations of the language model"),
        Part("casts", int(kept.adapters), "adapters in 16 bit"),
    ]
    # Compiled layers make theirs one layer at a time.
    casts = 0 if kept.adapters or config.sft.torch_compile else held.cast_adapters()
    training = {
        "the vision tower's forward pass": [*of_vision, _work(held.vision_work())],
        "the language model's forward pass": [*of_all, _work(held.text_work() + casts)],
        "the loss": [*of_all, _work(held.loss_work())],
        "the language model's backward pass": [*of_all, _work(held.text_backward_work())],
        "the vision tower's backward pass": [*of_vision, _work(held.vision_backward_work())],
    }
    moments = training | _evaluation(config, architecture, shape)
    moment, living = max(moments.items(), key=lambda item: _total(item[1]))
    parts = tuple(part for part in (*fixed, *living) if part.bytes)
    peak = _total(parts)
    return Forecast(
        choice=choice,
        parts=parts,
        peak_bytes=peak,
        training_bytes=_total(fixed) + max(map(_total, training.values())),
        card_bytes=peak + state.paged + CONTEXT_BYTES,
        moment=moment,
        shape=shape,
        measured_lengths=measured,
    )


def _evaluation(config: Config, architecture: Architecture, shape: BatchShape) -> dict[str, list[Part]]:
    """Passes without a backward one, `sft.inference_batch_size` rows at a time as heavy as the training's heaviest."""
    basic, rows = config.basic, config.sft.inference_batch_size
    frozen = replace(config, sft=replace(config.sft, gradient_checkpointing=True))
    moments = {}
    if config.evaluates:
        held = Activations(frozen, architecture, _of_rows(shape, rows))
        moments["the evaluation"] = [_forward(held)]
    if basic.sample_rows or (config.evaluates and basic.eval_captions):
        # Every beam goes through the model, and has keys and values, like a row of its own.
        held = Activations(frozen, architecture, _of_rows(shape, rows * basic.gen_num_beams))
        cache = Part("cache", held.cache(basic.gen_max_new_tokens), "keys and values of the captions being generated")
        moments["the captions"] = [_forward(held), cache]
    return moments


def _of_rows(shape: BatchShape, rows: int) -> BatchShape:
    """So many rows like those of a micro-batch."""
    return BatchShape.of_equal_rows(
        rows=rows,
        tokens=shape.tokens,
        tiles=-(-shape.tiles * rows // shape.rows),
        supervised=-(-shape.supervised * rows // shape.rows),
    )


def _forward(held: Activations) -> Part:
    return _work(max(held.vision_work(backward=False), held.text_work()) + held.cast_adapters())


def _total(parts: Iterable[Part]) -> int:
    return sum(part.bytes for part in parts)


def _work(size: float) -> Part:
    return Part("work", int(size), "work of the layer at hand")
