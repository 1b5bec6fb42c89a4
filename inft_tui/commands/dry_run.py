"""`--dry-run`: checks a configuration and says what it would run."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from inft.errors import ExitCode
from inft.profiles import resolve
from inft.runs.redact import redact
from inft.runs.visible import visible
from inft_tui.plan import Plan, plan
from inft_tui.terminal import out, out_json
from inft_tui.values import value_text


def run(profile: str, overrides: Sequence[str], *, as_json: bool) -> int:
    """Prints the plan of `profile` with `overrides`; makes no file.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    planned = plan(resolve(profile, overrides))
    if as_json:
        out_json(redact(msgspec.json.encode(planned).decode("utf-8")))
    else:
        for line in _lines(planned):
            out(redact(line))
    return ExitCode.FINISHED


def _lines(planned: Plan) -> list[str]:
    rows = [
        ("profile", f"{planned.profile}: {planned.description}" if planned.description else planned.profile),
        ("family", f"{planned.family}, {planned.mode}"),
        ("model", planned.model),
        ("data", planned.data),
        ("precision", f"{planned.compute_dtype}, attention {planned.attention}"),
        ("batch", f"{planned.effective_batch} rows per step, {planned.micro_batch} at a time"),
        ("checkpoints", planned.checkpoints),
        ("adapters", planned.adapters),
        ("run", planned.run_directory),
        ("log", planned.log_link),
    ]
    lines = [f"{label:<12} {visible(value)}" for label, value in rows]
    if not planned.differs:
        return [*lines, "", "Every value is the default."]
    lines += ["", "Differs from the defaults:"]
    stated = [f"{difference.key} = {value_text(difference.value)}" for difference in planned.differs]
    width = min(max(map(len, stated)), 60)
    for words, difference in zip(stated, planned.differs, strict=True):
        lines.append(f"  {words:<{width}}  {visible(difference.origin)}")
    return lines
