"""Captions of a corpus's rows by a model that is being trained, or was: a batch at a time, padded on the left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from peft import PeftModel
from torch.utils.data import DataLoader, Dataset
from transformers import PreTrainedModel

from inft.captioning.settings import GenerationSettings
from inft.data.collators import CaptionCollator
from inft.data.encoding import EncodedRow
from inft.data.images import open_image
from inft.data.rows import UnusableRow
from inft.data.workers import shield_workers

CaptionModel: TypeAlias = PeftModel | PreTrainedModel

WROTE_NOTHING = "the model ended its answer at once"


@dataclass(frozen=True, slots=True)
class Caption:
    """What became of a row.

    Attributes:
        row: its number in the corpus.
        text: without white space around it; empty where there is a failure.
        failure: why there is no caption; None if there is one.
    """

    row: int
    text: str
    failure: str | None = None


@dataclass(frozen=True)
class Prompts:
    """A batch as the model gets it; B rows that can be used, T = the longest prompt in tokens.

    Attributes:
        rows: all rows of the batch, in order.
        usable: those that can be used, in the same order.
        failures: why each of the others cannot.
        inputs: `input_ids` and `attention_mask`, each (B, T) int64, and the family's own; empty if B is 0.
    """

    rows: tuple[int, ...]
    usable: tuple[int, ...]
    failures: Mapping[int, str]
    inputs: Mapping[str, torch.Tensor]


def caption_rows(
    model: CaptionModel,
    collator: CaptionCollator,
    rows: Sequence[int],
    settings: GenerationSettings,
    *,
    batch_size: int,
    before_batch: Callable[[], None] = lambda: None,
) -> Iterator[list[Caption]]:
    """Captions of `rows`, `batch_size` at a time in the order given; see `caption_batches`."""
    batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    return caption_batches(model, collator, batches, settings, before_batch=before_batch)


def caption_batches(
    model: CaptionModel,
    collator: CaptionCollator,
    batches: Sequence[Sequence[int]],
    settings: GenerationSettings,
    *,
    workers: int = 0,
    before_batch: Callable[[], None] = lambda: None,
    at_most: int | None = None,
    on_fewer: Callable[[int], None] = lambda rows: None,
) -> Iterator[list[Caption]]:
    """Captions of rows, one list for each batch, in the order given; none is left out.

    The model is in evaluation mode until the iterator ends or is closed, and as before afterwards. No random numbers
    are used up. Where a batch takes more GPU memory than there is, it and all larger ones are made in halves; which
    parts a batch is made in depends on `at_most` alone, so that whoever goes on with it makes the same captions.

    Args:
        model: base with adapters, or a whole model.
        collator: lays the prompts out; rows are numbers of its corpus.
        batches: the rows' numbers.
        settings: how tokens are chosen.
        workers: processes that prepare prompts and pictures; 0 = this one does it.
        before_batch: called before each batch; what it raises ends the iterator.
        at_most: usable rows at once that there has turned out to be room for; None = not known.
        on_fewer: called with the new `at_most` where one was found, before the batch at which it was is given.

    Raises:
        torch.OutOfMemoryError: there is not even room for one row.
    """
    captioner = _Captioner(model, collator, settings, at_most)
    prepared = _prepare(captioner, batches, workers)
    with _evaluating(model):
        for _ in batches:
            before_batch()
            captions = captioner.caption(next(prepared))
            if captioner.at_most not in (None, at_most):
                at_most = captioner.at_most
                on_fewer(at_most)
            yield captions


class _Captioner:
    """Captions batch by batch, of no more rows than there has turned out to be room for."""

    def __init__(
        self, model: CaptionModel, collator: CaptionCollator, settings: GenerationSettings, at_most: int | None
    ) -> None:
        self.at_most = at_most
        self._model = model
        self._collator = collator
        self._settings = settings
        self._tokenizer = collator.encoder.tokenizer
        self._config = settings.for_model(model, self._tokenizer.pad_token_id)

    def prompts(self, rows: Sequence[int]) -> Prompts:
        """The batch of those of the rows that can be used; its pixels are in the model's dtype, as it casts them."""
        encoded: dict[int, EncodedRow] = {}
        failures: dict[int, str] = {}
        for number in rows:
            try:
                row = self._collator.corpus[number]
                encoded[number] = self._collator.encoder.encode_prompt(row, open_image(row.image))
            except UnusableRow as error:
                failures[number] = error.reason
        inputs = self._collator.pad_prompts(list(encoded.values())) if encoded else {}
        return Prompts(
            tuple(rows),
            tuple(encoded),
            failures,
            {name: self._in_dtype(tensor) for name, tensor in inputs.items()},
        )

    def caption(self, prompts: Prompts) -> list[Caption]:
        """The captions of a batch, in its order; all of it is made in parts of one size."""
        while (captions := self._attempt(prompts)) is None:
            torch.cuda.empty_cache()  # out here nothing holds on to the tensors of the attempt
        return captions

    def _attempt(self, prompts: Prompts) -> list[Caption] | None:
        """The captions; None where there was no room for as many, and there are to be fewer now."""
        if self.at_most is not None and len(prompts.usable) > self.at_most:
            return self._by_parts(prompts.rows)
        try:
            texts = self._generate(prompts) if prompts.usable else {}
        except torch.OutOfMemoryError:
            if len(prompts.usable) == 1:
                raise
            self.at_most = (len(prompts.usable) + 1) // 2
            return None
        return [
            Caption(row, texts[row], None if texts[row] else WROTE_NOTHING)
            if row in texts
            else Caption(row, "", prompts.failures[row])
            for row in prompts.rows
        ]

    def _by_parts(self, rows: Sequence[int]) -> list[Caption] | None:
        middle = (len(rows) + 1) // 2
        found: list[Caption] = []
        for part in (rows[:middle], rows[middle:]):
            captions = self._attempt(self.prompts(part))
            if captions is None:
                return None
            found += captions
        return found

    def _generate(self, prompts: Prompts) -> dict[int, str]:
        model: Any = self._model
        device, dtype = model.device, model.dtype
        inputs = {name: tensor.to(device, non_blocking=True) for name, tensor in prompts.inputs.items()}
        # Not inference_mode: what a layer puts by in it, a table of positions for instance, could not be trained with.
        with (
            torch.no_grad(),
            torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32),
            self._randomness(prompts.rows),
        ):
            ids = model.generate(**inputs, generation_config=self._config)
        answers = ids[:, inputs["input_ids"].shape[1] :]
        texts = self._tokenizer.batch_decode(answers, skip_special_tokens=True)
        return {row: text.strip() for row, text in zip(prompts.usable, texts, strict=True)}

    @contextmanager
    def _randomness(self, rows: Sequence[int]) -> Iterator[None]:
        device = self._model.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(self._settings.seed_of(rows))
            yield

    def _in_dtype(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self._model.dtype) if tensor.is_floating_point() else tensor


class _PromptBatches(Dataset[Prompts]):
    """Batches by number, made when they are asked for."""

    def __init__(self, captioner: _Captioner, batches: Sequence[Sequence[int]]) -> None:
        self._captioner = captioner
        self._batches = batches

    def __getitem__(self, index: int) -> Prompts:
        return self._captioner.prompts(self._batches[index])

    def __len__(self) -> int:
        return len(self._batches)


def _prepare(captioner: _Captioner, batches: Sequence[Sequence[int]], workers: int) -> Iterator[Prompts]:
    loader: DataLoader[Prompts] = DataLoader(
        _PromptBatches(captioner, batches),
        batch_size=None,
        num_workers=min(workers, len(batches)),
        collate_fn=_as_it_is,
        # A batch of pictures takes hundreds of megabytes of shared memory, and every worker is one ahead anyway.
        prefetch_factor=1 if workers and batches else None,
        generator=torch.Generator(),  # it would draw its seed from the generator that trains otherwise
    )
    shield_workers(loader)
    return iter(loader)


def _as_it_is(prompts: Any) -> Any:
    return prompts


@contextmanager
def _evaluating(model: CaptionModel) -> Iterator[None]:
    trained = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in trained:
            module.training = True
