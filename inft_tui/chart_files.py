"""Saves what a chart shows: the points as CSV, or a drawing as SVG, under `outputs/charts` of the project."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from inft.errors import InftError
from inft.project import project_root
from inft.runs.visible import visible
from inft_tui.charts.chart import Chart
from inft_tui.deeds import Outcome
from inft_tui.new_files import write_new
from inft_tui.terminal import shown_path

FOLDER = "outputs/charts"


def saver(chart: Chart, kind: Literal["csv", "svg"], stem: str) -> Callable[[], Outcome]:
    """What writes the file, in any thread, and tells its path or why it could not be written.

    No file is ever written over. What is saved is shown at the call of this; a million points take seconds to write.

    Args:
        chart: what it shows is saved, not what lies outside of its window.
        kind: csv = the points, svg = a drawing.
        stem: of the file's name, such as run and chart; characters that a file's name should not have are replaced.
    """
    drawing = chart.to_svg() if kind == "svg" else ""
    text = chart.csv_writer() if kind == "csv" else (lambda: drawing) if drawing else None

    def save() -> Outcome:
        if text is None:
            return Outcome("There is nothing to save: the chart shows no points.", went_well=False)
        try:
            path = write_new(project_root() / FOLDER, stem, kind, text())
        except InftError as problem:
            return Outcome(problem.message, went_well=False)
        return Outcome(f"Saved {visible(shown_path(path))}", went_well=True)

    return save
