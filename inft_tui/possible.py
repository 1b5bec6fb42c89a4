"""What can be asked of a run as it is now."""

from __future__ import annotations

from inft.runs.condition import Condition

FOREIGN = "This is another program's log: only that program can be asked to save, to stop or to go on."

_REQUESTS = frozenset({"save", "stop", "abort", "resume"})


def why_not(request: str, name: str, condition: Condition | None, *, foreign: bool = False) -> str:
    """Why there is no sense in asking; empty where there is, where that cannot be told, and for anything else.

    Args:
        request: save, stop, abort or resume.
        name: the run's, safe to show.
        condition: what is known of its processes; None = nothing, and then the command itself is to judge.
        foreign: whether it is another program's log.
    """
    if request not in _REQUESTS:
        return ""
    if foreign:
        return FOREIGN
    if condition is None:
        return ""
    if request == "resume":
        return f"{name} is still going on, so there is nothing to resume." if condition.alive else ""
    return "" if condition.alive else f"{name} has ended: it is {condition.state}."
