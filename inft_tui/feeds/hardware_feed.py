"""`hardware.jsonl` as curves over time: the host's, and those of every GPU."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from inft.runs.jsonl import Record
from inft.runs.narrate import text
from inft.runs.visible import visible
from inft_tui.charts.series import Series
from inft_tui.feeds.fetching import Chain, Fetched, Progress

_LABELS = frozenset({"ts", "event", "index"})


@dataclass
class GpuCurves:
    """One GPU.

    Attributes:
        uuid: its lasting name, by which it is told from others; its number where the driver does not say it.
        index: its number among those of the machine; None for a part of a card.
        name: the model, safe to show; empty = not known.
        series: by the names of `inft.machine.gpus.GpuReading`; x = seconds since 1970.
    """

    uuid: str
    index: int | None
    name: str
    series: dict[str, Series] = field(default_factory=dict)


class HardwareFeed:
    """The samples of one run's hardware; what cannot be read is a sentence in `problem`.

    Attributes:
        host: curves of the host and the trainer, by the names in the file; x = seconds since 1970.
        gpus: the GPUs, in the order of their first coming.
        newest: the newest sample; None = none yet.
        problem: why the file cannot be read; empty = it can.

    Args:
        path: the file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.problem = ""
        self._chain = Chain(lambda: [path])
        self._begin()

    def fetch(self, budget_s: float) -> Fetched:
        """Reads on for about `budget_s` seconds; changes nothing that is shown, and may run in another thread."""
        return self._chain.fetch(budget_s)

    def take(self, fetched: Fetched) -> Progress:
        """Adds what was fetched. In `changed`, the curves of GPUs are named `gpu<place>.<name>`."""
        if fetched.restarted:
            self._begin()
        self.problem = fetched.problem
        changed: set[str] = set()
        self._add(fetched.records, changed)
        return Progress(fetched.done, fetched.bytes_left, frozenset(changed), fetched.restarted)

    def read(self, budget_s: float) -> Progress:
        """Fetches and takes one slice, for who has one thread."""
        return self.take(self.fetch(budget_s))

    def close(self) -> None:
        """Lets go of the file."""
        self._chain.close()

    def _begin(self) -> None:
        self.host: dict[str, Series] = {}
        self.gpus: list[GpuCurves] = []
        self.newest: Record | None = None
        self._places: dict[str, int] = {}
        self._last_x = 0.0

    def _add(self, records: Sequence[Record], changed: set[str]) -> None:
        batch = _Batch()
        for record in records:
            x = self._moment(record)
            if x is None:
                continue
            self.newest = record
            batch.add("", self.host, record, x)
            gpus = record.get("gpus")
            for place, reading in enumerate(gpus if isinstance(gpus, list) else []):
                if isinstance(reading, dict):
                    number = self._place(reading, place)
                    batch.add(f"gpu{number}.", self.gpus[number].series, reading, x)
        batch.write(changed)

    def _moment(self, record: Record) -> float | None:
        """When a sample was taken; never before the one before it, even if somebody set the clock."""
        try:
            x = datetime.fromisoformat(text(record, "ts")).timestamp()
        except (ValueError, OverflowError):
            return None
        self._last_x = max(self._last_x, x)
        return self._last_x

    def _place(self, reading: Record, place: int) -> int:
        """Which of `gpus` a reading is of."""
        uuid, index = reading.get("uuid"), reading.get("index")
        key = str(uuid if uuid is not None else index if index is not None else place)
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = len(self.gpus)
            number = index if isinstance(index, int) else None
            self.gpus.append(GpuCurves(visible(key), number, visible(text(reading, "name"))))
        return found


class _Batch:
    """Values of several samples, put into their curves together."""

    def __init__(self) -> None:
        self._columns: dict[str, tuple[Series, array[float], array[float]]] = {}

    def add(self, prefix: str, among: dict[str, Series], values: Record, x: float) -> None:
        """Takes in the numbers of `values`."""
        columns = self._columns
        for key, value in values.items():
            if type(value) not in (float, int) or key in _LABELS:
                continue
            column = columns.get(prefix + key)
            if column is None:
                if key not in among:
                    among[key] = Series(key)
                column = columns[prefix + key] = (among[key], array("d"), array("d"))
            try:
                column[2].append(value)  # type: ignore[arg-type]
            except OverflowError:
                continue
            column[1].append(x)

    def write(self, changed: set[str]) -> None:
        """Puts them into their curves."""
        for name, (series, xs, ys) in self._columns.items():
            series.extend(xs, ys)
            changed.add(name)
