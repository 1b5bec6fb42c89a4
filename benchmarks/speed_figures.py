"""From the steps of all visits to a recipe's figures, and to a table of them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.recipes import GUIDE


def summaries(lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One object per family and recipe, in the order in which they first come.

    Args:
        lines: of visits; those of one family and recipe are put together, whichever call they are of.

    >>> line = dict(family="aya", recipe="fast", micro_batch=4, rows=16, tokens=[900, 600, 800], warm_up_s=[9.0])
    >>> found = summaries([line | dict(steps_s=[2.0, 4.0]), line | dict(steps_s=[2.0, 2.0])])
    >>> [(one["steps"], one["s_per_step"], one["samples_per_s"], one["tokens_per_s"]) for one in found]
    [(4, 2.0, 8.0, 300.0)]
    """
    visits: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for line in lines:
        visits.setdefault((line["family"], line["recipe"]), []).append(line)
    found = [_summary(family, recipe, of_recipe) for (family, recipe), of_recipe in visits.items()]
    guide = {one["family"]: one["samples_per_s"] for one in found if one["recipe"] == GUIDE and "steps" in one}
    for one in found:
        if one["family"] in guide and "steps" in one:
            one["times_guide"] = round(one["samples_per_s"] / guide[one["family"]], 2)
    return found


def _summary(family: str, recipe: str, visits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    common = {"summary": "train_speed", "family": family, "recipe": recipe, "micro_batch": visits[0]["micro_batch"]}
    done = [visit for visit in visits if "steps_s" in visit]
    if len(done) < len(visits):
        return common | {"out_of_memory": True}
    seconds = [second for visit in done for second in visit["steps_s"]]
    tokens = [count for visit in done for count in visit["tokens"][len(visit["warm_up_s"]) :]]
    per_step = statistics.median(seconds)
    summary = common | {
        "steps": len(seconds),
        "s_per_step": round(per_step, 3),
        "fastest_s": min(seconds),
        "slowest_s": max(seconds),
        "samples_per_s": round(done[0]["rows"] / per_step, 3),
        "tokens_per_s": round(_median_rate(tokens, seconds), 1),
        "warm_up_s": [round(sum(visit["warm_up_s"]), 1) for visit in done],
    }
    if all("peak_gib" in visit for visit in done):
        summary["peak_gib"] = max(visit["peak_gib"] for visit in done)
    if all("model_tflop" in visit for visit in done):
        tflop = [one for visit in done for one in visit["model_tflop"][len(visit["warm_up_s"]) :]]
        summary["model_tflops_per_s"] = round(_median_rate(tflop, seconds), 1)
    if "model_tflops_per_s" in summary and all("matrix_tflops" in visit for visit in done):
        summary["matrix_tflops"] = statistics.median(visit["matrix_tflops"] for visit in done)
        summary["mfu"] = round(summary["model_tflops_per_s"] / summary["matrix_tflops"], 3)
    return summary


def _median_rate(amounts: Sequence[float], seconds: Sequence[float]) -> float:
    return statistics.median(amount / second for amount, second in zip(amounts, seconds, strict=True))


HEADER = (
    "| model | recipe | rows a pass | samples/s | times the guide's | tokens/s | s/step (fastest to slowest) "
    "| peak GiB | share of the matrix rate | warm-up s, each visit |",
    "|---|---|---|---|---|---|---|---|---|---|",
)


def table(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """The lines of a Markdown table."""
    return [*HEADER, *map(_row, found)]


def _row(one: Mapping[str, Any]) -> str:
    recipe, *settings = one["recipe"].split("+")
    named = ", ".join([recipe, *(f"`{setting}`" for setting in settings)])
    if "steps" not in one:
        return f"| {one['family']} | {named} | {one['micro_batch']} | out of memory | | | | | | |"
    share = f"{100 * one['mfu']:.0f} %" if "mfu" in one else ""
    peak = f"{one['peak_gib']:.1f}" if "peak_gib" in one else ""
    cells = (
        one["family"],
        named,
        f"{one['micro_batch']}",
        f"{one['samples_per_s']:.2f}",
        f"{one['times_guide']:.1f}" if "times_guide" in one else "",
        f"{one['tokens_per_s']:,.0f}",
        f"{one['s_per_step']:.2f} ({one['fastest_s']:.2f} to {one['slowest_s']:.2f})",
        peak,
        share,
        ", ".join(f"{seconds:.0f}" for seconds in one["warm_up_s"]),
    )
    return f"| {' | '.join(cells)} |"
