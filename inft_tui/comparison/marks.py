"""Marking runs for being compared."""

from __future__ import annotations

from pathlib import Path

MOST = 8
"""Runs that can be told apart in one chart."""
TOO_MANY = f"At most {MOST} runs can be compared at a time. Take another one out first."


def toggle(marked: list[Path], path: Path) -> bool:
    """Marks a run, or takes its mark away.

    Returns:
        False if nothing was changed, since as many are marked as can be told apart.
    """
    if path in marked:
        marked.remove(path)
        return True
    if len(marked) >= MOST:
        return False
    marked.append(path)
    return True
