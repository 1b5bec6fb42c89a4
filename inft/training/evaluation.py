"""Evaluations: the loss of every language, and of all of them, over rows that nobody trained on."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import datasets
from torch.utils.data import DataLoader, Sampler
from transformers import TrainerControl
from trl import SFTTrainer

from inft.data.collators import CaptionCollator, SkippedRow
from inft.data.encoding import IGNORE_INDEX
from inft.data.images import open_image
from inft.data.rows import UNKNOWN_LANGUAGE, UnusableRow
from inft.data.workers import shield_workers
from inft.errors import DataError
from inft.evaluation_figures import PREFIX, full_name

if TYPE_CHECKING:
    from inft.training.caption_scores import CaptionScores

CONTENT_KEY = "content"
"""Where a batch carries its `Content`; taken out before the model sees it."""


@dataclass(frozen=True)
class HeldOut:
    """What a run evaluates on.

    Attributes:
        collator: of the rows.
        languages: the numbers of each language's rows.
        captions: captions some of them; None = only the loss is measured.
    """

    collator: CaptionCollator
    languages: Mapping[str, range]
    captions: CaptionScores | None = None


@dataclass(frozen=True)
class Content:
    """What a batch is made of, all of one language.

    Attributes:
        language: of the rows.
        rows: those that the model sees.
        supervised: their tokens that the loss is about.
        skipped: those that cannot be used, which nothing takes the place of.
    """

    language: str
    rows: int
    supervised: int
    skipped: Sequence[SkippedRow]


def check_languages(held_out: HeldOut) -> None:
    """Makes sure, before anything is trained, that each language has a row to evaluate on.

    Raises:
        DataError: of some language no row can be used.
    """
    usable = EvaluationCollator(held_out.collator)
    missing = [
        language
        for language, rows in held_out.languages.items()
        if not any(usable([{"row": row}])[CONTENT_KEY].rows for row in rows)
    ]
    if missing:
        raise _none_usable(missing)


def _none_usable(languages: Sequence[str], so: str = "") -> DataError:
    return DataError(
        f"None of the rows to evaluate on in {', '.join(languages)} can be used{so}.",
        "Raise basic.max_length, mend the pictures, or take the language out of data.languages.",
    )


class EvaluationCollator:
    """Batches to evaluate on, as those trained on except that a row which cannot be used is left out.

    Another in its place would count twice.

    Args:
        collator: pads the rows.
    """

    def __init__(self, collator: CaptionCollator) -> None:
        self._collator = collator

    def __call__(self, examples: Sequence[Mapping[str, int]]) -> dict[str, Any]:
        """The batch of the rows numbered by each example's `row`; its `Content` alone where none can be used."""
        usable, skipped, languages = [], [], []
        for example in examples:
            language = UNKNOWN_LANGUAGE
            try:
                row = self._collator.corpus[example["row"]]
                language = row.language
                usable.append(self._collator.encoder.encode(row, open_image(row.image)))
                languages.append(language)
            except UnusableRow as error:
                skipped.append(SkippedRow(error.cause, language, error.place, error.reason))
        batch: dict[str, Any] = self._collator.pad(usable, "right") if usable else {}
        supervised = int((batch["labels"] != IGNORE_INDEX).sum()) if usable else 0
        batch[CONTENT_KEY] = Content((languages or [UNKNOWN_LANGUAGE])[0], len(usable), supervised, skipped)
        return batch


class LanguageBatches(Sampler[list[int]]):
    """Row numbers in batches of at most `batch_size`, none of two languages.

    Args:
        languages: the numbers of each language's rows.
        batch_size: rows of a batch.
    """

    def __init__(self, languages: Mapping[str, range], batch_size: int) -> None:
        self.batch_size = batch_size
        self._batches = [
            list(rows[start : start + batch_size])
            for rows in languages.values()
            for start in range(0, len(rows), batch_size)
        ]

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._batches)

    def __len__(self) -> int:
        return len(self._batches)


class TokenMeans:
    """Means over tokens, of each language and of all: so they depend neither on the batches nor on their order."""

    def __init__(self) -> None:
        self._tokens: dict[str, int] = defaultdict(int)
        self._losses: dict[str, float] = defaultdict(float)
        self._others: dict[str, float] = defaultdict(float)

    def add(self, language: str, tokens: int, loss: float, others: Mapping[str, float]) -> None:
        """One batch.

        Args:
            language: of its rows.
            tokens: how many the following are means of.
            loss: in nats.
            others: further figures, told for all languages together.
        """
        self._tokens[language] += tokens
        self._losses[language] += loss * tokens
        for name, value in others.items():
            self._others[name] += value * tokens

    def figures(self) -> dict[str, float]:
        """`eval_loss`, that of each language, and the others."""
        total = sum(self._tokens.values())
        return {
            f"{PREFIX}loss": sum(self._losses.values()) / total,
            **{f"{PREFIX}loss_{name}": loss / self._tokens[name] for name, loss in self._losses.items()},
            **{f"{PREFIX}{name}": value / total for name, value in self._others.items()},
        }

    def missing(self, languages: Sequence[str]) -> list[str]:
        """Those of the languages that no token was of."""
        return [language for language in languages if not self._tokens[language]]


class EvaluatingTrainer(SFTTrainer):
    """An `SFTTrainer` that evaluates language by language.

    `eval_loss` is the mean over all supervised tokens and `eval_loss_<language>` that over the language's, however the
    rows fall into batches.

    Args:
        held_out: what on; None = it does not evaluate.
        kwargs: as `SFTTrainer`.
    """

    control: TrainerControl

    def __init__(self, *, held_out: HeldOut | None, **kwargs: Any) -> None:
        self._held_out = held_out
        rows = None if held_out is None else row_numbers(len(held_out.collator.corpus))
        super().__init__(eval_dataset=rows, **kwargs)

    def between_batches(self) -> None:
        """Called before captions are generated, batch by batch; may raise to break the evaluation off."""

    def count_rows(self, rows: int, skipped: Sequence[SkippedRow]) -> None:
        """Hears how many rows of a batch were evaluated, and which were skipped."""

    def leave_out(self, languages: Sequence[str]) -> None:
        """Hears of languages that an evaluation has no loss of, since none of their rows could be used."""

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """The evaluation's batches, with their `Content`."""
        assert self._held_out is not None
        loader: DataLoader[Any] = DataLoader(
            self.eval_dataset,
            batch_sampler=LanguageBatches(self._held_out.languages, self.args.per_device_eval_batch_size),
            collate_fn=EvaluationCollator(self._held_out.collator),
            num_workers=self.args.dataloader_num_workers,
            pin_memory=self.args.dataloader_pin_memory,
        )
        shield_workers(loader)
        return loader

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """One evaluation; its figures go to the log and to the callbacks.

        A language of which no row can be used any more is left out.

        Raises:
            DataError: there is no other, or the figure that decides which checkpoint is the best is not there.
        """
        assert self._held_out is not None
        figures, missing = self._pass_over_rows(self._held_out)
        if self._held_out.captions is not None:
            figures |= self._held_out.captions.figures(self.model, self.state.global_step, self.between_batches)
        if missing:
            metric = self.args.metric_for_best_model
            if metric is not None and full_name(metric) not in figures:
                raise _none_usable(missing, f", so there is no {full_name(metric)} to tell the best checkpoint by")
            self.leave_out(missing)
        self.log(figures)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, figures)
        return figures

    def _pass_over_rows(self, held_out: HeldOut) -> tuple[dict[str, float], list[str]]:
        """The figures of the loss, and the languages without any."""
        began = time.perf_counter()
        means, rows, batches = TokenMeans(), 0, 0
        assert self.model is not None
        self.model.eval()
        for batch in self.get_eval_dataloader():
            content: Content = batch.pop(CONTENT_KEY)
            self.count_rows(content.rows, content.skipped)
            if not content.rows:
                continue
            loss, _, _ = self.prediction_step(self.model, batch, prediction_loss_only=True)
            others = {name: self._metrics["eval"].pop(name)[-1] for name in ("entropy", "mean_token_accuracy")}
            means.add(content.language, content.supervised, float(loss), others)
            rows, batches = rows + content.rows, batches + 1
        missing = means.missing(list(held_out.languages))
        if len(missing) == len(held_out.languages):
            raise _none_usable(missing)
        seconds = max(time.perf_counter() - began, 1e-9)
        times = {
            f"{PREFIX}runtime": round(seconds, 4),
            f"{PREFIX}samples_per_second": round(rows / seconds, 3),
            f"{PREFIX}steps_per_second": round(batches / seconds, 3),
        }
        return means.figures() | times, missing


def row_numbers(count: int) -> datasets.Dataset:
    """All that the trainer knows of a corpus: TRL wants a `Dataset`, and the collator wants a number."""
    return datasets.Dataset.from_dict({"row": list(range(count))})
