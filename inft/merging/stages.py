"""What a merge is doing, on stderr: drawn in place on a terminal, a line for each stage anywhere else."""

from __future__ import annotations

import sys

from inft.measure import Progress
from inft.runs.visible import visible


class Stages:
    """Tells of a merge."""

    def __init__(self) -> None:
        self._progress = Progress()
        self._stays = not sys.stderr.isatty()
        self._stage = ""

    def say(self, stage: str, detail: str = "") -> None:
        """What is under way, and how far that is."""
        if not self._stays:
            self._progress.say(f"{stage}: {detail}" if detail else stage)
        elif stage != self._stage:
            self.note(stage)
        self._stage = stage

    def note(self, words: str) -> None:
        """Leaves a line that stays."""
        self.end()
        sys.stderr.write(visible(words) + "\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Takes a drawn line away."""
        self._progress.end()
