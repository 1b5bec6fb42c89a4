"""What can be asked of a run in the state that it is in."""

from __future__ import annotations

from inft.runs.condition import Condition


def why_not(request: str, condition: Condition | None) -> str:
    """Why a run cannot be asked this, as the rest of a sentence that begins with its name; empty = it can.

    Args:
        request: save, stop, abort or resume.
        condition: what is known of the run; None = nothing, and then the command itself is to judge.
    """
    if condition is None:
        return ""
    if request == "resume":
        return "is still going on, so there is nothing to resume." if condition.alive else ""
    return "" if condition.alive else f"has ended: it is {condition.state}."
