from __future__ import annotations

import os
from pathlib import Path

from inft_tui.launch.catalogue import read_catalogue
from tests.runs.conftest import project

__all__ = ["project"]


def test_a_name_that_no_shell_takes_is_said(project: Path) -> None:
    (project / "profiles").mkdir(exist_ok=True)
    path = os.fsencode(project / "profiles") + b"/od\xff.toml"
    with open(path, "w", encoding="utf-8") as file:
        file.write('family = "aya"\n')
    (entry,) = (entry for entry in read_catalogue().entries if entry.summary.name.startswith("od"))
    assert entry.opened is None
    assert entry.summary.name == "od\\udcff"
    assert entry.summary.problem.endswith("is not UTF-8; rename it.")
