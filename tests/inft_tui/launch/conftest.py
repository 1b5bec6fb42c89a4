from __future__ import annotations

from pathlib import Path

import pytest

from inft.profiles import open_profile
from inft_tui.launch.draft import Draft

OWN = """\
family = "aya"
mode = "basic"
description = "For tests"

[basic]
model_source = "tiny"

[sft]
lr = 1e-3

[data]
source = "demo"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one profile of its own, beside those that are shipped."""
    monkeypatch.setenv("INFT_HOME", str(tmp_path))
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "small.toml").write_text(OWN, encoding="utf-8")
    return tmp_path


@pytest.fixture
def draft(project: Path) -> Draft:
    return Draft("small", open_profile(project / "profiles" / "small.toml"))
