"""What happened to the runs between two looks at them that a person should hear of on any screen."""

from __future__ import annotations

from inft.runs.redact import redact
from inft.runs.visible import visible
from inft_tui.deeds import Outcome
from inft_tui.listing import Seen, Snapshot
from inft_tui.words import end_line


def news_between(before: Snapshot, now: Snapshot) -> Outcome | None:
    """The newest run that ended or stopped making progress between the two looks; None if none did."""
    known = {seen.run.path: seen for seen in before.runs}
    for seen in now.runs:
        old = known.get(seen.run.path)
        if old is not None and old is not seen and (news := _news(old, seen)) is not None:
            return news
    return None


def _news(old: Seen, new: Seen) -> Outcome | None:
    was, condition = old.condition, new.condition
    if was is None or condition is None or not was.alive:
        return None
    name = visible(new.run.run_id)
    if not condition.alive:
        cause = condition.cause
        why = f": {cause.message}" if condition.state == "failed" and cause is not None else ""
        text = f"{name} {end_line(condition, new.news)}{why}"
        return Outcome(visible(redact(text)), went_well=condition.state != "failed")
    if condition.stalled_sec is not None and was.stalled_sec is None:
        return Outcome(f"{name} shows no sign of progress.", went_well=False)
    return None
