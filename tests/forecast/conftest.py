"""The tiny checkpoints and the fixtures around them that the models' tests use."""

from __future__ import annotations

from tests.models.conftest import family, one_thread, tiny

__all__ = ["family", "one_thread", "tiny"]
