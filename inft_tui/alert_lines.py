"""What happened, as lines of a screen: one line below every screen, and the list of the last ones."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import datetime

from inft.runs.visible import visible
from inft_tui.display.spans import EMPTY, Line, width
from inft_tui.feeds.alerts import Level
from inft_tui.sentry import News, most_urgent

ROLES: dict[Level, str] = {"info": "good", "warning": "warn", "error": "bad"}
_SIGNS: dict[Level, str] = {"info": "●", "warning": "▲", "error": "✗"}
_INDENT = 4


def notice(unread: Sequence[News], key: str) -> Line:
    """The most urgent of `unread` in one line, and how many more there are.

    Args:
        unread: at least one.
        key: that leads to the list, as it is printed; empty = none does.
    """
    news = most_urgent(unread)
    alert, name = news.alert, visible(news.run.run_id)
    more = f"  and {len(unread) - 1} more{f' ({key})' if key else ''}" if len(unread) > 1 else ""
    whose = "" if alert.message.startswith(name) else f"  {name}"
    fix = f"  {alert.fix}" if alert.fix else ""
    # What happened first: a narrow screen shows no more than that.
    return ((f" {_SIGNS[alert.level]} {alert.message}", ROLES[alert.level]), (more, "accent"), (whose + fix, "dim"))


def entries(news: Sequence[News], columns: int, now: datetime) -> list[list[Line]]:
    """The lines of each of `news`, the newest first: when, of which run, what and what to do."""
    return [_entry(item, columns, now) for item in reversed(news)]


def nothing(since: datetime) -> list[Line]:
    """What is shown where nothing has happened."""
    return [
        EMPTY,
        ((f"  Nothing has happened since this console was opened at {since.astimezone():%H:%M}.", "title"),),
        EMPTY,
        (("  Of every run that goes on you are told here, and below each screen, when its loss diverges,", "dim"),),
        (("  when it stalls, when memory or a disk is nearly full, and when it has ended.", "dim"),),
    ]


def _entry(item: News, columns: int, now: datetime) -> list[Line]:
    alert = item.alert
    here, today = item.moment.astimezone(), now.astimezone()
    name = visible(item.run.run_id)
    when = f"{here:%H:%M:%S}" if here.date() == today.date() else f"{here:%d %b %H:%M:%S}"
    head: Line = (
        (f"  {_SIGNS[alert.level]} ", ROLES[alert.level]),
        (alert.level, ROLES[alert.level]),
        (f"  {when}  ", "dim"),
        (name, "title"),
    )
    message = alert.message.removeprefix(name).lstrip()  # which stands above already
    room = max(20, columns - _INDENT - 1)
    said = [((" " * _INDENT + line, "text"),) for line in textwrap.wrap(message, room)]
    fix = [((" " * _INDENT + line, "dim"),) for line in textwrap.wrap(alert.fix, room)]
    return [head, *said, *fix]


def filled(line: Line, columns: int) -> Line:
    """A selected line, to the screen's edge."""
    whole = (*line, (" " * max(0, columns - width(line)), "text"))
    return tuple((part, f"{role} selected") for part, role in whole)
