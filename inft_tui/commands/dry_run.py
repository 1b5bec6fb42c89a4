"""`--dry-run`: checks a configuration and says what it would run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from inft.config import Config
from inft.errors import ExitCode
from inft.profiles import resolve
from inft.project import project_root
from inft.readiness.needs import is_small
from inft.runs.redact import redact
from inft.runs.visible import visible
from inft_tui.paragraphs import paragraph
from inft_tui.plan import Plan, plan
from inft_tui.terminal import out, out_json
from inft_tui.values import value_text


def run(profile: str, overrides: Sequence[str], *, as_json: bool) -> int:
    """Prints the plan of `profile` with `overrides`; makes no file.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    resolved = resolve(profile, overrides)
    planned = plan(resolved)
    if as_json:
        out_json(redact(msgspec.json.encode(planned).decode("utf-8")))
    else:
        for line in _lines(planned, resolved.config):
            out(redact(line))
    return ExitCode.FINISHED


def _lines(planned: Plan, config: Config) -> list[str]:
    forecast = _forecast(config, project_root())
    rows = [
        ("profile", f"{planned.profile}: {planned.description}" if planned.description else planned.profile),
        ("family", f"{planned.family}, {planned.mode}"),
        ("model", planned.model),
        ("data", planned.data),
        ("evaluation", planned.evaluation),
        ("precision", f"{planned.compute_dtype}, attention {planned.attention}"),
        ("batch", f"{planned.effective_batch} rows per step, {_at_a_time(planned, config)}"),
        *([("forecast", forecast)] if forecast is not None else []),
        ("checkpoints", planned.checkpoints),
        ("adapters", planned.adapters),
        ("run", planned.run_directory),
        ("log", planned.log_link),
    ]
    lines = [line for label, value in rows for line in paragraph(visible(value), sys.stdout, first=f"{label:<12} ")]
    if not planned.differs:
        return [*lines, "", "Every value is the default."]
    lines += ["", "Differs from the defaults:"]
    stated = [f"{difference.key} = {value_text(difference.value)}" for difference in planned.differs]
    width = min(max(map(len, stated)), 60)
    for words, difference in zip(stated, planned.differs, strict=True):
        lines.append(f"  {words:<{width}}  {visible(difference.origin)}")
    return lines


def _at_a_time(planned: Plan, config: Config) -> str:
    if config.sft.fit == "auto":
        return "how many at a time is chosen when the run starts"
    return f"{planned.micro_batch} at a time"


def _forecast(config: Config, root: Path) -> str | None:
    """In one line; None for a small model, and for one that is not known."""
    if is_small(config, root):
        return None
    from inft.readiness.checks import forecast_text  # 100 ms with the look at the GPU, for what needs one

    return forecast_text(config, root)
