"""`doctor`: whether this machine can run a profile, what it will need, and what to change."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence

import msgspec

from inft.errors import ConfigError, ExitCode
from inft.forecast.choice import describe
from inft.forecast.memory import Forecast
from inft.forecast.plan import Plan
from inft.profiles import resolve
from inft.project import project_root
from inft.readiness.check import Check, Status, are_red
from inft.readiness.checks import Readiness, check_all
from inft.readiness.outlook import Outlook
from inft.runs.quantities import size
from inft.runs.redact import redact
from inft.runs.visible import visible
from inft_tui.terminal import can_color, err, is_terminal, out, out_json

COLORS: dict[Status, str] = {"green": "\x1b[32m", "amber": "\x1b[33m", "red": "\x1b[31m"}
PLAIN = "\x1b[0m"

NARROWEST = 30
"""Columns below which broken lines would be harder to read than those that the terminal breaks."""


def run(profile: str | None, overrides: Sequence[str], *, deep: bool, as_json: bool) -> int:
    """Prints how this machine stands, and a profile on it.

    Args:
        profile: name or path; None = the machine alone.
        overrides: each "table.key=value".
        deep: whether to try out what a run computes with.
        as_json: print one JSON object.

    Returns:
        3 if something keeps a run from starting, else 0.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    if profile is None and overrides:
        raise ConfigError("--set changes a profile, and none is named.", "Add --profile.")
    config = None if profile is None else resolve(profile, overrides).config
    ready = check_all(config, project_root())
    checks = list(ready.checks)
    if deep:
        from inft.readiness.deep import probe

        if sys.stderr.isatty():
            err("trying out torch and bitsandbytes ...")
        checks += probe()
    if as_json:
        out_json(redact(msgspec.json.encode(_as_data(checks, ready)).decode("utf-8")))
    else:
        for line in _lines(checks, ready):
            out(redact(line))
    return ExitCode.NOT_READY if are_red(checks) else ExitCode.FINISHED


def _as_data(checks: Sequence[Check], ready: Readiness) -> dict[str, object]:
    seen = ready.outlook
    return {
        "checks": checks,
        "forecast": None if seen is None else seen.forecast,
        "plan": None if seen is None else seen.plan,
    }


def _lines(checks: Sequence[Check], ready: Readiness) -> Iterator[str]:
    width = max(len(check.name) for check in checks)
    in_color = can_color()
    for check in checks:
        light = f"{check.status:<5}"
        shown = f"{COLORS[check.status]}{light}{PLAIN}" if in_color else light
        first, *more = _broken(visible(check.message), 9 + width)
        yield f"{shown}  {check.name:<{width}}  {first}"
        if check.status != "green" and check.fix:
            fix, *rest = _broken(visible(check.fix), 12 + width)
            more += [f"-> {fix}", *(f"   {line}" for line in rest)]
        yield from (" " * (9 + width) + line for line in more)
    if ready.outlook is not None:
        yield ""
        yield from _outlook_lines(ready.outlook)
    yield ""
    yield _verdict(checks)


def _outlook_lines(seen: Outlook) -> Iterator[str]:
    forecast = seen.forecast
    lengths = "measured" if forecast.measured_lengths else "assumed"
    yield f"Forecast as configured, {describe(forecast.choice)}; lengths of the rows {lengths}:"
    yield from _part_lines(forecast)
    for plan in (seen.plan, seen.rescue):
        if plan is not None:
            yield ""
            yield from _plan_lines(plan, "with --set sft.fit=auto" if plan is seen.rescue else "of this run")
    if seen.plan is None:
        yield ""
        yield "A plan for a card of another machine: --set sft.memory_limit_gib=24."


def _plan_lines(plan: Plan, whose: str) -> Iterator[str]:
    fits = "fits" if plan.fits else "does not fit"
    yield (
        f"Plan {whose}, for {size(plan.budget_bytes)} of which {size(plan.margin_bytes)} stay free: "
        f"{describe(plan.choice)}; needs {size(plan.forecast.card_bytes)}, {fits}."
    )
    yield f"  {visible(plan.reason)}"
    yield from (f"  or {other.text()}" for other in plan.alternatives)


def _part_lines(forecast: Forecast) -> Iterator[str]:
    rows = [(part.words, part.bytes) for part in forecast.parts]
    rows += [("together, at the most", forecast.peak_bytes), ("with what CUDA itself takes", forecast.card_bytes)]
    width = max(len(words) for words, _ in rows)
    yield from (f"  {visible(words):<{width}}  {size(amount):>10}" for words, amount in rows)
    yield f"  The most is held in {visible(forecast.moment)}."


def _broken(text: str, indent: int) -> list[str]:
    """`text` in lines that stand beside each other on a terminal; as one line elsewhere."""
    room = shutil.get_terminal_size().columns - indent if is_terminal() else 0
    return textwrap.wrap(text, room, break_on_hyphens=False) if room >= NARROWEST else [text]


def _verdict(checks: Sequence[Check]) -> str:
    bad = [check.name for check in checks if check.status == "red"]
    if bad:
        return f"Not ready: {', '.join(bad)}."
    count = sum(check.status == "amber" for check in checks)
    return "Ready." if not count else f"Ready; {count} {'thing deserves' if count == 1 else 'things deserve'} a look."
