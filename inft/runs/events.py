"""The events of `metrics.jsonl`, built by pure functions; the contract is section 3 of the design.

Every event has `ts` and `event`. A key that is not in a signature may be added by keyword: readers take an unknown
numeric key as one more figure to show. Non-finite numbers may be passed; `JsonlLogger` writes them as null.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeAlias

from inft.runs.clock import timestamp, utc_now
from inft.runs.jsonl import Record

AlertLevel: TypeAlias = Literal["info", "warning", "error"]
EndState: TypeAlias = Literal["finished", "stopped", "failed"]


def stage(*, name: str, done: float, total: float | None, unit: str, at: datetime | None = None) -> Record:
    """How far one long piece of work is.

    Args:
        name: download, weights, data, training or saving.
        done: how much of it is done, in `unit`; equal to `total` once it is over.
        total: how much there is; None while nobody knows.
        unit: what is counted, in the plural; "bytes" is shown in binary units.
        at: the moment; None = now.
    """
    return _event("stage", at, {"name": name, "done": done, "total": total, "unit": unit})


def train_begin(
    *,
    max_steps: int,
    num_train_epochs: float,
    trainable_parameters: int,
    total_parameters: int,
    matrix_tflops: float | None = None,
    at: datetime | None = None,
    **extra: object,
) -> Record:
    """Training starts.

    Args:
        max_steps: optimiser steps that it will take.
        num_train_epochs: passes over the rows that this is.
        trainable_parameters: numbers that training changes.
        total_parameters: all numbers of the model, adapters included.
        matrix_tflops: what the GPU reached in matrix products at the start, in 10^12 operations a second.
        at: the moment; None = now.
        extra: further keys, for instance `supervised_tokens` of the checked batch, or `global_step` after a resume.
    """
    return _event(
        "train_begin",
        at,
        {
            "max_steps": max_steps,
            "num_train_epochs": num_train_epochs,
            "trainable_parameters": trainable_parameters,
            "total_parameters": total_parameters,
            "matrix_tflops": matrix_tflops,
        },
        extra,
    )


def log(
    *,
    global_step: int,
    epoch: float | None = None,
    elapsed_sec: float | None = None,
    loss: float | None = None,
    learning_rate: float | None = None,
    grad_norm: float | None = None,
    step_time_sec: float | None = None,
    samples_per_sec: float | None = None,
    tokens_per_sec: float | None = None,
    supervised_tokens: int | None = None,
    peak_vram_gib: float | None = None,
    data_sec: float | None = None,
    compute_sec: float | None = None,
    forward_sec: float | None = None,
    backward_sec: float | None = None,
    optimizer_sec: float | None = None,
    model_tflops_per_sec: float | None = None,
    mfu: float | None = None,
    at: datetime | None = None,
    **extra: object,
) -> Record:
    """The figures of the steps since the last such line; None = not known.

    Args:
        global_step: optimiser steps done.
        epoch: passes over the rows done, with a fraction.
        elapsed_sec: seconds since training began.
        loss: mean loss per supervised token, in nats.
        learning_rate: of the last step.
        grad_norm: before clipping.
        step_time_sec: mean seconds per optimiser step.
        samples_per_sec: rows trained per second.
        tokens_per_sec: tokens of those rows per second, the prompt's and the picture's included.
        supervised_tokens: tokens that carried the loss.
        peak_vram_gib: most memory held on one GPU so far.
        data_sec: seconds per step spent waiting for batches.
        compute_sec: the rest of a step's seconds.
        forward_sec: seconds per step spent in forward passes.
        backward_sec: in backward passes, with what they compute again.
        optimizer_sec: in clipping gradients and in the optimiser.
        model_tflops_per_sec: operations of the model, in 10^12 a second; what is computed again is not counted.
        mfu: these as a share, 0 to 1, of what the GPU reaches in matrix products; None without a GPU.
        at: the moment; None = now.
        extra: whatever else the Trainer logged.
    """
    return _event(
        "log",
        at,
        {
            "global_step": global_step,
            "epoch": epoch,
            "elapsed_sec": elapsed_sec,
            "loss": loss,
            "learning_rate": learning_rate,
            "grad_norm": grad_norm,
            "step_time_sec": step_time_sec,
            "samples_per_sec": samples_per_sec,
            "tokens_per_sec": tokens_per_sec,
            "supervised_tokens": supervised_tokens,
            "peak_vram_gib": peak_vram_gib,
            "data_sec": data_sec,
            "compute_sec": compute_sec,
            "forward_sec": forward_sec,
            "backward_sec": backward_sec,
            "optimizer_sec": optimizer_sec,
            "model_tflops_per_sec": model_tflops_per_sec,
            "mfu": mfu,
        },
        extra,
    )


def eval(
    *,
    global_step: int,
    eval_loss: float | None,
    epoch: float | None = None,
    elapsed_sec: float | None = None,
    at: datetime | None = None,
    **extra: object,
) -> Record:
    """One evaluation after `global_step` optimiser steps.

    Args:
        global_step: optimiser steps done.
        eval_loss: mean loss per supervised token of all rows evaluated on, in nats.
        epoch: passes over the rows done, with a fraction.
        elapsed_sec: seconds since training began.
        at: the moment; None = now.
        extra: the other figures, their names beginning with `eval_`: `eval_loss_si`, `eval_cider`, `eval_cider_si`.
    """
    return _event(
        "eval",
        at,
        {"global_step": global_step, "epoch": epoch, "elapsed_sec": elapsed_sec, "eval_loss": eval_loss},
        extra,
    )


def checkpoint(*, step: int, path: str, at: datetime | None = None) -> Record:
    """A checkpoint of optimiser step `step` now lies whole in the folder `path`."""
    return _event("checkpoint", at, {"global_step": step, "path": path})


def sample(
    *,
    language: str,
    reference_caption: str,
    generated_caption: str,
    image: str | None = None,
    global_step: int | None = None,
    row: int | None = None,
    place: str | None = None,
    picture: str | None = None,
    failure: str | None = None,
    at: datetime | None = None,
    **extra: object,
) -> Record:
    """A caption of the model beside the corpus's own.

    Args:
        language: code of the subset, for instance si.
        reference_caption: the corpus's caption.
        generated_caption: the model's; empty where there is none.
        image: where the picture lies, if it is a file.
        global_step: optimiser steps done; None = before any.
        row: its number among the rows evaluated on, or among those trained on in a run that does not evaluate.
        place: where the row stands in the corpus.
        picture: a small copy of the picture, relative to the run's directory; None = there is none.
        failure: why there is no caption; None = there is one.
        at: the moment; None = now.
        extra: further keys.
    """
    return _event(
        "sample",
        at,
        {
            "global_step": global_step,
            "language": language,
            "reference_caption": reference_caption,
            "generated_caption": generated_caption,
            "image": image,
            "row": row,
            "place": place,
            "picture": picture,
            "failure": failure,
        },
        extra,
    )


def alert(*, level: AlertLevel, kind: str, message: str, fix: str, at: datetime | None = None) -> Record:
    """Something a person should know.

    Args:
        level: info, warning, or error for what ends the run.
        kind: one word to filter by; for an `InftError`, its `kind`.
        message: what and where, in one sentence.
        fix: what to do, in one sentence; may be empty.
        at: the moment; None = now.
    """
    return _event("alert", at, {"level": level, "kind": kind, "message": message, "fix": fix})


def train_end(
    *,
    state: EndState,
    global_step: int,
    elapsed_sec: float | None = None,
    best_model_dir: str | None = None,
    at: datetime | None = None,
    **extra: object,
) -> Record:
    """Training is over.

    Args:
        state: how it ended.
        global_step: optimiser steps done.
        elapsed_sec: seconds since training began.
        best_model_dir: where the adapters and the processor lie; None = nothing was saved.
        at: the moment; None = now.
        extra: further keys.
    """
    return _event(
        "train_end",
        at,
        {"state": state, "global_step": global_step, "elapsed_sec": elapsed_sec, "best_model_dir": best_model_dir},
        extra,
    )


def _event(
    name: str, at: datetime | None, fields: Mapping[str, object], extra: Mapping[str, object] | None = None
) -> Record:
    return {"ts": timestamp(at or utc_now()), "event": name, **fields, **(extra or {})}
