"""What the keys of a large chart do, the same on every screen that shows one.

The rows of the table are `chart_keys` of `key_table`; an id is the screen's name, a point and a name of `_ACTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from inft_tui.chart_files import saver
from inft_tui.widgets.chart_view import ChartView

if TYPE_CHECKING:
    from inft_tui.app import ConsoleApp

_ACTIONS: Mapping[str, Callable[[ChartView], None]] = {
    "left": ChartView.action_cursor_left,
    "right": ChartView.action_cursor_right,
    "far-left": ChartView.action_cursor_far_left,
    "far-right": ChartView.action_cursor_far_right,
    "hide-cursor": ChartView.action_hide_cursor,
    "zoom-in": ChartView.action_zoom_in,
    "zoom-out": ChartView.action_zoom_out,
    "pan-left": ChartView.action_pan_left,
    "pan-right": ChartView.action_pan_right,
    "follow": ChartView.action_toggle_follow,
    "log-x": ChartView.action_toggle_log_x,
    "log-y": ChartView.action_toggle_log_y,
    "smooth": ChartView.action_cycle_smoothing,
    "axis": ChartView.action_cycle_axis,
    "whole-range": ChartView.action_toggle_whole_range,
}


def act_on_chart(console: ConsoleApp, view: ChartView, name: str, stem: str) -> bool:
    """Does what a key means to a chart.

    Args:
        console: where it is said what was saved.
        view: the chart.
        name: the key's id in the table, such as `chart.zoom-in` or `compare.zoom-in`.
        stem: what a file of this chart is called.

    Returns:
        Whether it means something to a chart.
    """
    match name.partition(".")[2]:
        case "csv":
            console.worker.ask(saver(view.chart, "csv", stem), console.say)
        case "svg":
            console.worker.ask(saver(view.chart, "svg", stem), console.say)
        case what if what in _ACTIONS:
            view.chart.key_for_all = console.key_of(f"{name.partition('.')[0]}.follow")
            _ACTIONS[what](view)
        case _:
            return False
    return True
