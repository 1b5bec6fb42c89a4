"""The list of parameters and the whole picture, as text."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path
from typing import NoReturn

import pytest

from inft.config import Config
from inft.errors import NotReadyError
from inft.profiles.knobs import fields_by_key
from inft_tui.display.line_edit import LineEdit
from inft_tui.display.spans import Line, width
from inft_tui.launch.catalogue import read_catalogue
from inft_tui.launch.draft import Draft
from inft_tui.launch.editor import TEN, ParameterEditor, editable
from inft_tui.launch.layout import PARTS, View, picture
from inft_tui.launch.notes import Note
from inft_tui.launch.preparation import Preparation
from inft_tui.launch.rows import about_lines, difference_lines, parameter_lines
from inft_tui.worker import Worker


def text(lines: list[Line]) -> list[str]:
    return ["".join(part for part, _ in line).rstrip() for line in lines]


@pytest.fixture
def preparation(project: Path) -> Preparation:
    """With the profiles read, and a machine that is never done being looked at."""

    def fail(error: Exception) -> None:
        raise error

    def wait(config: Config, *_: object) -> NoReturn:
        raise NotReadyError("", "")

    made = Preparation(Worker(lambda call: None, fail), lambda call: None, check=wait, foresee=wait)
    made.catalogue = read_catalogue()
    made.family = "aya"
    made.choose_profile(3)
    return made


def test_rows_say_what_differs_from_default_and_profile(draft: Draft) -> None:
    changed = draft.changed("lora.r", "8").changed("data.max_rows_per_lang", "5")
    editor = ParameterEditor()
    assert text(parameter_lines(editor, changed, 100, 20, focused=True)) == [
        " ○ sft.lr                           1e-3                          default 1.5e-4",
        "   sft.num_epochs                   1                             epochs",
        "   data.languages                   ar, en, fr, hi, id, ja, si, ur, yue, zh",
        " ● data.max_rows_per_lang           5                             rows, was none",
        "   data.batch_size                  1                             rows",
        "   sft.gradient_accumulation_steps  16",
        "   sft.fit                          manual",
        "   basic.max_length                 4096                          tokens",
        " ● lora.r                           8                             was 64",
        "   lora.alpha                       32",
    ]
    assert text(difference_lines(changed, 60, 5)) == ["  lora.r 8  was 64", "  data.max_rows_per_lang 5  was none"]
    assert text(difference_lines(changed, 60, 1)) == ["  and 2 more"]


def test_what_is_typed_stands_in_the_row_and_why_not_below_it(draft: Draft) -> None:
    editor = ParameterEditor()
    assert editor.change(draft) is draft
    assert editor.typing == LineEdit("1e-3", 4)
    editor.typing = LineEdit("7", 1)
    lines = text(parameter_lines(editor, draft, 80, 4, focused=True))
    assert lines[0].startswith(" ○ sft.lr                           7▏")
    assert lines[1] == "     It must be a number above 0 and at most 1."
    assert len(lines) == 4
    assert editor.tried(draft) is draft
    editor.typing = LineEdit("0.5", 3)
    assert editor.tried(draft).overrides == ("sft.lr=0.5",)


def test_a_long_text_shows_where_the_cursor_is(draft: Draft) -> None:
    editor = ParameterEditor()
    editor.typing = LineEdit("x" * 200 + "end", 203)
    row = text(parameter_lines(editor, draft, 60, 4, focused=True))[0]
    assert row.endswith("end▏")


def test_ten_or_all_as_suits_the_mode(draft: Draft) -> None:
    editor = ParameterEditor()
    assert [info.key for info in editor.shown(draft)] == list(TEN)
    assert editor.shown(draft.changed("mode", "advanced"))  # what the profile says counts, not a change
    editor.toggle(draft)
    assert editor.shown(draft) == editable()
    editor.filter = "learning rate peak"
    assert [info.key for info in editor.shown(draft)] == ["sft.lr"]
    editor.find(draft, "lora")
    shown = [info.key for info in editor.shown(draft)]
    assert shown[0] == "lora.r"  # what is called so comes before what only mentions it
    assert "qlora.load_in_4bit" in shown
    assert shown.index("basic.dtype") > shown.index("qlora.load_in_4bit")
    editor.toggle(draft)
    assert len(editor.shown(draft)) == 10


def test_the_selected_one_is_always_shown(draft: Draft) -> None:
    editor, dice = ParameterEditor(), random.Random(2)
    editor.everything = True
    for _ in range(60):
        editor.select(draft, dice.randrange(-5, 100))
        rows = dice.randrange(1, 30)
        info = editor.selected(draft)
        assert info is not None
        lines = parameter_lines(editor, draft, 80, rows, focused=True)
        assert len(lines) <= rows
        marked = [line for line in lines if "selected" in line[0][1]]
        assert [info.name in "".join(part for part, _ in line) for line in marked] == [True]


def test_all_that_is_known_of_a_parameter(draft: Draft) -> None:
    info = fields_by_key()["sft.lr"]
    assert text(about_lines(draft.changed("sft.lr", "0.5"), info, 90, 9)) == [
        "  Peak learning rate.",
        "  A number above 0 and at most 1; default 1.5e-4; the profile has 1e-3.",
    ]
    assert "stated in profiles/small.toml line 9" in " ".join(text(about_lines(draft, info, 120, 9)))
    assert text(about_lines(draft, fields_by_key()["sft.fit"], 60, 2))[1].endswith(" …")


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (100, 30), (120, 36), (160, 45), (300, 100), (20, 6), (1, 1)])
def test_the_picture_fits_any_size(preparation: Preparation, size: tuple[int, int]) -> None:
    columns, rows = size[0], max(1, size[1] - 3)
    draft = preparation.draft
    assert draft is not None
    preparation.put(draft.changed("lora.r", "8").changed("data.columns", '{image = "photo"}'))
    for part, everything in product(PARTS, (False, True)):
        preparation.editor.everything = everything
        lines = picture(View(preparation, part, 3), columns, rows)
        if columns >= 60:
            assert len(lines) == rows
            shown = "\n".join(text(lines))
            for words in ("Model", "Mode", "Profile", "Ready?", "Command", "--profile small"):
                assert words in shown
            assert "sft.lr" in shown or "basic.seed" in shown or part == "lights"


@pytest.mark.parametrize("columns", [80, 120, 160])
def test_the_marks_are_explained(preparation: Preparation, columns: int) -> None:
    draft = preparation.draft
    assert draft is not None
    preparation.put(draft.changed("lora.r", "8"))
    shown = "\n".join(text(picture(View(preparation, "profile"), columns, 33)))
    assert "○ not" in shown
    assert "● 1 changed" in shown


@pytest.mark.parametrize("size", [(60, 15), (80, 21), (160, 42)])
def test_what_is_to_be_read_stands_beside_the_command(preparation: Preparation, size: tuple[int, int]) -> None:
    preparation.forces = True
    note = Note("Not started", ("word " * 30,))
    lines = picture(View(preparation, "profile", note=note), *size)
    assert len(lines) == size[1]
    shown = "\n".join(text(lines))
    assert "--force --profile small" in shown
    assert shown.count("word") == 30
    crowded = picture(View(preparation, "profile", note=Note("x", ("word " * 600,))), *size)
    assert len(crowded) == size[1]
    assert "--force --profile small" in "\n".join(text(crowded))


def test_wide_parts_stand_beside_each_other(preparation: Preparation) -> None:
    lines = text(picture(View(preparation, "profile"), 160, 42))
    row = next(line for line in lines if " Parameters " in line)
    assert "Ready?" in row
    assert all(width(line) <= 160 for line in picture(View(preparation, "profile"), 160, 42))
    assert [line for line in lines if "▸" in line] == [
        "   Llama 3.2 Vision 11B    ▸ basic         aya_basic      Aya Vision 8B on MUNIChus, the guide's basic recipe",
        " ▸ Aya Vision 8B             advanced      demo_aya       Tiny Aya Vision on the bundled corpus, on the CPU",
        "                                         ▸ small          For tests",
    ]


def test_what_keeps_it_from_starting_stands_where_the_command_would(preparation: Preparation) -> None:
    draft = preparation.draft
    assert draft is not None
    preparation.put(draft.changed("qlora.load_in_4bit", "false").changed("qlora.hold_dequantized", "true"))
    lines = text(picture(View(preparation, "profile"), 160, 42))
    assert lines[-3].startswith(" Cannot be started")
    assert "nothing is quantised. Leave one of them out." in " ".join(lines[-2:])


def test_profiles_that_cannot_be_used(preparation: Preparation, project: Path) -> None:
    (project / "profiles" / "zz.toml").write_text('family = "aya"\n[sft]\nlr = 9\n', encoding="utf-8")
    preparation.catalogue = read_catalogue()
    preparation.choose_profile(9)
    shown = "\n".join(text(picture(View(preparation, "profile"), 100, 27)))
    assert "zz cannot be used:" in shown
    assert "must be a number above 0 and at most 1, not 9" in shown
    preparation.catalogue = None
    assert "Reading" in "\n".join(text(picture(View(preparation, "profile"), 100, 27)))
