"""Before a run is started: whether this machine can run it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

from inft.config import Config
from inft.errors import NotReadyError
from inft.project import project_root
from inft.readiness import disk, folders, gpu, host, outlook, rows
from inft.readiness.check import Check, are_red
from inft.readiness.checks import check_all
from inft.runs.redact import redact
from inft.runs.visible import visible
from inft_tui.paragraphs import paragraph
from inft_tui.terminal import err

WORTH_A_WORD = frozenset({outlook.NAME, gpu.HEALTH, disk.NAME, host.MEMORY, host.SHARED, rows.NAME})
"""Checks whose amber light may be why a run ends early; the others are for `doctor` to show."""


def require_ready(config: Config, profile: str, overrides: Sequence[str]) -> None:
    """Warns on stderr of what may end the run early.

    Args:
        config: what is to run.
        profile: name or path of the profile that it is from.
        overrides: what was changed in it, each "table.key=value".

    Raises:
        NotReadyError: something keeps it from running.
    """
    checks = check_all(config, project_root()).checks
    # The locks are what refuses a folder that is taken, and they wait for a run that is just ending.
    refusals = [check for check in are_red(checks) if check.name != folders.OUTPUT]
    if refusals:
        raise refusal(refusals, command("doctor", profile, overrides))
    for check in checks:
        if check.status == "amber" and check.name in WORTH_A_WORD:
            text = visible(redact(f"{check.message} {check.fix}"))
            for line in paragraph(text, sys.stderr, first="warning: "):
                err(line)


def command(name: str, profile: str, overrides: Sequence[str]) -> str:
    r"""A command of ours about a profile, as a shell takes it.

    >>> command("doctor", "aya_adv", ["sft.lr=1e-4", 'basic.attn_impl="sdpa"'])
    'inft-tui doctor --profile aya_adv --set sft.lr=1e-4 --set \'basic.attn_impl="sdpa"\''
    """
    options = [word for text in overrides for word in ("--set", text)]
    return shlex.join(["inft-tui", name, "--profile", profile, *options])


def refusal(checks: Sequence[Check], doctor: str) -> NotReadyError:
    """The error for red lights.

    Args:
        checks: them.
        doctor: the command that shows all of them.
    """
    anyway = "--force starts it anyway."
    if len(checks) == 1:
        return NotReadyError(checks[0].message, f"{checks[0].fix} {anyway}")
    lines = [f"{len(checks)} things keep this profile from running here:"]
    for check in checks:
        lines += [f"  {check.name}: {check.message}", f"    -> {check.fix}"]
    return NotReadyError("\n".join(lines), f"{anyway} How all of it stands:\n  {doctor}")
