from __future__ import annotations

from tests.runs.conftest import config, project, run

__all__ = ["config", "project", "run"]
