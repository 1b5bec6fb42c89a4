"""The stand-in trainer, saving real checkpoints when it is asked to save or to stop."""

from __future__ import annotations

import sys
from typing import Any

from inft.runs.control import pending
from inft.runs.directory import RunDirectory
from tests.runs import stand_in
from tests.runs.pretend import save_checkpoint

_honour_requests = stand_in._honour_requests


def _save_first(run: RunDirectory, *arguments: Any) -> None:
    if pending(run) & {"save", "stop"}:
        save_checkpoint(run, arguments[-1])
    _honour_requests(run, *arguments)


if __name__ == "__main__":
    stand_in._honour_requests = _save_first
    sys.exit(stand_in.main())
