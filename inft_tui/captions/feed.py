"""A run's `samples.jsonl`, and those of the runs that it continues, read on in slices while the run goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inft.runs.directory import RunDirectory
from inft.runs.lineage import ancestors
from inft_tui.captions.album import Album
from inft_tui.feeds.fetching import Chain, Fetched, Progress
from inft_tui.feeds.foreign import is_run
from inft_tui.watched import CALM_AFTER_S, CALM_S, Reader
from inft_tui.worker import Worker


@dataclass(frozen=True, slots=True)
class Piece:
    """What a slice of reading brought.

    Attributes:
        fetched: the lines.
        folders: of the run and of those that it continues, the newest first; none for another program's log.
    """

    fetched: Fetched
    folders: tuple[Path, ...]


class CaptionFeed:
    """The samples of one run; what cannot be read is a sentence in `problem`.

    Attributes:
        album: what was read.
        folders: where its pictures lie, the newest run's first; empty before the first look, and for another
            program's log, which has no samples that are known.
        problem: why they cannot be read, safe to show; empty = they can.

    Args:
        path: the run's folder, or another program's log.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # What a worker thread uses.
        self._chain: Chain | None = None
        self._fetched_folders: tuple[Path, ...] = ()
        # What the screen uses.
        self.album = Album()
        self.folders: tuple[Path, ...] = ()
        self.problem = ""

    def fetch(self, budget_s: float) -> Piece:
        """Reads on for about `budget_s` seconds; may run in another thread than the rest."""
        if self._chain is None:
            if not is_run(self._path):
                return Piece(Fetched(), ())
            self._chain = Chain(self._files)
        return Piece(self._chain.fetch(budget_s), self._fetched_folders)

    def take(self, piece: Piece) -> Progress:
        """Adds what was fetched, in the order of fetching; reads nothing."""
        fetched = piece.fetched
        if fetched.restarted:
            self.album = Album()
        is_other = (piece.folders, fetched.problem) != (self.folders, self.problem)
        is_news = self.album.take(fetched.records, fetched.seams) or is_other
        self.folders, self.problem = piece.folders, fetched.problem
        changed = frozenset({"captions"}) if is_news else frozenset()
        return Progress(fetched.done, fetched.bytes_left, changed, fetched.restarted)

    def close(self) -> None:
        """Lets go of files."""
        if self._chain is not None:
            self._chain.close()

    def _files(self) -> Sequence[Path]:
        ids = ancestors(RunDirectory(self._path))
        self._fetched_folders = tuple(self._path.with_name(run_id) for run_id in ids)
        return [RunDirectory(folder).samples for folder in reversed(self._fetched_folders)]


class FollowedCaptions:
    """The samples of one run, kept up to date.

    Attributes:
        path: the run's folder, or another program's log.
        feed: what was read.
        changed: told after each slice that brought something; a screen that is shown puts itself here.

    Args:
        path: the same.
        worker: the thread that reads.
    """

    def __init__(self, path: Path, worker: Worker) -> None:
        self.path = path
        self.feed = CaptionFeed(path)
        self.changed: Callable[[], None] = _nothing
        self._news_at = time.monotonic()
        self._was_loaded = False
        self._reader = Reader(self.feed, worker, self._taken)

    @property
    def is_loaded(self) -> bool:
        """Whether the past is read, and only what comes is still to be."""
        return self._reader.is_loaded

    @property
    def next_look_s(self) -> float | None:
        """Seconds until there is to be another look; None = as soon as may be."""
        is_calm = self.is_loaded and time.monotonic() - self._news_at >= CALM_AFTER_S
        return CALM_S if is_calm else None

    def poll(self) -> None:
        """Has it read on."""
        self._reader.poll()

    def close(self) -> None:
        """Lets go of the files."""
        self._reader.close()

    def _taken(self, progress: Progress) -> None:
        if progress.changed or progress.restarted or not progress.done or not self._was_loaded:
            self._was_loaded = self.is_loaded
            self._news_at = time.monotonic()
            self.changed()


def _nothing() -> None:
    """Nobody wants to know."""
