from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["inft_tui.feeds.foreign", "inft_tui.feeds.alerts", "inft_tui.logs.search"])
def test_reading_needs_no_screen(module: str) -> None:
    """In a fresh interpreter, since a deferred import is seen by no static graph."""
    script = f"import sys, {module}; print([name for name in ('textual', 'rich', 'torch') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
