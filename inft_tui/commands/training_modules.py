"""`preview`, `modules` and `merge`: work that needs torch, done by a program of the core in this command's place."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NoReturn

from inft.errors import NotReadyError

PREVIEW = "inft.preview"
MODULES = "inft.modules"
MERGE = "inft.merging"


def become(module: str, arguments: Sequence[str]) -> NoReturn:
    """Continues as `python -m module arguments`.

    Replacing this process keeps the terminal, the signals and the exit code with the program, and torch out of here.

    Raises:
        NotReadyError: the training libraries are not installed.
    """
    require_training_libraries()
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])


def require_training_libraries() -> None:
    """Says so if this is an installation of the console alone.

    Raises:
        NotReadyError: torch is not installed.
    """
    if find_spec("torch") is None:
        raise NotReadyError(
            "Training needs libraries that are not installed here.", "Install them: pip install 'inft-tui[train]'."
        )
