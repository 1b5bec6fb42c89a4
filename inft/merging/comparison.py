"""The adapters on the base as they were trained, and the merged model, on the same rows, one after the other."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from inft.adapters.loading import load_with_adapters
from inft.config import Config
from inft.data.collators import CaptionCollator
from inft.data.encoding import EncodingLimits
from inft.data.munichus import Selection, load_evaluation_rows, load_rows
from inft.data.spread import evenly_spread
from inft.errors import DataError, DivergedError, InftError
from inft.machine.room import look_at_room
from inft.merging.losses import Losses, measure_losses
from inft.models.checkpoint import Checkpoint, load_processor
from inft.models.family import Family
from inft.models.quantization import DTYPES
from inft.runs.quantities import size

BOUND = 0.02
"""By what share of the loss the merged model's may be higher before it is called worse; docs/merging.md has the
figures that this is chosen by."""

TEST_SPLIT = "test"

ACTIVATIONS_BYTES = 4 << 30
"""Left free beside the merged model; Llama's vision tower on four pictures is the most that its evaluation holds."""

DEVICES = {"cuda": "GPU", "cpu": "CPU"}

Say = Callable[[str, str], None]
"""Is told what is under way, and how far that is."""


@dataclass(frozen=True)
class Sample:
    """The rows that both models are tried on.

    Attributes:
        split: where they are from, in words.
        selection: what they are numbers of.
        rows: by language.
    """

    split: str
    selection: Selection
    rows: Mapping[str, Sequence[int]]

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(map(len, self.rows.values()))


@dataclass(frozen=True)
class Comparison:
    """Both losses.

    Attributes:
        split: as `Sample`.
        rows: how many.
        trained: of the adapters on the base as they were trained.
        merged: of the merged model.
        four_bit: whether that base is in 4 bit.
        devices: where each of the two was.
    """

    split: str
    rows: int
    trained: Losses
    merged: Losses
    four_bit: bool
    devices: tuple[str, str]

    @property
    def is_worse(self) -> bool:
        """Whether the merged model is worse than the bound allows, on all rows together."""
        return is_worse(self.trained.overall, self.merged.overall)


def is_worse(trained: float, merged: float) -> bool:
    """Whether a merged model's loss is higher than the bound allows, or no number.

    >>> is_worse(2.0, 2.03), is_worse(2.0, 2.05), is_worse(2.0, float("nan"))
    (False, True, True)
    """
    return not merged <= trained * (1 + BOUND)


class NotCompared(Exception):
    """The two could not be compared here; says why, as the end of a sentence."""


def choose_sample(config: Config, root: Path, count: int, say: Say) -> Sample:
    """About `count` rows, as many of each language as of any other; of the evaluation's rows if the run has any.

    Raises:
        NotCompared: the run does not evaluate, and its corpus has no such split to take them of instead.
        InftError: they cannot be had.
    """
    try:
        return _sample(config, root, count, say)
    except InftError as error:
        raise type(error)(error.message, f"{error.fix} To merge without a comparison: --no-check.") from error


def _sample(config: Config, root: Path, count: int, say: Say) -> Sample:
    each = -(-count // len(set(config.data.languages)))
    data = replace(config.data, eval_rows_per_lang=each)
    opening, scanning = _progress("opening the corpus", "languages", say), _progress("reading rows", "rows", say)
    selection = load_evaluation_rows(data, root=root, on_open=opening, on_scan=scanning)
    split = f"split {data.evaluation_split}, held out" if data.eval_fraction else f"split {data.evaluation_split}"
    if selection is None:
        data = replace(config.data, max_rows_per_lang=each)
        split = f"split {TEST_SPLIT}"
        try:
            selection = load_rows(data, root=root, split=TEST_SPLIT, on_open=opening, on_scan=scanning)
        except DataError as error:
            raise NotCompared(f"the run does not evaluate; {error.message.removesuffix('.')}") from error
    chosen = evenly_spread(count, len(selection))
    rows = {language: [row for row in chosen if row in among] for language, among in selection.languages.items()}
    return Sample(split, selection, {language: some for language, some in rows.items() if some})


class Comparer:
    """Measures one model after the other; each is gone from memory before the next one comes.

    Args:
        config: of the run.
        family: the architecture.
        checkpoint: the base.
        sample: the rows.
        device: where there is a GPU, that.
        say: is told what is under way.
    """

    def __init__(
        self,
        config: Config,
        family: Family,
        checkpoint: Checkpoint,
        sample: Sample,
        device: torch.device,
        say: Say,
    ) -> None:
        self._config = replace(config, qlora=replace(config.qlora, hold_dequantized=False))  # the same numbers
        self._family = family
        self._checkpoint = checkpoint
        self._sample = sample
        self._device = device
        self._say = say
        processor = load_processor(checkpoint.processor, family)
        self._collator: CaptionCollator = family.collator(
            processor, sample.selection, config.data.language_names, EncodingLimits.of(config)
        )

    def measure_adapters(self, folder: Path) -> Losses:
        """The loss of the adapters in `folder` on the base that they were trained on, quantised as it was then.

        Raises:
            NotCompared: it does not fit.
            DataError: none of the rows can be used.
            InftError: something cannot be loaded.
        """
        words = "the adapters as they were trained"
        found = self._on(
            self._device, lambda: self._losses(self._config, self._checkpoint, folder, self._device, words)
        )
        if found is None:
            raise NotCompared("the adapters on their base did not fit into the GPU's free memory")
        return found

    def compare(self, trained: Losses, merged: Path, weights_bytes: int) -> Comparison:
        """The loss of the merged model beside that of the adapters.

        Args:
            trained: the latter.
            merged: the former's folder.
            weights_bytes: how much memory it takes.

        Raises:
            NotCompared: it does not fit.
            InftError: something cannot be loaded.
        """
        config = replace(
            self._config,
            qlora=replace(self._config.qlora, load_in_4bit=False),
            basic=replace(self._config.basic, dtype="bfloat16"),
        )
        device = self._room_for(weights_bytes)
        second = self._on(device, lambda: self._merged(config, merged, device))
        if second is None:  # what is free now is not what was free then: other programs use the card
            device = self._host(weights_bytes)
            second = self._merged(config, merged, device)
        return Comparison(
            split=self._sample.split,
            rows=self._sample.count,
            trained=trained,
            merged=second,
            four_bit=self._config.qlora.load_in_4bit,
            devices=(DEVICES[self._device.type], DEVICES[device.type]),
        )

    def _on(self, device: torch.device, work: Callable[[], Losses]) -> Losses | None:
        """What `work` gives, whose model is gone by then; None if the GPU had no room for it."""
        try:
            return work()
        except torch.OutOfMemoryError:
            if device.type == "cpu":
                raise
            return None
        finally:
            gc.collect()  # layers and hooks point at each other
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _room_for(self, weights_bytes: int) -> torch.device:
        """Where a model of that size goes.

        Raises:
            NotCompared: nowhere.
        """
        if self._device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self._device)
            if free >= weights_bytes + ACTIVATIONS_BYTES:
                return self._device
        return self._host(weights_bytes)

    def _host(self, weights_bytes: int) -> torch.device:
        available = look_at_room().memory_available_bytes
        if available is not None and available < weights_bytes:
            tried = "neither the GPU nor the host's memory has" if self._device.type == "cuda" else "the host has not"
            raise NotCompared(f"the merged model takes {size(weights_bytes)}, and {tried} so much free")
        return torch.device("cpu")

    def _merged(self, config: Config, folder: Path, device: torch.device) -> Losses:
        return self._losses(config, Checkpoint(folder, folder, folder.name), None, device, "the merged model")

    def _losses(
        self, config: Config, checkpoint: Checkpoint, adapters: Path | None, device: torch.device, words: str
    ) -> Losses:
        model = load_with_adapters(
            config,
            self._family,
            checkpoint,
            adapters,
            device=device,
            progress=lambda done, total: self._say(f"loading {words}", f"{done} of {total} tensors"),
        )
        return measure_losses(
            model,
            self._collator,
            self._sample.rows,
            DTYPES[config.compute_dtype],
            lambda done, total: self._say(f"loss of {words}", f"{done} of {total} rows"),
        )


def worse(comparison: Comparison, output: Path) -> DivergedError:
    """The error for a merged model that is not as good as what it was made of."""
    return DivergedError(
        f"The merged model's loss is {comparison.merged.overall:.4f}, the adapters' {comparison.trained.overall:.4f}: "
        f"higher by more than {100 * BOUND:.0f} %. It is in {output}, and goes nowhere else.",
        "Use the adapters on the base as they were trained, or score both before anybody relies on it.",
    )


def _progress(doing: str, unit: str, say: Say) -> Callable[..., None]:
    return lambda *told: say(doing, f"{told[-2]:,} of {told[-1]:,} {unit}")
