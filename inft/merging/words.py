"""What a person is told of a merge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from inft.merging.comparison import BOUND, Comparison, is_worse
from inft.merging.description import Merged
from inft.runs.quantities import size

FIGURE_COLUMNS = 11


def lines(merged: Merged, output: Path) -> Iterator[str]:
    """The result, in at most 80 columns but for paths."""
    plan, count = merged.plan, len(merged.plan.shards)
    files = f"{count} file" + ("s" if count > 1 else "")
    yield f"Merged {merged.source.title} into {output}"
    biases = f" and {len(plan.biases)} biases" if plan.biases else ""
    yield f"  {len(plan.factors)} layers{biases} changed; {size(plan.written_bytes)} of bf16 weights in {files}"
    yield ""
    if merged.comparison is None:
        yield f"Not compared with the adapters: {merged.not_compared}."
        return
    yield from _table(merged.comparison, merged.source.config.data.language_names)


def _table(comparison: Comparison, names: dict[str, str]) -> Iterator[str]:
    trained, merged = comparison.trained, comparison.merged
    four_bit = "on 4 bit" if comparison.four_bit else "on 16 bit"
    yield f"Loss on {comparison.rows} rows of {comparison.split}, nats per caption token"
    titles = {code: names.get(code, code) for code in trained.languages} | {"": "all"}
    width = max(map(len, titles.values()))
    for heading in (("adapters", "merged", "merged is"), (four_bit, "bf16", "higher by")):
        yield (" " * width + "".join(cell.rjust(FIGURE_COLUMNS) for cell in heading)).rstrip()
    for code, title in titles.items():
        one = trained.languages[code] if code else trained.overall
        other = merged.languages[code] if code else merged.overall
        mark = "  !" if is_worse(one, other) else ""
        figures = (f"{one:.4f}", f"{other:.4f}", f"{100 * (other / one - 1):+.1f} %")
        yield title.ljust(width) + "".join(figure.rjust(FIGURE_COLUMNS) for figure in figures) + mark
    if any(is_worse(trained.languages[code], merged.languages[code]) for code in trained.languages):
        yield f"! = worse by more than {100 * BOUND:.0f} %, which of one language's few rows may be chance"
    if comparison.devices[0] != comparison.devices[1]:
        yield f"The merged model was on the {comparison.devices[1]}, the adapters on the {comparison.devices[0]}."
