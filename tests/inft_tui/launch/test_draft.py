"""A profile with changes: what differs, what is wrong, and the command, which a shell takes as it is meant."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from inft.profiles import open_profile, resolve
from inft.profiles.knobs import fields_by_key
from inft_tui.launch.command_text import command_lines, command_text
from inft_tui.launch.draft import Draft, next_choice


def test_a_change_is_told_with_what_was_before(draft: Draft) -> None:
    changed = draft.changed("sft.lr", " 2e-4 ").changed("data.languages", "en, fr")
    assert [(one.info.key, one.before, one.after) for one in changed.differences] == [
        ("sft.lr", 1e-3, 2e-4),
        ("data.languages", draft.base.data.languages, ("en", "fr")),
    ]
    assert changed.overrides == ("sft.lr=2e-4", "data.languages=en, fr")
    assert changed.config == resolve("small", changed.overrides).config
    assert draft.differences == ()


@pytest.mark.parametrize("raw", ["0.001", "1e-3", "1.0E-03"])
def test_the_profiles_own_value_is_no_change(draft: Draft, raw: str) -> None:
    assert draft.changed("sft.lr", "2e-4").changed("sft.lr", raw).overrides == ()


def test_entries_of_a_table_that_are_not_stated_stay(draft: Draft) -> None:
    assert draft.changed("data.columns", '{image = "image"}').overrides == ()
    changed = draft.changed("data.columns", '{image = "photo"}')
    assert changed.base.data.columns | {"image": "photo"} == changed.value(fields_by_key()["data.columns"])


def test_changes_are_taken_back(draft: Draft) -> None:
    changed = draft.changed("sft.lr", "2e-4").changed("lora.r", "8")
    assert changed.reset("lora.r").overrides == ("sft.lr=2e-4",)
    assert changed.unchanged().config == draft.base


def test_values_that_do_not_go_together_are_said_at_each_of_them(draft: Draft) -> None:
    changed = draft.changed("qlora.load_in_4bit", "false").changed("qlora.hold_dequantized", "true")
    assert changed.config is None
    for key in ("qlora.load_in_4bit", "qlora.hold_dequantized"):
        assert "nothing is quantised" in changed.problem(key)
    assert changed.problem("sft.lr") == ""
    assert changed.reset("qlora.load_in_4bit").config is not None


def test_changes_outlast_an_edit_of_the_profile(draft: Draft, project: Path) -> None:
    changed = draft.changed("sft.lr", "2e-4").changed("lora.r", "8")
    path = project / "profiles" / "small.toml"
    path.write_text(path.read_text(encoding="utf-8") + "[lora]\nr = 8\n", encoding="utf-8")
    again = changed.on(open_profile(path))
    assert again.overrides == ("sft.lr=2e-4",)
    assert again.base.lora.r == 8


def test_a_shell_takes_the_command_as_it_is_meant(draft: Draft, tmp_path: Path) -> None:
    changed = (
        draft.changed("basic.revision", "it's $HOME `x`")
        .changed("data.columns", '{image = "a \\"b\\" \\\\"}')
        .changed("data.languages", "en, fr")
        .changed("data.split", "日本;* #\\")
    )
    words = changed.command(force=True)
    program = tmp_path / "inft-tui"
    program.write_text('#!/bin/sh\nprintf "%s\\n" inft-tui "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    for text in (command_text(words), *("\n".join(command_lines(words, columns)) for columns in (30, 60, 160))):
        found_at = {"PATH": f"{tmp_path}:/bin:/usr/bin"}
        ran = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True, env=found_at)
        assert ran.stdout.splitlines() == words
    assert changed.config == resolve("small", words[words.index("--set") + 1 :: 2]).config


def test_lines_are_as_narrow_as_their_parts_allow(draft: Draft) -> None:
    words = draft.changed("sft.lr", "2e-4").changed("lora.r", "8").command()
    lines = command_lines(words, 40)
    assert max(map(len, lines)) <= 40
    assert [line.endswith(" \\") for line in lines] == [True] * (len(lines) - 1) + [False]


@pytest.mark.parametrize("columns", [24, 40, 60, 79])
def test_a_word_longer_than_the_screen_is_in_pieces_that_a_shell_joins(
    draft: Draft, tmp_path: Path, columns: int
) -> None:
    text = 'it\'s one of those that go on and on, ~ with #, a \\ and "quotes" in it, until nobody reads them'
    words = draft.changed("basic.revision", text).changed("lora.r", "8").command()
    lines = command_lines(words, columns, "  ")
    assert max(map(len, lines)) <= columns
    program = tmp_path / "inft-tui"
    program.write_text('#!/bin/sh\nprintf "%s\\n" inft-tui "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    found_at = {"PATH": f"{tmp_path}:/bin:/usr/bin"}
    ran = subprocess.run(["sh", "-c", "\n".join(lines)], capture_output=True, text=True, check=True, env=found_at)
    assert ran.stdout.splitlines() == words


def test_choices_go_round(draft: Draft) -> None:
    fit, flag = fields_by_key()["sft.fit"], fields_by_key()["qlora.load_in_4bit"]
    assert [next_choice(fit, "manual"), next_choice(fit, "auto")] == ["auto", "manual"]
    assert [next_choice(flag, True), next_choice(flag, False)] == ["false", "true"]
    assert next_choice(fields_by_key()["sft.lr"], 1e-3) is None
    source = fields_by_key()["basic.model_source"]
    assert next_choice(source, next_choice(source, source.choices[0]), -1) == source.choices[0]
