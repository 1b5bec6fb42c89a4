"""The lines of the System screen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inft.machine.cards import Card, Cards, Holder
from inft.machine.units import GIB
from inft.readiness.check import Check, Status
from inft.runs.quantities import size
from inft.runs.redact import redact
from inft.runs.visible import visible
from inft_tui.charts.series import Series
from inft_tui.display.capabilities import Glyphs
from inft_tui.display.spans import Line, Span, fit, pad, width
from inft_tui.feeds.hardware_feed import GpuCurves
from inft_tui.run_rows import BARS, sparkline
from inft_tui.system.folders import DiskSight, Folder, Mount, mount_of
from inft_tui.system.host import HostSight
from inft_tui.system.look import GpuSight, Look

LABEL = 16
"""Columns of the words that a line begins with."""
_BAR = 14
_BAR_FROM = 76
"""Columns from which on there is room for bars."""
_PATIENCE_S = 3.0
"""A disk that has not answered for so long is said not to."""
_FULL, _NEARLY_FULL = 0.98, 0.90
_HOT_C = 85.0
_MARKS: dict[Status, tuple[str, str]] = {"green": ("●", "good"), "amber": ("▲", "warn"), "red": ("✗", "bad")}
_NAME_MOST = 30
_CURVE = 20


@dataclass(frozen=True)
class Gpu:
    """A GPU as the screen shows it.

    Attributes:
        curves: its samples; None = none yet.
        card: what the driver says of it; None = it was not asked yet.
    """

    curves: GpuCurves | None
    card: Card | None

    @property
    def number(self) -> str:
        """Its number among those of the machine; empty for a part of a card."""
        index = self.curves.index if self.curves is not None else None if self.card is None else self.card.index
        return "" if index is None else str(index)

    @property
    def name(self) -> str:
        """The model."""
        if self.curves is not None and self.curves.name:
            return self.curves.name
        return visible(self.card.name or "") if self.card is not None else ""


def gpus_of(curves: Sequence[GpuCurves], cards: Cards | None) -> list[Gpu]:
    """The GPUs that samples or the driver tell of, each once."""
    left = list(cards.usable) if cards is not None else []
    found = []
    for each in curves:
        same = next((card for card in left if card.uuid is not None and visible(card.uuid) == each.uuid), None)
        if same is not None:
            left.remove(same)
        found.append(Gpu(each, same))
    return found + [Gpu(None, card) for card in left]


def gpu_heading(columns: int) -> Line:
    """The names of the columns of `gpu_row`."""
    bar = " " * (_BAR + 1) if columns >= _BAR_FROM else ""
    curve = f"  {pad('lately', _CURVE)}" if _has_curve(columns) else ""
    text = f"  {'GPU':<4}{pad('', _name_columns(columns))}  {bar}{'use':>5}  {'memory':>15}  {'temp':>5}  {'power':>10}"
    return fit(((text + curve, "dim"),), columns, "dim")


def gpu_row(gpu: Gpu, columns: int, glyphs: Glyphs, *, selected: bool) -> Line:
    """One GPU."""
    series: Mapping[str, Series] = {} if gpu.curves is None else gpu.curves.series
    use, used, total = (
        newest(series.get(key)) for key in ("utilization_percent", "memory_used_gib", "memory_total_gib")
    )
    heat, power, limit = (newest(series.get(key)) for key in ("temperature_c", "power_w", "power_limit_w"))
    share = used / total if used is not None and total else None
    memory = "" if used is None else f"{used:.1f}/{total:.1f} GiB" if total else f"{used:.1f} GiB"
    watts = "" if power is None else f"{power:.0f}/{limit:.0f} W" if limit else f"{power:.0f} W"
    spans: list[Span] = [(f"  {gpu.number:<4}{pad(gpu.name, _name_columns(columns))}  ", "title")]
    if columns >= _BAR_FROM:
        spans += [*bar(None if use is None else use / 100, _BAR, glyphs, "accent"), (" ", "text")]
    spans += [
        (pad("" if use is None else f"{use:.0f} %", 5, right=True), "text"),
        ("  " + pad(memory, 15, right=True), role_of(share)),
        ("  " + pad("" if heat is None else f"{heat:.0f} °C", 5, right=True), _heat_role(heat)),
        ("  " + pad(watts, 10, right=True), "text"),
    ]
    if _has_curve(columns):
        lately = series.get("utilization_percent")
        spans.append(("  " + sparkline(lately.y[-_CURVE:], _CURVE, glyphs) if lately is not None else "", "accent"))
    line = fit(tuple(spans), columns, "text")
    return tuple((text, f"{role} selected") for text, role in line) if selected else line


def no_gpu_lines(cards: Cards | None, checking_s: float) -> list[Line]:
    """What is said where no GPU can be used."""
    if cards is None:
        slow = "  The driver is slow to answer." if checking_s > _PATIENCE_S else ""
        return [((f"  Looking for GPUs …{slow}", "dim"),)]
    if cards.state == "silent":
        return [(("  The GPU driver does not answer.", "bad"),)]
    if cards.state in ("mismatch", "error"):
        return [((f"  The GPU driver reports a fault: {visible(redact(cards.reason))}.", "bad"),)]
    what = "  No GPU can be used here" if cards.on_machine else "  This machine has no GPU"
    return [((what, "title"), ("; demo profiles train on its CPU.", "dim"))]


def program_lines(gpu: Gpu, sight: GpuSight, runs: Mapping[int, str], columns: int) -> list[Line]:
    """Who is on a GPU, those with the most memory first.

    Args:
        gpu: which.
        sight: what the driver says.
        runs: names of our runs, by the numbers of their processes.
        columns: of the screen.
    """
    holders = () if gpu.card is None else gpu.card.holders
    name = f"On GPU {gpu.number}" if gpu.number else "On this GPU"
    if not holders:
        return [_line(name, (("nobody that can be seen from here", "dim"),), columns)]
    by_size = sorted(holders, key=lambda holder: -(holder.memory_bytes or 0))
    lines = [_line(name if not place else "", _program(holder, sight, runs), columns)
             for place, holder in enumerate(by_size)]  # fmt: skip
    return lines


def driver_line(cards: Cards, columns: int) -> Line:
    """Versions of driver and CUDA."""
    parts = []
    if cards.driver_version is not None:
        parts.append(visible(cards.driver_version))
    if cards.cuda_version is not None:
        parts.append(f"CUDA up to {cards.cuda_version[0]}.{cards.cuda_version[1]}")
    card = cards.chosen
    if card is not None and card.capability is not None:
        major, minor = card.capability
        parts.append(f"compute capability {major}.{minor}")
        parts.append("BF16" if card.capability >= (8, 0) else "no BF16")
    if cards.visible is not None:
        parts.append(f"CUDA_VISIBLE_DEVICES={visible(cards.visible)}")
    return _line("driver", ((" · ".join(parts) or "says nothing of itself", "text"),), columns)


def host_lines(sight: HostSight | None, columns: int, glyphs: Glyphs) -> list[Line]:
    """Processors and memory."""
    if sight is None:
        return [_line("CPU", (("…", "dim"),), columns), _line("memory", (("…", "dim"),), columns)]
    room = sight.room
    cores = room.cores_of_machine
    words = f"of {cores} cores" if cores else ""
    if cores and room.cores < cores:
        words += f", of which {room.cores:g} may be used here"
    load = "" if sight.load is None else f" · load {sight.load:.1f}"
    busy = "" if sight.busy is None else f"{sight.busy:.0%}"
    lines = [_measured("CPU", sight.busy, f"{busy:>4} {words}{load}", columns, glyphs, "accent")]
    total, available = room.memory_total_bytes, room.memory_available_bytes
    if total and available is not None:
        share = 1 - available / total
        limit = ", the most that this container may use" if room.memory_limited and columns >= _BAR_FROM else ""
        text = f"{share:>4.0%} of {size(total)} used{limit} · {size(available)} free"
        lines.append(_measured("memory", share, text, columns, glyphs, role_of(share)))
    if room.shared_free_bytes is not None and room.shared_total_bytes:
        share = 1 - room.shared_free_bytes / room.shared_total_bytes
        what = " · for the data workers" if columns >= _BAR_FROM else ""
        text = f"{share:>4.0%} of {size(room.shared_total_bytes)} used{what}"
        lines.append(_measured("/dev/shm", share, text, columns, glyphs, role_of(share)))
    return lines


def disk_lines(
    folders: Sequence[tuple[Folder, Look[DiskSight]]], mounts: Sequence[Mount], columns: int, glyphs: Glyphs
) -> list[Line]:
    """The folders, each below its disk."""
    by_point: dict[str, list[tuple[Folder, Look[DiskSight], Mount | None]]] = {}
    for folder, look in folders:
        mount = mount_of(folder.path, mounts)
        by_point.setdefault("" if mount is None else mount.point, []).append((folder, look, mount))
    lines: list[Line] = []
    for sharing in by_point.values():
        first, look, mount = sharing[0]
        lines.append(_disk_line(first, look, mount, columns, glyphs))
        lines += [_line("", ((_shown(folder, columns), "dim"),), columns) for folder, _, _ in sharing]
        lines += [
            _line("", ((f"{one.words}: {visible(redact(asked.answer.problem))}", "warn"),), columns)
            for one, asked, _ in sharing
            if asked.answer is not None and asked.answer.problem
        ]
    return lines


def light_lines(lights: Sequence[Check] | None, waiting_s: float, columns: int) -> list[Line]:
    """Whether the machine is ready to train, what is not first."""
    if lights is None:
        slow = ", which takes longer than it should" if waiting_s > 2 * _PATIENCE_S else ""
        return [_line("", ((f"checking{slow} …", "dim"),), columns)]
    lines: list[Line] = []
    for status in ("red", "amber", "green"):
        for check in (check for check in lights if check.status == status):
            mark, role = _MARKS[check.status]
            head: Line = ((f"  {mark} ", role), (pad(check.name, LABEL - 2), role if status != "green" else "text"))
            lines += wrapped(head, visible(redact(check.message)), columns, "text")
            if check.fix and status != "green":
                lines += wrapped(((" " * (LABEL + 2), "text"),), f"→ {visible(redact(check.fix))}", columns, "accent")
    return lines


def heading(text: str) -> Line:
    """Above a part of the screen."""
    return ((f"  {text}", "title"),)


def bar(share: float | None, columns: int, glyphs: Glyphs, role: str) -> Line:
    """A share of 0 to 1 as a bar; an empty one where it is not known."""
    full, empty = BARS[glyphs]
    done = 0 if share is None else round(min(1.0, max(0.0, share)) * columns)
    return ((full * done, role), (empty * (columns - done), "faint"))


def role_of(share: float | None) -> str:
    """What something that is so full looks like."""
    if share is None or share < _NEARLY_FULL:
        return "text"
    return "bad" if share >= _FULL else "warn"


def newest(series: Series | None) -> float | None:
    """The last value of a curve; None where there is none."""
    if series is None or not len(series) or not math.isfinite(series.y[-1]):
        return None
    return series.y[-1]


def wrapped(head: Line, text: str, columns: int, role: str) -> list[Line]:
    """`text` behind `head`, its further lines below its beginning."""
    margin = width(head)
    room = max(8, columns - margin - 1)
    lines: list[Line] = []
    line = ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > room:
            lines.append((*(head if not lines else ((" " * margin, "text"),)), (line, role)))
            line = word
        else:
            line = f"{line} {word}" if line else word
    lines.append((*(head if not lines else ((" " * margin, "text"),)), (line, role)))
    return lines


def _program(holder: Holder, sight: GpuSight, runs: Mapping[int, str]) -> Line:
    name = sight.names.get(holder.pid)
    memory = "" if holder.memory_bytes is None else f"{holder.memory_bytes / GIB:.1f} GiB"
    who = visible(name) if name else "not visible here"
    run = runs.get(holder.pid)
    told: Line = (("", "text"),) if run is None else (("  run ", "dim"), (visible(run), "accent"))
    return ((f"{holder.pid:<8}", "dim"), (pad(who, 18), "text" if name else "dim"), (f"{memory:>10}", "text"), *told)


def _disk_line(folder: Folder, look: Look[DiskSight], mount: Mount | None, columns: int, glyphs: Glyphs) -> Line:
    sight = look.answer
    label = "disk" if mount is None else mount.point
    kind = "" if mount is None else f" · {mount.kind}{', over the network' if mount.is_far else ''}"
    if look.waiting_s > _PATIENCE_S:
        return _line(label, ((f"does not answer{kind}", "bad"),), columns)
    if sight is None:
        return _line(label, ((f"…{kind}", "dim"),), columns)
    if sight.free_bytes is None:
        return _line(label, ((f"cannot be looked at{kind}", "warn"),), columns)
    if not sight.total_bytes:
        return _line(label, ((f"{size(sight.free_bytes)} free{kind}", "text"),), columns)
    share = 1 - sight.free_bytes / sight.total_bytes
    text = f"{share:>4.0%} of {size(sight.total_bytes)} used · {size(sight.free_bytes)} free{kind}"
    return _measured(label, share, text, columns, glyphs, role_of(share))


def _shown(folder: Folder, columns: int) -> str:
    """A folder, its end rather than its beginning where it is long."""
    text = visible(str(folder.path))
    home = str(Path.home())
    if text.startswith(f"{home}/") and home != "/":
        text = f"~{text[len(home) :]}"
    room = columns - LABEL - 2 - 16
    if len(text) > room > 1:
        text = "…" + text[len(text) - room + 1 :]
    return f"{pad(folder.words, 15)} {text}"


def _measured(label: str, share: float | None, text: str, columns: int, glyphs: Glyphs, role: str) -> Line:
    shown: Line = ((text, "text" if role == "accent" else role),)
    if columns >= _BAR_FROM:
        shown = (*bar(share, _BAR, glyphs, "accent" if role == "text" else role), (" ", "text"), *shown)
    return _line(label, shown, columns)


def _line(label: str, spans: Line, columns: int) -> Line:
    return fit(((f"  {pad(label, LABEL)}", "dim"), *spans), columns, "text")


def _heat_role(degrees: float | None) -> str:
    return "warn" if degrees is not None and degrees >= _HOT_C else "text"


def _name_columns(columns: int) -> int:
    return max(0, min(_NAME_MOST, columns - 51 - (_BAR + 1 if columns >= _BAR_FROM else 0)))


def _has_curve(columns: int) -> bool:
    return columns >= 2 + 4 + _NAME_MOST + 51 + _BAR + 1 + _CURVE
