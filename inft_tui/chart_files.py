"""Saves what a chart shows: the points as CSV, or a drawing as SVG, under `outputs/charts` of the project."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from inft.errors import InftError
from inft.project import project_root
from inft.runs.visible import visible
from inft_tui.charts.chart import Chart
from inft_tui.deeds import Outcome
from inft_tui.new_files import write_new

FOLDER = "outputs/charts"


def save_chart(chart: Chart, kind: Literal["csv", "svg"], stem: str) -> Outcome:
    """Writes the file, and tells its path or why it could not be written. No file is ever written over.

    Args:
        chart: what it shows is saved, not what lies outside of its window.
        kind: csv = the points, svg = a drawing.
        stem: of the file's name, such as run and chart; characters that a file's name should not have are replaced.
    """
    text = chart.to_csv() if kind == "csv" else chart.to_svg()
    if not text:
        return Outcome("There is nothing to save: the chart shows no points.", went_well=False)
    try:
        path = write_new(project_root() / FOLDER, stem, kind, text)
    except InftError as problem:
        return Outcome(problem.message, went_well=False)
    return Outcome(f"Saved {visible(_short(path))}", went_well=True)


def _short(path: Path) -> str:
    """From the working directory where it lies there."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
