"""What can be asked of a run as it is now."""

from __future__ import annotations

from inft_tui.feeds.facts import RunFacts

_OF_ONE_THAT_GOES_ON = ("save", "stop", "abort")


def why_not(request: str, facts: RunFacts) -> str:
    """Why there is no sense in asking; empty where there is, or where that cannot be told, and for anything else.

    Args:
        request: save, stop, abort or resume.
        facts: of the run.
    """
    if request not in (*_OF_ONE_THAT_GOES_ON, "resume"):
        return ""
    if facts.state == "foreign":
        return "This is another program's log: only that program can be asked to save, to stop or to go on."
    condition = facts.condition
    if condition is None:
        return ""
    if request == "resume":
        return f"{facts.run_id} goes on already." if condition.alive else ""
    return "" if condition.alive else f"{facts.run_id} has ended: there is nothing to {request}."
