"""`python -m inft.preview`: what it shows is what the encoder makes, and every mistake is a sentence and a code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from inft import edge, preview
from inft.config import Config
from inft.data.encoding import EncodedRow, EncodingLimits
from inft.data.images import open_image
from inft.data.munichus import load_rows
from inft.data.rows import Row
from inft.errors import ExitCode
from inft.models.checkpoint import load_processor
from inft.models.registry import FAMILIES
from inft.models.tiny import tiny_checkpoint
from inft.params import LANGUAGE_NAMES
from inft.preview import Piece, parts_of, pieces
from inft.profiles import resolve
from tests.data.corpora import picture, write_jsonl
from tests.inft_tui.programs import Terminal
from tests.processors import BOTH, ENDS, HEADERS, blank, collator, demo_rows, processor, some_row
from tests.stand_in_hub import run_before_and_after_it_goes
from tests.training.nursery import Nursery, program_of

REPOSITORY = Path(__file__).resolve().parents[1]
COMMAND = (sys.executable, "-m", "inft.preview")


@pytest.fixture
def environment(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project to preview in, its tiny checkpoints made, and libraries that may reach nobody."""
    for family in BOTH:
        tiny_checkpoint(family, cache)
    monkeypatch.setenv("INFT_CACHE", str(cache))
    monkeypatch.setenv("INFT_HOME", str(REPOSITORY))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in edge.QUIET.items():
        monkeypatch.setenv(name, value)  # the program sets them for good, which this process must outlive


TWICE = """
import os, sys
from inft.preview import main
assert main(sys.argv[1:]) == 0
print("AND WITHOUT", flush=True)
os.environ["NO_COLOR"] = "1"
sys.exit(main(sys.argv[1:]))
"""


def in_a_process(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, **variables},
        timeout=120,
        check=False,
    )


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code and error of a call that shows nothing."""
    code = preview.main(arguments)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    return code, printed.err


def demo_row(config: Config, number: int, language: str | None = None) -> tuple[Row, int]:
    """A row of a profile's selection, and the size of that selection."""
    rows = list(load_rows(config.data, root=REPOSITORY, split=config.data.split))
    if language is not None:
        rows = [row for row in rows if row.language == language]
    return rows[number], len(rows)


def expected_of(config: Config, row: Row, cache: Path) -> EncodedRow:
    """The encoding that a run would make, with the checkpoint that lies in the cache."""
    folder = tiny_checkpoint(config.family, cache)
    limits = EncodingLimits.of(config)
    family = FAMILIES[config.family]
    maker = family.collator(load_processor(folder, family), [row], LANGUAGE_NAMES, limits)
    return maker.encoder.encode(row, open_image(row.image))


def counts_of(encoded: EncodedRow) -> dict[str, int]:
    image = encoded.image_span[1] - encoded.image_span[0]
    return {
        "image_tokens": image,
        "prompt_tokens": encoded.prompt_tokens - image,
        "supervised_tokens": int((encoded.labels != -100).sum()),
        "total_tokens": len(encoded.input_ids),
        "max_length": 1024,
        "article_cut_chars": len(encoded.article_cut),
    }


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("family", BOTH)
def test_json_is_what_a_run_would_encode(family: str, cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    profile = {"llama32": "demo_llama", "aya": "demo_aya"}[family]
    assert preview.main(["--profile", profile, "--lang", "si", "--row", "3", "--json"]) == 0
    printed = capfd.readouterr()
    assert printed.err == ""
    (line,) = printed.out.splitlines()
    shown = json.loads(line)

    config = resolve(profile).config
    row, total = demo_row(config, 3, "si")
    encoded = expected_of(config, row, cache)
    image = open_image(row.image)
    assert shown["counts"] == counts_of(encoded)
    assert {key: shown[key] for key in ("family", "split", "row", "rows", "language", "language_name", "place")} == {
        "family": family,
        "split": "train",
        "row": 3,
        "rows": total,
        "language": "si",
        "language_name": "Sinhala",
        "place": row.place,
    }
    assert (shown["picture"]["width"], shown["picture"]["height"]) == image.size
    assert [part["part"] for part in shown["parts"]] == ["prompt", "image", "prompt", "caption"]
    texts = ["".join(piece["text"] for piece in part["pieces"]) for part in shown["parts"]]
    assert texts[2].endswith(HEADERS[config.family])
    assert texts[3] == row.caption + ENDS[config.family]
    assert shown["cut"] == encoded.article_cut == row.content[120:]
    for part in shown["parts"]:
        assert part["tokens"] == sum(piece["tokens"] for piece in part["pieces"])
    patches = [piece["tokens"] for piece in shown["parts"][1]["pieces"] if "|" in piece["text"]]
    if family == "llama32":
        assert (texts[1], patches) == ("<|image|>", [1])
        assert shown["picture"]["tiles"] == int(encoded.extra["aspect_ratio_mask"].sum())
    else:
        tiles = len(encoded.extra["pixel_values"])
        assert patches == [1, *[4] * tiles, 1]  # start, a compressed run for each tile, end
        assert shown["picture"]["tiles"] == tiles


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_a_pipe_gets_labelled_sections(cache: Path, tmp_path: Path) -> None:
    done = in_a_process("--profile", "demo_aya", INFT_CACHE=str(tmp_path))  # which makes the checkpoint, too
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    config = resolve("demo_aya").config
    row, total = demo_row(config, 0)
    counts = counts_of(expected_of(config, row, cache))
    assert done.stdout.startswith(f"demo_aya: row 0 of {total} in split train, Arabic (ar), {row.place}\n")
    headings = re.findall(r"^\[(.+)\]$", done.stdout, re.MULTILINE)
    assert [heading.split(":")[0] for heading in headings] == [
        "prompt",
        "image",
        "prompt",
        "caption",
        "cut from the article's end",
    ]
    assert headings[1] == f"image: {counts['image_tokens']} tokens"
    assert headings[3] == f"caption: {counts['supervised_tokens']} tokens, supervised"
    assert headings[4].endswith(f": {counts['article_cut_chars']} characters")
    assert "·<|IMG_PATCH|> x4·" in done.stdout
    assert done.stdout.endswith(
        f"image {counts['image_tokens']} + prompt {counts['prompt_tokens']} + supervised "
        f"{counts['supervised_tokens']} = {counts['total_tokens']} of 1,024 tokens; "
        f"article cut by {counts['article_cut_chars']} characters\n"
    )
    assert row.content[120:] in done.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_a_terminal_gets_colors_unless_it_wants_none(nursery: Nursery) -> None:
    arguments = ("--profile", "demo_llama", "--split", "test", "--set", "data.article_chars=none")
    terminal = Terminal(sys.executable, "-c", TWICE, *arguments, nursery=nursery)
    assert terminal.wait(120) == 0
    outputs, texts = (shown.split("AND WITHOUT") for shown in (terminal.output, terminal.text))
    for output, text, colors in zip(outputs, texts, (True, False), strict=True):
        assert ("\x1b[32m" in output) == colors
        assert ("[caption: " in text) == (not colors)
        assert ("·" in text) == (not colors)
        assert "in split test" in text
        assert "article cut by 0 characters" in text
        assert "cut from the article" not in text


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "error: --profile is missing. There are: ", id="no profile"),
        pytest.param(["--profile", "demo_lama"], "Did you mean", id="unknown profile"),
        pytest.param(["--profile", "demo_aya", "--row", "160"], "Rows count from 0 to 159.", id="row too high"),
        pytest.param(["--profile", "demo_aya", "--row", "-1"], "--row -1 is not among the 160 rows", id="below 0"),
        pytest.param(
            ["--profile", "demo_aya", "--lang", "ja", "--row", "18"], "16 rows of split train in ja", id="of a language"
        ),
        pytest.param(["--profile", "demo_aya", "--row", "x"], "invalid int value", id="no number"),
        pytest.param(["--profile", "demo_aya", "--lang", "xx"], "ar, en, fr, hi, id, ja, si, ur, yue, zh", id="lang"),
        pytest.param(["--profile", "demo_aya", "--lang", "Sinhala"], "Did you mean si?", id="a language's name"),
        pytest.param(["--profile", "demo_aya", "--set", "data.nope=1"], "data.nope", id="unknown key"),
        pytest.param(["--profile", "demo_aya", "--nope"], "--nope", id="unknown option"),
        pytest.param(
            ["--profile", "demo_aya", "--set", "basic.max_length=64"], "Raise basic.max_length", id="too long a row"
        ),
    ],
)
def test_a_mistake_is_a_sentence_and_code_2(
    arguments: Sequence[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, error = error_of(capsys, *arguments)
    assert code == ExitCode.USAGE
    assert error.startswith("error: ")
    assert message in error


@pytest.mark.usefixtures("environment")
def test_an_unknown_split_is_about_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    code, error = error_of(capsys, "--profile", "demo_aya", "--split", "validation")
    assert code == ExitCode.DATA
    assert "validation" in error


@pytest.mark.usefixtures("environment")
def test_a_row_that_a_run_would_skip_is_about_the_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records: list[dict[str, Any]] = [
        {"image": {"bytes": data}, "language": "en", "title": "", "content": "An article", "caption": "A caption"}
        for data in (picture(), b"no picture")
    ]
    write_jsonl(tmp_path / "train.jsonl", records)
    own = ["data.source=jsonl", f"data.path={tmp_path}", 'data.languages=["en"]']
    arguments = ["--profile", "demo_llama", *(word for text in own for word in ("--set", text))]
    code, error = error_of(capsys, *arguments, "--row", "1")
    assert code == ExitCode.DATA
    assert error.startswith("error: train.jsonl line 2: not a picture")


@pytest.mark.usefixtures("environment")
def test_json_says_an_error_on_both_streams(capsys: pytest.CaptureFixture[str]) -> None:
    assert preview.main(["--profile", "demo_aya", "--row", "999", "--json"]) == ExitCode.USAGE
    printed = capsys.readouterr()
    alert = json.loads(printed.out)
    assert (alert["event"], alert["level"], alert["kind"]) == ("alert", "error", "configuration")
    assert printed.err.startswith(f"error: {alert['message']}\n")


@pytest.mark.usefixtures("environment")
def test_a_folder_needs_no_weights(tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    arguments = ["--profile", "demo_llama", "--set", "basic.model_source=folder", "--set", f"basic.model_path={folder}"]
    code, error = error_of(capsys, *arguments)
    assert code == ExitCode.USAGE
    assert "config.json" in error
    for name, data in processor_files("llama32", tmp_path / "made").items():
        (folder / name).write_bytes(data)
    assert preview.main(arguments) == 0
    assert "demo_llama: row 0 of 160" in capsys.readouterr().out
    code, error = error_of(capsys, *arguments, "--set", "family=aya")
    assert code == ExitCode.USAGE
    assert "mllama" in error


def processor_files(family: str, folder: Path) -> dict[str, bytes]:
    """What a checkpoint's repository holds beside its weights."""
    processor(family).save_pretrained(folder)  # type: ignore[index, arg-type]
    FAMILIES[family].released_config().save_pretrained(folder)  # type: ignore[index]
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_only_the_processor_of_a_hub_checkpoint_is_fetched(tmp_path: Path) -> None:
    weights = {"model-00001-of-00002.safetensors": b"0" * 64, "model.safetensors.index.json": b"{}"}
    files = processor_files("aya", tmp_path / "made") | weights
    arguments = ("--profile", "demo_aya", "--set", "basic.model_source=hub", "--json")
    other = ("--set", "basic.aya_model_name=nobody/model", "--set", "basic.aya_processor_name=nobody/model")
    hub, done, unreached = run_before_and_after_it_goes(
        *("CohereLabs/aya-vision-8b", files, tmp_path, "inft.preview"),
        (arguments, [*arguments, *other]),
        {"HF_HUB_OFFLINE": "0"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["counts"]["total_tokens"] > 100
    assert "tokenizer.json" in hub.fetched
    assert not any(name.endswith(".safetensors") for name in hub.fetched)
    assert unreached.returncode == ExitCode.HUB
    assert unreached.stderr.startswith("error: The model nobody/model is not in the cache")


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path, nursery: Nursery) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stdout, (tmp_path / "said").open("wb") as stderr:
        program = program_of([*COMMAND[1:], "--profile", "demo_aya"])
        process = nursery.start(program, os.environ, Path.cwd(), stdout.fileno(), errors=stderr.fileno())
    assert process.wait(120) == 0
    assert (tmp_path / "said").read_bytes() == b""


@pytest.mark.usefixtures("environment")
def test_what_nobody_expected_is_a_sentence_with_its_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(options: object) -> None:
        raise RuntimeError("hf_abcdefgh1234 is no token")

    monkeypatch.setattr(preview, "_preview", broken)
    code, error = error_of(capsys, "--profile", "demo_aya")
    assert code == ExitCode.INTERNAL
    assert "RuntimeError: hf_*** is no token" in error
    assert "test_preview.py line" in error


def test_help_needs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        preview.main(["--help"])
    assert caught.value.code == 0
    assert "--lang CODE" in capsys.readouterr().out


@pytest.mark.parametrize("family", BOTH)
def test_pieces_end_where_characters_do_and_keep_every_token(family: Any) -> None:
    tokenizer = processor(family).tokenizer
    for row in [demo_rows("train")[number] for number in range(0, 180, 12)] + [some_row("𐎀𐎁 \ufffd é 👩🏽\u200d🚀")]:
        encoded = collator(family).encoder.encode(row, blank())
        parts = parts_of(encoded, processor(family))
        assert sum(part.tokens for part in parts) == len(encoded.input_ids)
        for part in parts:
            assert part.tokens == sum(piece.tokens for piece in part.pieces)
        caption = "".join(piece.text for piece in parts[-1].pieces)
        assert caption == row.caption + ENDS[family]
        assert tokenizer.decode(encoded.labels[encoded.labels != -100].tolist()) == caption


def test_a_sequence_that_ends_within_a_character_is_shown_all_the_same() -> None:
    def decode(ids: Sequence[int]) -> str:
        return bytes(ids).decode("utf-8", "replace")

    assert list(pieces(b"a\xce", decode, 0)) == [Piece("a", 1), Piece("\ufffd", 1)]
    assert list(pieces([], decode, 0)) == []
