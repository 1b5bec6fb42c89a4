"""What a person wants to know at the end of a run."""

from __future__ import annotations

from pathlib import Path

from inft.runs.directory import RunDirectory
from inft.runs.jsonl import Record
from inft.runs.narrate import CAPTION_SCORES, number
from inft.runs.quantities import duration, figure
from inft.runs.redact import redact
from inft.runs.visible import visible
from inft_tui.run_state import RunState
from inft_tui.terminal import shown_path


def summary_lines(run: RunDirectory, ended: str, state: RunState, *, seconds: float, adapters: str | None) -> list[str]:
    """The summary of a run that finished or was stopped.

    Args:
        run: the run.
        ended: how it ended, in one word.
        state: what its events told.
        seconds: from its start to its end.
        adapters: where they lie; None = none were saved.
    """
    rows: list[tuple[str, str]] = []
    training = state.training
    if training is not None:
        steps = f"{training.done - state.first_step:,.0f} steps"
        if state.first_loss is not None and state.loss is not None:
            rows.append(("loss", f"{figure(state.first_loss)} -> {figure(state.loss)} over {steps}"))
        else:
            rows.append(("training", steps))
    if state.first_eval is not None and state.last_eval is not None:
        rows.append(("evaluated", evaluated(state.first_eval, state.last_eval)))
    if adapters is not None:
        rows.append(("adapters", shown_path(Path(adapters)) + (f", {state.kept}" if state.kept else "")))
    rows.append(("run", shown_path(run.path)))
    lines = [f"{ended.capitalize()} after {duration(seconds)}."]
    lines += [f"  {label:<9} {value}" for label, value in rows]
    if state.samples:
        at = "" if state.sampled_at is None else f" at step {state.sampled_at:,.0f}"
        lines += ["", f"Captions by the trained model{at}, and the corpus's own:"]
        for sample in state.samples:
            lines.append(f"  {sample.language:<4} {sample.caption or '(nothing)'}")
            lines.append(f"       {sample.reference}")
    return [visible(redact(line)) for line in lines]


def evaluated(first: Record, last: Record) -> str:
    """How the figures of evaluations went from the first to the last.

    >>> evaluated({"global_step": 1, "eval_loss": 5.0}, {"global_step": 2, "eval_loss": 4.0, "eval_chrf": 30.0})
    'loss 5 -> 4, chrF 30'
    """
    words = []
    for key, label in {"eval_loss": "loss", **CAPTION_SCORES}.items():
        before, after = number(first, key), number(last, key)
        if after is not None:
            is_new = before is None or first is last
            words.append(
                f"{label} {figure(after)}" if is_new else f"{label} {figure(before or 0.0)} -> {figure(after)}"
            )
    return ", ".join(words) or "nothing that is a number"
