"""`inft-tui data`: measures once, shows at once, fits the terminal, and says what is wrong."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import psutil
import pytest

from inft.config import Config
from inft.forecast.identity import lengths_key
from inft.forecast.row_lengths import UNKNOWN, RowLengths
from inft.forecast.statistics import Statistics, cached_statistics, write
from inft.profiles import resolve
from inft_tui.commands.data import lines
from inft_tui.histograms import ASCII, BLOCKS, Glyphs
from tests.inft_tui.programs import COMMAND, Terminal, inft_tui

FEW = ("--set", "data.languages=en,si", "--set", "data.max_rows_per_lang=6")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project root and a cache of a test's own."""
    monkeypatch.setenv("INFT_HOME", str(tmp_path))
    monkeypatch.setenv("INFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path


@pytest.fixture
def known(home: Path) -> Config:
    """Of this configuration the lengths are in the cache."""
    config = resolve("demo_aya").config
    lengths = RowLengths()
    for number in range(4000):
        lengths.add(
            tokens=1200 + 7 * number % 900 + 1000 * (number % 40 == 0),
            tiles=(3, 9, 9, 9, 13)[number % 5],
            supervised=15 + number % 30,
            cut=(number % 3 == 0) * 200,
            language=number % 10,
        )
    lengths.add_unusable("too_long", 3)
    lengths.add_unusable("unreadable_row", UNKNOWN)
    key = lengths_key(config, home, "train")
    assert key is not None
    write(Statistics.of(key, "train", sorted(config.data.languages), lengths), lengths)
    return config


def test_it_measures_what_it_does_not_know_and_then_knows_it(home: Path) -> None:
    done = inft_tui("data", "--profile", "demo_llama", *FEW, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    answer = json.loads(done.stdout)
    assert {key: answer[key] for key in ("profile", "family", "split", "rows", "max_length")} == {
        "profile": "demo_llama",
        "family": "llama32",
        "split": "train",
        "rows": 12,
        "max_length": 1024,
    }
    assert {code: group["rows"] for code, group in answer["languages"].items()} == {"en": 6, "si": 6}
    assert sum(answer["all"]["tokens"].values()) == 12
    (summary,) = (home / "cache" / "lengths").glob("*.json")
    os.utime(summary, (1, 1))
    again = inft_tui("data", "--profile", "demo_llama", *FEW, "--json", env={"PATH": "", "HF_HOME": "/nowhere"})
    assert json.loads(again.stdout) == answer
    assert summary.stat().st_mtime == 1


def drawn(config: Config, width: int, glyphs: Glyphs) -> list[str]:
    statistics = cached_statistics(config, Path(os.environ["INFT_HOME"]))
    assert statistics is not None
    return "\n".join(line.plain for line in lines(config, statistics, width, glyphs)).split("\n")


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("glyphs", [BLOCKS, ASCII], ids=["blocks", "ascii"])
def test_it_fits(known: Config, width: int, glyphs: Glyphs) -> None:
    found = drawn(known, width, glyphs)
    assert max(map(len, found)) <= width
    assert found == [line.rstrip() for line in found]
    if glyphs is ASCII:
        assert all(line.isascii() for line in found)


def test_what_it_says(known: Config) -> None:
    found = drawn(known, 80, BLOCKS)
    assert found[:2] == [
        "demo_aya: split train, 4,002 rows",
        "2 of them cannot be used: too_long 1, unreadable_row 1",
    ]
    (english,) = (line for line in found if line.startswith("English"))
    assert re.fullmatch(r"English +400 +1,6\d\d +\d,\d{3} +\d,\d{3} +9\.0 +\d\d\.\d +\d\d %  [▁▂▃▄▅▆▇█ ]+", english)
    assert any(re.match(r" 9  2,400  60\.0 %  █+$", line) for line in found)
    assert " ".join(found[-2:]) == (
        "1,334 articles (33.4 %) are cut, by 200 characters on average "
        "(basic.max_length = 1,024, data.article_chars = 120)."
    )


def test_numbers_of_the_table_stand_below_each_other(known: Config) -> None:
    found = drawn(known, 80, BLOCKS)
    head = next(line for line in found if "median" in line)
    ends = [head.index(word) + len(word) for word in ("rows", "median", "95 %", "longest", "tiles", "superv.", "cut")]
    rows = [line for line in found if re.match(r"(English|Sinhala|all) ", line)]
    assert len(rows) == 3
    for line in rows:
        assert all(line[end - 1] in "0123456789%" and line[end] == " " for end in ends), line


def test_on_a_terminal_it_is_coloured_and_no_wider(known: Config) -> None:
    terminal = Terminal(*COMMAND, "data", "--profile", "demo_aya", columns=72)
    assert terminal.wait() == 0
    assert "\x1b[36m" in terminal.output
    assert "█" in terminal.text
    assert max(len(line) for line in terminal.text.splitlines()) <= 72


@pytest.mark.parametrize("plain", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colour_where_that_is_wanted(known: Config, plain: dict[str, str]) -> None:
    terminal = Terminal(*COMMAND, "data", "--profile", "demo_aya", env=plain)
    assert terminal.wait() == 0
    assert "\x1b" not in terminal.output


def test_in_ascii_where_the_locale_has_no_more(known: Config) -> None:
    done = inft_tui("data", "--profile", "demo_aya", env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert "####" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--profile", "nobody"), 2, "nobody"),
        (("--profile", "demo_aya", "--split", "dev"), 6, "split"),
    ],
)
def test_what_is_wrong_is_said_once_with_its_exit_code(
    home: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = inft_tui("data", *arguments, "--json")
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    (alert,) = map(json.loads, done.stdout.splitlines())
    assert (alert["event"], alert["level"]) == ("alert", "error")


def test_a_cache_that_cannot_be_written_costs_only_the_next_time(home: Path) -> None:
    (home / "cache").mkdir()
    (home / "cache" / "lengths").write_text("not a folder")
    done = inft_tui("data", "--profile", "demo_llama", *FEW, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["rows"] == 12
    assert "The lengths will be measured again next time." in done.stderr


def test_ctrl_c_ends_it_and_leaves_nothing(home: Path) -> None:
    terminal = Terminal(*COMMAND, "data", "--profile", "demo_aya")
    process = psutil.Process(terminal.process.pid)
    end = time.monotonic() + 20
    while not process.children():
        assert time.monotonic() < end
        time.sleep(0.01)
    (child,) = process.children()
    assert "inft.measure" in child.cmdline()
    terminal.read_until("loading libraries")
    terminal.type("\x03")
    assert terminal.wait() == 130
    assert terminal.text.count("Stopped.") == 1
    assert "Traceback" not in terminal.text
    assert not child.is_running()
