from __future__ import annotations

from tests.models.conftest import family, one_thread, tiny

__all__ = ["family", "one_thread", "tiny"]
