"""`doctor`: whether this machine can run a profile, what it will need, and what to change."""

from __future__ import annotations

import sys
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
from inft.runs.jsonl import strict
from inft.runs.quantities import size
from inft.runs.redact import redact
from inft.runs.visible import visible
from inft_tui.paragraphs import indented, paragraph
from inft_tui.readying import command
from inft_tui.terminal import can_color, err, out, out_json

COLORS: dict[Status, str] = {"green": "\x1b[32m", "amber": "\x1b[33m", "red": "\x1b[31m"}
PLAIN = "\x1b[0m"


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
        checks += probe(expects_gpu=ready.expects_gpu)
    if as_json:
        out_json(msgspec.json.encode(strict(msgspec.to_builtins(_as_data(checks, ready)))).decode("utf-8"))
    else:
        for line in _lines(checks, ready, "" if profile is None else command("data", profile, overrides)):
            out(redact(line))
    return ExitCode.NOT_READY if are_red(checks) else ExitCode.FINISHED


def _as_data(checks: Sequence[Check], ready: Readiness) -> dict[str, object]:
    seen = ready.outlook
    return {
        "checks": checks,
        "forecast": None if seen is None else seen.forecast,
        "plan": None if seen is None else seen.plan,
    }


def _lines(checks: Sequence[Check], ready: Readiness, measuring: str) -> Iterator[str]:
    """What stands well, the forecast, and last what keeps a run from starting, so that it is seen on any terminal."""
    shown = [check for check in checks if check.name not in ready.unasked]
    width = max(len(check.name) for check in shown)
    for check in shown:
        if check.status != "red":
            yield from _check_lines(check, width)
    if ready.outlook is not None and (ready.outlook.for_gpu or ready.outlook.plan is not None):
        yield ""
        for line in _outlook_lines(ready.outlook, measuring):
            yield from indented(line, sys.stdout)
    yield ""
    bad = are_red(shown)
    for check in bad:
        yield from _check_lines(check, width)
    if bad:
        yield ""
    yield from indented(_verdict(checks, demos_only=not (measuring or ready.full_size)), sys.stdout)


def _check_lines(check: Check, width: int) -> Iterator[str]:
    light = f"{check.status:<5}"
    margin = " " * (9 + width)
    first, *more = paragraph(visible(check.message), sys.stdout, first=f"{light}  {check.name:<{width}}  ", rest=margin)
    yield first.replace(light, f"{COLORS[check.status]}{light}{PLAIN}", 1) if can_color() else first
    yield from more
    if check.status != "green" and check.fix:
        yield from paragraph(visible(check.fix), sys.stdout, first=f"{margin}-> ")


def _outlook_lines(seen: Outlook, measuring: str) -> Iterator[str]:
    plan, forecast = seen.plan, seen.forecast
    if forecast.choice == seen.configured.choice:
        yield f"Forecast as configured: {describe(forecast.choice)}"
    else:
        does = "what the run will do" if plan is None or plan.fits else "the smallest way, which does not fit"
        yield f"Forecast of {does}: {describe(forecast.choice)}"
    yield from _part_lines(forecast)
    if not forecast.measured_lengths:
        table = seen.lengths
        longest = max(one.longest for one in table.classes)
        yield (
            f"  Lengths of the rows are assumed: up to {longest:,} tokens and {table.classes[-1].tiles} tiles. "
            "This measures them:"
        )
        yield f"  {visible(measuring)}"
    if forecast.choice != seen.configured.choice:
        configured = seen.configured
        yield f"  As configured, {describe(configured.choice)}, it would need {size(configured.card_bytes)}."
    if plan is None:
        yield ""
        yield from _other_card_lines()
    elif plan.fits:
        yield ""
        yield from _plan_lines(plan, "of this run")
    elif seen.rescue is not None:
        yield ""
        yield from _plan_lines(seen.rescue, "with --set sft.fit=auto")


def _plan_lines(plan: Plan, whose: str) -> Iterator[str]:
    yield f"Plan {whose}: {describe(plan.choice)}; {plan.need_text()}."
    yield f"  {visible(plan.reason)}"
    yield from (f"  or {other.text()}" for other in plan.alternatives)


def _part_lines(forecast: Forecast) -> Iterator[str]:
    rows = [(part.words, part.bytes) for part in forecast.parts]
    rows += [("together, at the most", forecast.peak_bytes), ("with what CUDA itself takes", forecast.card_bytes)]
    width = max(len(words) for words, _ in rows)
    yield from (f"  {visible(words):<{width}}  {size(amount):>10}" for words, amount in rows)
    yield f"  The most is held in {visible(forecast.moment)}."


def _other_card_lines() -> Iterator[str]:
    # An L4 or A10 shows 22.5 GiB, since error correction takes some; an RTX 4090 shows 24.0.
    yield (
        "A plan for a card of another machine: --set sft.fit=auto --set sft.memory_limit_gib=N, where N is the memory "
        "that nvidia-smi shows there, in GiB: a 24 GB card has about 22.5."
    )


def _verdict(checks: Sequence[Check], *, demos_only: bool) -> str:
    bad = [check.name for check in checks if check.status == "red"]
    if bad:
        return f"Not ready: {', '.join(bad)}."
    count = sum(check.status == "amber" for check in checks)
    ready = "Ready for the demo profiles only" if demos_only else "Ready"
    look = "thing deserves" if count == 1 else "things deserve"
    return f"{ready}; {count} {look} a look." if count else f"{ready}."
