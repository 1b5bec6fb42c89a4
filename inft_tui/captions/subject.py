"""The captions of the run that is looked at, and what makes their pictures and scores ready; it outlives the screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from inft_tui.captions.feed import FollowedCaptions
from inft_tui.captions.gallery import Gallery
from inft_tui.captions.scores import Scores
from inft_tui.worker import Worker


class CaptionsSubject:
    """One run's at a time.

    Attributes:
        gallery: has pictures made ready.
        scores: has captions scored.

    Args:
        reader: the thread that reads files.
        decoder: another, for pictures and scores: these take time, and a picture may lie on a disk that hangs.
        send: writes to the terminal, beside what is drawn.
    """

    def __init__(self, reader: Worker, decoder: Worker, send: Callable[[str], None]) -> None:
        self._reader = reader
        self._followed: FollowedCaptions | None = None
        self.gallery = Gallery(decoder, send)
        self.scores = Scores(decoder)

    @property
    def followed(self) -> FollowedCaptions:
        """The samples of the run that `follow` was last called for."""
        assert self._followed is not None
        return self._followed

    def follow(self, path: Path) -> None:
        """Looks at this run from now on."""
        if self._followed is None or self._followed.path != path:
            if self._followed is not None:
                self._followed.close()
            self._followed = FollowedCaptions(path, self._reader)
