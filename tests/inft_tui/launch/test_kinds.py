"""Parameters that only one model or mode reads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inft.params import FamilyName, Mode
from inft.profiles import describe_fields
from inft_tui.launch.draft import Draft
from inft_tui.launch.kinds import is_read
from inft_tui.launch.rows import about_lines


@pytest.mark.parametrize(
    ("family", "mode", "own", "others"),
    [
        ("aya", "basic", "sft.aya_output_dir", "sft.aya_adv_output_dir"),
        ("aya", "advanced", "lora.aya_advanced_target_modules", "lora.advanced_target_modules"),
        ("llama32", "basic", "basic.llama_model_name", "lora.advanced_target_modules"),
        ("llama32", "advanced", "lora.advanced_target_modules", "basic.aya_model_name"),
    ],
)
def test_what_another_kind_reads(draft: Draft, family: FamilyName, mode: Mode, own: str, others: str) -> None:
    config = replace(draft.base, family=family, mode=mode)
    read = {info.key for info in describe_fields() if is_read(info, config)}
    assert own in read
    assert others not in read
    assert {"sft.lr", "lora.r", "basic.logs_dir"} <= read


def test_no_name_of_a_model_is_forgotten(draft: Draft) -> None:
    unread = {info.key for info in describe_fields() if not is_read(info, draft.base)}
    foreign = {info.key for info in describe_fields() if any(word in info.name for word in ("llama", "adv"))}
    assert unread == foreign


def test_it_is_said(draft: Draft) -> None:
    info = next(info for info in describe_fields() if info.key == "basic.llama_model_name")
    assert "not read by aya in basic mode" in "".join(line[0][0] for line in about_lines(draft, info, 200, 9))
