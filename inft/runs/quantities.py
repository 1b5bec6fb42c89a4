"""Numbers as a person reads them."""

from __future__ import annotations

_SIZE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def duration(seconds: float) -> str:
    """A length of time in its two largest units.

    >>> duration(0.4), duration(75), duration(3 * 3600 + 125), duration(90061)
    ('0.4 s', '1 min 15 s', '3 h 2 min', '1 d 1 h')
    """
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def size(count_bytes: float) -> str:
    """A number of bytes in binary units.

    >>> size(512), size(5 * 2**20), size(7.25 * 2**30)
    ('512 B', '5.0 MiB', '7.2 GiB')
    """
    value = float(count_bytes)
    for unit in _SIZE_UNITS[:-1]:
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} {_SIZE_UNITS[-1]}"


def amount(done: float, total: float | None, unit: str) -> str:
    """How far a stage is. `total` is None while nobody knows it; the unit "bytes" is shown in binary units.

    >>> amount(3, 10, "shards"), amount(1200, None, "rows"), amount(2**20, 2**22, "bytes")
    ('3 of 10 shards', '1,200 rows', '1.0 MiB of 4.0 MiB')
    """
    if unit == "bytes":
        return size(done) if total is None else f"{size(done)} of {size(total)}"
    text = _count(done) if total is None else f"{_count(done)} of {_count(total)}"
    return f"{text} {unit}".strip()


def figure(value: float) -> str:
    """A measured number, short: four significant digits, an exponent only where it is shorter.

    >>> figure(1.23456), figure(0.00015), figure(12345.6)
    ('1.235', '0.00015', '12,346')
    """
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _count(value: float) -> str:
    return f"{round(value):,}"
