"""Where an axis begins and ends, where its ticks stand, and numbers in few columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_SUFFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_MANTISSAS = (1.0, 2.0, 5.0)
_DURATIONS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""Seconds between ticks that people can read."""
_LOG_DURATIONS = (0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36000.0, 86400.0, 864000.0)
_SAME = 1e-9
"""Values that differ by less than this share are drawn as one: what is left is rounding."""
_FAR = 1e300
"""Beyond this, differences overflow."""
_NEAR = 1e-300
"""Below this, they vanish."""
_ROOM = 0.25
"""Of the values' span: what an axis that has to move takes on beyond them, so that it need not move again soon."""
_CLOSE = 0.26
"""Of an axis: what may lie between its end and the label next to it, where there are but two."""
_FEW = 3
"""Labels: with fewer, an axis is hard to read between them."""
_NARROW = 5.0
"""Times the lowest value: a logarithmic axis up to there ends where an even one would, so that it fits."""
_EMPTY = 2.5
"""An axis comes closer where it is so many times as long as what is needed."""


@dataclass(frozen=True)
class Domain:
    """What an axis shows: `low` < `high`; on a logarithmic one both above 0."""

    low: float
    high: float


def number(value: float) -> str:
    """`value` in at most seven columns, to three or four figures.

    >>> [number(x) for x in (0, 0.5, 1.23456, 12.3456, 123.456, 9999, 12345, 2.5e6, 0.00015, -3e-7, 1e15)]
    ['0', '0.5', '1.235', '12.35', '123.5', '9999', '12.3k', '2.5M', '1.5e-4', '-3e-7', '1e15']
    >>> number(float("nan")), number(float("-inf")), number(999_999), number(0.00099999)
    ('nan', '-inf', '1M', '1e-3')
    """
    if not math.isfinite(value) or value == 0:
        return "0" if value == 0 else str(value)
    size = abs(float(f"{value:.3g}"))
    if abs(float(f"{value:.4g}")) < 1e4 and size >= 1e-2:
        return _plain(f"{value:.4g}")
    if 1e4 <= size < 1e15:
        scale, suffix = next((scale, suffix) for scale, suffix in _SUFFIXES if size >= scale)
        return _plain(f"{value / scale:.3g}") + suffix
    if 1e-3 < size < 1e-2:
        return _plain(f"{value:.3g}")
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{_plain(mantissa)}e{int(exponent)}"


def duration(seconds: float) -> str:
    """A time in few columns.

    >>> [duration(s) for s in (0, 45, 60, 90, 3600, 5400, 86400, 129600, 0.5)]
    ['0s', '45s', '1m', '1m30', '1h', '1h30', '1d', '1d12', '0.5s']
    """
    if abs(seconds) < 60:
        return f"{seconds:.4g}s"
    for size, unit, part in ((86400, "d", 3600), (3600, "h", 60), (60, "m", 1)):
        if abs(seconds) >= size:
            whole, rest = divmod(round(abs(seconds) / part), size // part)
            sign = "-" if seconds < 0 else ""
            return f"{sign}{whole}{unit}{rest:02d}" if rest else f"{sign}{whole}{unit}"
    raise AssertionError(seconds)


def nice_step(span: float, most: int) -> float:
    """The least 1, 2 or 5 times a power of ten that goes into `span` > 0 at most `most` times.

    >>> nice_step(10, 5), nice_step(11, 5), nice_step(0.0003, 4)
    (2.0, 5.0, 0.0001)
    """
    power = math.floor(math.log10(span / most))
    for exponent in (power, power + 1):
        for mantissa in _MANTISSAS:
            step = float(f"{mantissa:g}e{exponent}")
            if step * most >= span * (1 - _SAME):
                return step
    return float(f"1e{power + 2}")


def ticks(domain: Domain, most: int) -> list[float]:
    """Multiples of one nice step within the domain, at most `most` + 1, often fewer.

    >>> ticks(Domain(0, 1000), 4), ticks(Domain(0.13, 0.38), 3), ticks(Domain(-1, 1), 2)
    ([0.0, 500.0, 1000.0], [0.2, 0.3], [-1.0, 0.0, 1.0])
    """
    return _multiples(domain, nice_step(domain.high - domain.low, max(1, most)))


def log_ticks(domain: Domain, most: int) -> list[float]:
    """Powers of ten, or of a thousand and so on where these are too many; 2 and 5 times them where they are few.

    >>> log_ticks(Domain(1, 1000), 4), log_ticks(Domain(1, 20), 6), log_ticks(Domain(2e-6, 1), 3)
    ([1.0, 10.0, 100.0, 1000.0], [1.0, 2.0, 5.0, 10.0, 20.0], [0.0001, 0.01, 1.0])
    """
    first, last = math.ceil(math.log10(domain.low) - _SAME), math.floor(math.log10(domain.high) + _SAME)
    all_of_them = [
        float(f"{mantissa:g}e{exponent}") for exponent in range(first - 1, last + 1) for mantissa in _MANTISSAS
    ]
    fine = [tick for tick in all_of_them if domain.low * (1 - _SAME) <= tick <= domain.high * (1 + _SAME)]
    if len(fine) < _FEW and domain.high < 10 * domain.low:
        return max(fine, ticks(domain, most), key=len)
    if len(fine) <= max(2, most) and fine:
        return fine
    if last <= first:
        return ticks(domain, most)
    every = -(-(last - first + 1) // max(1, most))
    return [float(f"1e{exponent}") for exponent in range(first, last + 1) if exponent % every == 0]


def value_ticks(domain: Domain, most: int, *, log: bool = False) -> list[float]:
    """Ticks that tell how far an axis goes: `ticks` or `log_ticks`, or the two ends where those would be too few.

    >>> value_ticks(Domain(1, 3.5), 1), value_ticks(Domain(0, 4), 2), value_ticks(Domain(0.25, 3), 4)
    ([1, 3.5], [0.0, 2.0, 4.0], [1.0, 2.0, 3.0])
    """
    found = (log_ticks if log else ticks)(domain, most)
    if len(found) > 2:
        return found
    if len(found) == 2:
        ends = (domain.low, *found, domain.high)
        low, first, last, high = (math.log10(value) for value in ends) if log else ends
        if max(first - low, high - last) <= _CLOSE * (high - low):
            return found
    return [domain.low, domain.high]


def time_ticks(domain: Domain, most: int) -> list[float]:
    """Multiples of a time that people can read, in seconds.

    >>> time_ticks(Domain(0, 5000), 4)
    [0.0, 1800.0, 3600.0]
    """
    span = domain.high - domain.low
    most = max(1, most)
    if span < most or span > _DURATIONS[-1] * most:
        day = _DURATIONS[-1]
        return ticks(domain, most) if span < most else _multiples(domain, day * nice_step(span / day, most))
    return _multiples(domain, float(next(step for step in _DURATIONS if step * most >= span)))


def log_time_ticks(domain: Domain, most: int) -> list[float]:
    """Times that people can read, each several times the one before.

    >>> log_time_ticks(Domain(2, 5000), 6)
    [10.0, 60.0, 600.0, 3600.0]
    """
    named = [tick for tick in _LOG_DURATIONS if domain.low <= tick <= domain.high]
    return named if 2 <= len(named) <= max(2, most) else log_ticks(domain, most)


def labels(values: Sequence[float]) -> list[str]:
    """All in one notation, and as many decimals as it takes to tell them apart.

    >>> labels([0, 0.5, 1]), labels([0, 5000, 10000]), labels([0, 5e-5, 1e-4])
    (['0.0', '0.5', '1.0'], ['0k', '5k', '10k'], ['0', '0.5e-4', '1.0e-4'])
    """
    if not values:
        return []
    largest = max(map(abs, values))
    if 0 < largest < 1e-2 or largest >= 1e15:
        exponent = math.floor(math.log10(largest) + _SAME)
        digits = _decimals([value / 10.0**exponent for value in values])
        return [f"{value / 10.0**exponent:.{digits}f}e{exponent}" if value else "0" for value in values]
    scale, suffix = next(((scale, suffix) for scale, suffix in _SUFFIXES if largest >= max(scale, 1e4)), (1.0, ""))
    digits = _decimals([value / scale for value in values])
    return [f"{value / scale:.{digits}f}{suffix}" for value in values]


def log_labels(values: Sequence[float]) -> list[str]:
    """Each as short as it can be; of a narrow axis as `labels` has them.

    >>> log_labels([0.01, 0.1, 1, 10]), log_labels([1.00001, 1.00002])
    (['0.01', '0.1', '1', '10'], ['1.00001', '1.00002'])
    """
    texts = [number(value) for value in values]
    return texts if len(set(texts)) == len(texts) else labels(values)


def nice_domain(low: float, high: float, most: int, *, log: bool = False) -> Domain | None:
    """Round ends around `low`..`high`; None where there is nothing to show (low > high, or nothing above 0 on `log`).

    A single value gets room on both sides. On `log`, what is not above 0 lies below the axis.

    >>> nice_domain(0.31, 2.87, 5), nice_domain(3, 3, 5), nice_domain(0, 0, 5), nice_domain(3e-6, 0.4, 5, log=True)
    (Domain(low=0.0, high=3.0), Domain(low=1.5, high=4.5), Domain(low=-1.0, high=1.0), Domain(low=1e-06, high=1.0))
    """
    if low > high or (log and high <= 0):
        return None
    if log:
        return _nice_log_domain(low if low > 0 else high * 1e-6, high, most)
    low, high = max(low, -_FAR), min(high, _FAR)
    size = max(abs(low), abs(high))
    if high - low <= max(size * _SAME, _NEAR):
        room = size / 2 if size > _NEAR else 1.0
        low, high = low - room, high + room
    # Half of what lies between two ticks: a whole one would leave up to a third of the height empty.
    step = nice_step(high - low, max(1, most)) / 2
    return Domain(_round_to(math.floor(low / step + _SAME), step), _round_to(math.ceil(high / step - _SAME), step))


class SteadyDomain:
    """A value axis that moves seldom: only when a value leaves it, or when the values fill less than two fifths."""

    def __init__(self) -> None:
        self.domain: Domain | None = None
        self._log = False

    def fit(self, low: float, high: float, most: int, *, log: bool = False) -> bool:
        """Takes the values' extremes; whether the domain is another one now. Without values it stays."""
        kept = self.domain
        if low > high and kept is not None and log == self._log:
            return False
        wanted = nice_domain(low, high, most, log=log)
        if wanted is None or kept is None or log != self._log:
            self.domain, self._log = wanted, log
            return wanted != kept
        lowest = low if low > 0 or not log else kept.low
        left_below, left_above = max(lowest, -_FAR) < kept.low, kept.high < min(high, _FAR)
        if not left_below and not left_above and _span(wanted, log) * _EMPTY >= _span(kept, log):
            return False
        if (left_below or left_above) and log:
            ratio = (min(high, _FAR) / max(lowest, _NEAR)) ** _ROOM if high < lowest * _NARROW else 1.0
            wanted = nice_domain(
                lowest / ratio if left_below else low, high * ratio if left_above else high, most, log=True
            )
        elif left_below or left_above:
            room = min(high - low, _FAR) * _ROOM
            floor = 0.0 if low >= 0 else -math.inf
            below = max(low - room, floor) if left_below else low
            wanted = nice_domain(below, high + room if left_above else high, most)
        self.domain = wanted
        return wanted != kept


def _nice_log_domain(low: float, high: float, most: int) -> Domain:
    low, high = (min(max(value, _NEAR), _FAR) for value in (low, high))
    narrow = nice_domain(low, high, most) if high < low * _NARROW else None
    if narrow is not None and narrow.low > 0:
        return narrow
    mantissas = (1.0,) if high / low >= 50 else _MANTISSAS
    down, up = math.floor(math.log10(low)), math.floor(math.log10(high))
    below = [float(f"{m:g}e{e}") for e in (down - 1, down, down + 1) for m in mantissas]
    above = [float(f"{m:g}e{e}") for e in (up - 1, up, up + 1) for m in mantissas]
    start = max(value for value in below if value <= low * (1 + _SAME))
    end = min(value for value in above if value >= high * (1 - _SAME))
    if start < end:
        return Domain(start, end)
    return Domain(
        max(value for value in below if value < start * (1 - _SAME)),
        min(value for value in [*above, end * 10] if value > end * (1 + _SAME)),
    )


def _multiples(domain: Domain, step: float) -> list[float]:
    first, last = math.ceil(domain.low / step - 1e-6), math.floor(domain.high / step + 1e-6)
    return [_round_to(count, step) for count in range(first, last + 1)]


def _round_to(count: int, step: float) -> float:
    """`count` steps, without the hair that 3 * 0.1 is too much."""
    return float(f"{count * step:.12g}") + 0.0


def _span(domain: Domain, log: bool) -> float:
    return math.log10(domain.high / domain.low) if log else domain.high - domain.low


def _decimals(values: Sequence[float]) -> int:
    """As few as tell them apart and show each to a thousandth of their span."""
    near = (max(values) - min(values)) / 1000 or abs(values[0]) / 1000
    return next((digits for digits in range(13) if all(abs(round(v, digits) - v) <= near for v in values)), 13)


def _plain(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
