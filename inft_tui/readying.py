"""Before a run is started: whether this machine can run it."""

from __future__ import annotations

from inft.config import Config
from inft.errors import NotReadyError
from inft.project import project_root
from inft.readiness import disk, gpu, host, outlook
from inft.readiness.check import Check, are_red
from inft.readiness.checks import check_all
from inft.runs.redact import redact
from inft.runs.visible import visible
from inft_tui.terminal import err

WORTH_A_WORD = frozenset({outlook.NAME, gpu.HEALTH, disk.NAME, host.MEMORY, host.SHARED})
"""Checks whose amber light may be why a run ends early; the others are for `doctor` to show."""


def require_ready(config: Config) -> None:
    """Warns on stderr of what may end the run early.

    Raises:
        NotReadyError: something keeps it from running.
    """
    checks = check_all(config, project_root()).checks
    refusals = are_red(checks)
    if refusals:
        raise refusal(refusals)
    for check in checks:
        if check.status == "amber" and check.name in WORTH_A_WORD:
            err(visible(redact(f"warning: {check.message} {check.fix}")))


def refusal(checks: list[Check]) -> NotReadyError:
    """The error for red lights."""
    anyway = "--force starts it anyway."
    if len(checks) == 1:
        return NotReadyError(checks[0].message, f"{checks[0].fix} {anyway}")
    lines = [f"{len(checks)} things keep this profile from running here:"]
    lines += [f"  {check.name}: {check.message} {check.fix}" for check in checks]
    return NotReadyError("\n".join(lines), f"`inft-tui doctor` shows how all of it stands; {anyway}")
