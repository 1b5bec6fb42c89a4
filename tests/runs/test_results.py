"""Where a run's adapters are now."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from inft.runs.results import RESULT, Result, find_result


def put(folder: Path, run_id: str) -> Path:
    folder.mkdir(parents=True)
    (folder / RESULT).write_bytes(msgspec.json.encode(Result(run_id, 40)))
    return folder


@pytest.mark.parametrize("aside", ["best-earlier-20250301-120000", "best/earlier-20250301-120000"])
def test_a_run_s_own_are_found_wherever_they_were_moved(tmp_path: Path, aside: str) -> None:
    best = put(tmp_path / "best", "two")
    moved = put(tmp_path / aside, "one")
    assert find_result(best, "two") == best
    assert find_result(best, "one") == moved
    assert find_result(best, "three") is None
    assert find_result(tmp_path / "nothing", "one") is None


def test_beside_what_a_link_leads_to(tmp_path: Path) -> None:
    moved = put(tmp_path / "disk/big-earlier-20250301-120000", "one")
    put(tmp_path / "disk/big", "two")
    (tmp_path / "best").symlink_to(tmp_path / "disk/big")
    assert find_result(tmp_path / "best", "one") == moved
