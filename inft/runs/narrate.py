"""Events in words, one line each: for pipes, files and the guide's entry points."""

from __future__ import annotations

from inft.runs.jsonl import NONFINITE, Record
from inft.runs.quantities import amount, duration, figure
from inft.runs.redact import redact
from inft.runs.visible import visible

STAGE_NAMES: dict[str, str] = {
    "download": "downloading",
    "weights": "loading weights",
    "data": "preparing data",
    "lengths": "measuring rows",
    "compiling": "compiling layers",
    "training": "training",
    "saving": "saving",
}
"""What a person reads for the stages that we know; others keep their own name."""

_LOG_FIGURES = (("learning_rate", "lr"), ("grad_norm", "grad norm"), ("epoch", "epoch"))

CAPTION_SCORES = {"eval_chrf": "chrF", "eval_bleu4": "BLEU-4", "eval_cider": "CIDEr"}
"""How a person calls the scores of an evaluation's captions, the mean over languages."""


class Narrator:
    """Says the events of one run in words, and skips the progress that would only fill a log.

    Args:
        max_steps: optimiser steps of the run, where that is known before it says so.
    """

    def __init__(self, max_steps: float | None = None) -> None:
        self._max_steps = max_steps
        self._said: dict[str, int] = {}

    def line(self, event: Record) -> str | None:
        """The line for `event`; None where the last one still says enough.

        A stage is worth a line when it begins, at every further quarter, and when it is done.
        """
        name = event.get("event")
        if name == "train_begin":
            self._max_steps = number(event, "max_steps")
        if name == "stage" and not self._is_news(event):
            return None
        return narrate(event, self._max_steps)

    def _is_news(self, event: Record) -> bool:
        name, done, total = text(event, "name"), number(event, "done") or 0.0, number(event, "total")
        quarter = int(4 * done / total) if total else 0
        if self._said.get(name) == quarter:
            return False
        self._said[name] = quarter
        return True


def narrate(event: Record, max_steps: float | None = None) -> str:
    """One line of plain text for any event, known or not; safe to print on a terminal.

    Args:
        event: a line of `metrics.jsonl`.
        max_steps: optimiser steps of the run, if known.
    """
    match event.get("event"):
        case "stage":
            words = _stage(event)
        case "train_begin":
            words = _train_begin(event)
        case "log":
            words = _log(event, max_steps)
        case "eval":
            words = f"{_step(event, max_steps)}: {_eval(event)}"
        case "checkpoint":
            words = f"checkpoint of {_step(event, None)} in {text(event, 'path')}"
        case "sample":
            reference = text(event, "reference_caption")
            words = f"{text(event, 'language')}: {text(event, 'generated_caption')} [reference: {reference}]"
        case "alert":
            words = f"{text(event, 'level')}: {text(event, 'message')} {text(event, 'fix')}"
        case "train_end":
            words = _train_end(event)
        case other:
            pairs = (f"{key}={value}" for key, value in event.items() if key not in ("ts", "event"))
            words = f"{other}: {', '.join(pairs)}"
    return visible(redact(words.strip()))


def number(event: Record, key: str) -> float | None:
    """The number under `key`; None where there is none."""
    value = event.get(key)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def text(event: Record, key: str) -> str:
    """What stands under `key`, as text; empty where there is nothing."""
    value = event.get(key)
    return "" if value is None else str(value)


def _stage(event: Record) -> str:
    name = text(event, "name")
    done, total = number(event, "done") or 0.0, number(event, "total")
    words = f"{STAGE_NAMES.get(name, name)}: {amount(done, total, text(event, 'unit'))}"
    return f"{words}, done" if total and done >= total else words


def _train_begin(event: Record) -> str:
    words = "training"
    steps, trainable, total = (number(event, key) for key in ("max_steps", "trainable_parameters", "total_parameters"))
    if steps is not None:
        words += f" for {steps:,.0f} steps"
    begun = number(event, "global_step")
    if begun:
        words += f", going on from step {begun:,.0f}"
        if text(event, "resumed_from"):
            words += f" of {text(event, 'resumed_from')}"
    if trainable is not None and total:
        words += f"; {trainable:,.0f} of {total:,.0f} parameters ({100 * trainable / total:.2f} %) are trained"
    return words


def _log(event: Record, max_steps: float | None) -> str:
    words = [_step(event, max_steps), f"loss {_measured(event, 'loss')}"]
    for key, label in _LOG_FIGURES:
        value = number(event, key)
        if value is not None:
            words.append(f"{label} {figure(value)}")
    speed = number(event, "samples_per_sec")
    if speed is not None:
        words.append(f"{figure(speed)} samples/s")
    return ", ".join(words)


def _eval(event: Record) -> str:
    words = [f"eval loss {_measured(event, 'eval_loss')}"]
    for key, label in CAPTION_SCORES.items():
        score = number(event, key)
        if score is not None:
            words.append(f"{label} {figure(score)}")
    best_by = text(event, "best_by")
    chosen_by = number(event, best_by)
    if chosen_by is not None and best_by != "eval_loss" and best_by not in CAPTION_SCORES:
        words.append(f"{best_by} {figure(chosen_by)}")
    failures = number(event, "eval_caption_failures")
    if failures:
        words.append(f"{failures:,.0f} captions failed")
    return ", ".join(words)


def _train_end(event: Record) -> str:
    words = f"training {text(event, 'state') or 'ended'} at {_step(event, None)}"
    elapsed, folder = number(event, "elapsed_sec"), text(event, "best_model_dir")
    if elapsed is not None:
        words += f" after {duration(elapsed)}"
    return f"{words}; adapters{kept_words(event)} in {folder}" if folder else words


def kept_words(event: Record) -> str:
    """Which step's adapters a run has kept, where it had a choice.

    >>> kept_words({"best_step": 20, "best_by": "eval_cider"}), kept_words({})
    (' of step 20, the best by eval_cider,', '')
    """
    step = number(event, "best_step")
    return "" if step is None else f" of step {step:,.0f}, the best by {text(event, 'best_by')},"


def _step(event: Record, max_steps: float | None) -> str:
    step = number(event, "global_step")
    if step is None:
        return "step ?"
    return f"step {step:,.0f}" if max_steps is None else f"step {step:,.0f} of {max_steps:,.0f}"


def _measured(event: Record, key: str) -> str:
    value = number(event, key)
    if value is not None:
        return figure(value)
    missing = event.get(NONFINITE)
    return "not finite" if isinstance(missing, list) and key in missing else "unknown"
