"""Files of captions, of ours and of the MUNIChus scripts, and a sentence with its place for each bad one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inft.errors import DataError
from inft.scoring.files import read_predictions
from inft.scoring.pairs import pair
from inft.scoring.predictions import Prediction
from tests.scoring.captions import predictions, record, write

GOOD = {"language": "en", "reference_caption": "A dog.", "generated_caption": "A cat."}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "captions.jsonl"


def lines(file: Path, *records: object) -> Path:
    file.write_text(
        "".join(one if isinstance(one, str) else json.dumps(one) + "\n" for one in records), encoding="utf-8"
    )
    return file


def refused(file: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        read_predictions(file)
    assert caught.value.fix
    return caught.value


def test_what_we_write_is_read(file: Path) -> None:
    rows = predictions()[::7]
    assert read_predictions(write(file, rows)).predictions == list(rows)


@pytest.mark.parametrize("as_array", [False, True])
def test_what_the_munichus_scripts_write_is_read(as_array: bool, file: Path) -> None:
    records = [
        {"lang": "fr", "prediction": "Un chat.", "reference": "Un chien.", "score": float("nan")},
        {"language": "en", "generated_caption": None, "caption": "A dog."},
        {"lang": "zh", "prediction": "", "reference_caption": "一隻狗"},
    ]
    if as_array:
        file.write_bytes(b"\xef\xbb\xbf" + json.dumps(records, indent=2).encode())
    else:
        lines(file, *records, "\n")
    assert read_predictions(file).predictions == [
        Prediction("fr", "Un chien.", "Un chat."),
        Prediction("en", "A dog.", ""),
        Prediction("zh", "一隻狗", ""),
    ]


def test_half_a_character_is_no_text(file: Path) -> None:
    lines(file, '{"lang": "ja", "prediction": "a \\ud800 b", "reference": "a"}\n')
    assert read_predictions(file).predictions[0].generated == "a ? b"


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([GOOD, '{"language": "en", "ref\n', GOOD], "{file}, line 2: this is no whole JSON value."),
        ([GOOD, '{"language": "en"'], "{file}, line 2: this is no whole JSON value."),
        (["[{}"], "{file}: this is no whole JSON value."),
        ([GOOD, 5], "{file}, line 2: 5 is no JSON object."),
        (["[1]"], "{file}, entry 1: 1 is no JSON object."),
        ([{**GOOD, "language": ""}], "{file}, line 1: language is empty."),
        ([{**GOOD, "reference_caption": " "}], "{file}, line 1: reference_caption is empty."),
        ([{"language": "en", "caption": "A"}], "{file}, line 1: generated_caption or prediction is missing."),
        ([{"lang": "en", "prediction": "A"}], "{file}, line 1: reference_caption or reference or caption is missing."),
        ([{"caption": "A", "prediction": "A"}], "{file}, line 1: language or lang is missing."),
        ([{**GOOD, "generated_caption": 3}], "{file}, line 1: generated_caption = 3 is no text."),
        ([{**GOOD, "reference_caption": None}], '{file}, line 1: reference_caption = "none" is no text.'),
        ([{**GOOD, "row": "7"}], '{file}, line 1: row = "7" is no row\'s number.'),
        ([{**GOOD, "row": True}], "{file}, line 1: row = true is no row's number."),
        ([{**GOOD, "failure": 1}], "{file}, line 1: failure = 1 is no text."),
        ([{**GOOD, "row": 7}, GOOD, {**GOOD, "row": 7}], "{file} has row 7 of en twice: line 1 and line 3."),
        ([GOOD, {**GOOD, "image": "a"}, GOOD], "{file} has the same row twice: line 1 and line 3."),
        (
            [{**GOOD, "language": "Chinese"}],
            '{file}, line 1: language = "Chinese" is a language\'s name, by which its words are not told apart.',
        ),
        ([], "{file} has no captions: there is nothing to score."),
        (["[]"], "{file} has no captions: there is nothing to score."),
    ],
)
def test_bad_input_is_said_with_its_place(records: list[object], message: str, file: Path) -> None:
    assert refused(lines(file, *records)).message == message.format(file=file)


def test_a_language_is_called_by_its_code_and_blanks_around_it_do_not_count(file: Path) -> None:
    assert "zh" in refused(lines(file, {**GOOD, "language": " chinese"})).fix
    lines(file, {**GOOD, "language": " zh "}, {**GOOD, "language": "English"})
    assert read_predictions(file).languages == ["zh", "English"]


def test_the_same_number_in_another_language_is_another_row(file: Path) -> None:
    lines(file, {**GOOD, "row": 7}, {**GOOD, "row": 7, "language": "fr"})
    assert len(read_predictions(file).predictions) == 2


def test_no_file_and_a_folder_are_said(file: Path) -> None:
    assert refused(file).message == f"There is no file {file}."
    assert refused(file.parent).message == f"{file.parent} cannot be read: is a directory."


def test_languages_are_chosen_in_the_order_asked_for(file: Path) -> None:
    found = read_predictions(write(file, predictions())).of_languages(["zh", "en"])
    assert found.languages == ["zh", "en"]
    assert len(found.predictions) == 54


def test_a_language_that_is_not_there_is_said(file: Path) -> None:
    found = read_predictions(write(file, [one for one in predictions() if one.language in ("en", "si")]))
    with pytest.raises(DataError) as caught:
        found.of_languages(["en", "zh", "xx"])
    assert caught.value.message == f"{file} has no captions of zh, xx."
    assert caught.value.fix == "It has those of en, si: name some of them with --languages."


def test_rows_that_the_job_lacks_are_said(file: Path) -> None:
    rows = [one for one in predictions() if one.language in ("ar", "en")]
    write(file, rows[1:20] + rows[27:47])
    numbers = {"ar": [one.row for one in rows[:27]], "en": [one.row for one in rows[27:]]}
    job = file.with_name(f"{file.name}.job.json")
    job.write_text(json.dumps({"schema_version": 1, "split": "test", "rows": numbers}))
    with pytest.raises(DataError) as caught:
        read_predictions(file).require_complete()
    assert caught.value.message == f"{file} lacks 15 rows of its job: ar 0, ar 20, ar 21, ar 22, ar 23 and 10 more."
    with pytest.raises(DataError, match="lacks 7 rows of its job: en 47"):
        read_predictions(file).of_languages(["en"]).require_complete()
    write(file, rows)
    read_predictions(file).require_complete()
    job.write_text('{"split": "test"}')
    assert "does not say which rows" in refused(file).message


def pairing_refused(first: Path, second: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        pair(read_predictions(first), read_predictions(second))
    return caught.value


def test_rows_pair_up_by_their_numbers(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", predictions()), write(tmp_path / "b", predictions(seed=1)[::-1])
    found = pair(read_predictions(first), read_predictions(second))
    assert found.by == "row"
    assert found.second.predictions == list(predictions(seed=1))


def test_rows_without_numbers_pair_up_by_their_order_in_each_language(tmp_path: Path) -> None:
    records = [{key: value for key, value in record(one).items() if key != "row"} for one in predictions()]
    first = lines(tmp_path / "a", *records)
    second = lines(tmp_path / "b", *sorted(records, key=lambda one: str(one["language"]), reverse=True))
    found = pair(read_predictions(first), read_predictions(second))
    assert found.by == "order"
    assert list(found.first.predictions) == list(found.second.predictions)
    third = lines(tmp_path / "c", *records[1:])
    assert pairing_refused(first, third).message == (
        f"In ar, {first} has 27 rows and {third} has 26, without numbers that tell which belong together."
    )


def test_files_that_do_not_pair_up_are_said(tmp_path: Path) -> None:
    rows = predictions()
    first = write(tmp_path / "a", rows)
    fewer = write(tmp_path / "b", [one for one in rows if one.row not in (3, 40)])
    assert pairing_refused(first, fewer).message == f"{fewer} lacks 2 rows that {first} has: ar 3, en 40."
    assert pairing_refused(fewer, first).message == f"{fewer} lacks 2 rows that {first} has: ar 3, en 40."
    english = write(tmp_path / "c", [one for one in rows if one.language == "en"])
    caught = pairing_refused(english, first)
    assert caught.message == f"{english} has no captions of ar, fr, hi, id, ja, si, ur, yue, zh, which {first} has."
    assert caught.fix == "Compare what both have: --languages en."
    other = [Prediction("en", "Another caption.", one.generated, one.row) for one in rows if one.language == "en"]
    message = pairing_refused(english, write(tmp_path / "d", other)).message
    assert message.startswith("In en, row 27 is compared with ")
    assert 'and with "Another caption." in ' in message
