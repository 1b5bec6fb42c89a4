"""`inft-tui data`: measures once, shows at once, fits the terminal, and says what is wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from inft.config import Config
from inft.forecast.identity import lengths_key
from inft.forecast.row_lengths import UNKNOWN, RowLengths
from inft.forecast.statistics import Statistics, cached_statistics, write
from inft.measure import Progress, measure
from inft.profiles import resolve
from inft_tui.commands.data import lines
from inft_tui.histograms import ASCII, BLOCKS, Glyphs
from tests.data.corpora import record, write_jsonl
from tests.inft_tui.programs import COMMAND, Terminal, inft_tui
from tests.training.nursery import Nursery

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
    lengths.add_unusable("too_long", 2, 5000)
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


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("glyphs", [BLOCKS, ASCII], ids=["blocks", "ascii"])
def test_it_fits(known: Config, width: int, glyphs: Glyphs) -> None:
    found = drawn(known, width, glyphs)
    assert max(map(len, found)) <= width
    assert found == [line.rstrip() for line in found]
    if glyphs is ASCII:
        assert all(line.isascii() for line in found)


def test_what_it_says(known: Config) -> None:
    found = drawn(known, 80, BLOCKS)
    assert re.fullmatch(r"demo_aya: split train, 4,002 rows, measured \d{4}-\d\d-\d\d \d\d:\d\d", found[0])
    assert found[1:5] == [
        "2 of 4,002 rows (0.0 %) cannot be used:",
        "  longer than basic.max_length even without the article: 1 (fr 1), for instance",
        "    row 4000",
        "  cannot be read: 1 (unknown 1), for instance row 4001",
    ]
    assert "caption:" in " ".join(found)
    (english,) = (line for line in found if line.startswith("English"))
    assert re.fullmatch(r"English +400 +1,6\d\d +\d,\d{3} +\d,\d{3} +9\.0 +\d\d\.\d +\d\d %  [▁▂▃▄▅▆▇█ ]+", english)
    assert any(re.match(r" +9  2,400  60\.0 %  █+( |$)", line) for line in found)
    assert " ".join(found[-2:]) == (
        "1,334 articles (33.4 %) are cut, by 200 characters on average "
        "(basic.max_length = 1,024, data.article_chars = 120)."
    )


def test_numbers_of_the_table_stand_below_each_other(known: Config) -> None:
    found = drawn(known, 80, BLOCKS)
    head = next(line for line in found if "median" in line)
    ends = [head.index(word) + len(word) for word in ("rows", "median", "95 %", "longest", "tiles", "caption", "cut")]
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


def measured(nursery: Nursery, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What `inft-tui data` starts, without the seconds in which the libraries are loaded."""
    return nursery.run(["-m", "inft.measure", *arguments], os.environ)


def test_what_is_wrong_is_said_once_with_its_exit_code(home: Path, nursery: Nursery) -> None:
    check_said(inft_tui("data", "--profile", "nobody", "--json"), 2, "nobody")
    check_said(measured(nursery, "--profile", "demo_aya", "--split", "dev", "--json"), 6, "split")


def check_said(done: subprocess.CompletedProcess[str], code: int, words: str) -> None:
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    (alert,) = map(json.loads, done.stdout.splitlines())
    assert (alert["event"], alert["level"]) == ("alert", "error")


def test_a_cache_that_cannot_be_written_costs_only_the_next_time(home: Path, nursery: Nursery) -> None:
    (home / "cache").mkdir()
    (home / "cache" / "lengths").write_text("not a folder")
    done = measured(nursery, "--profile", "demo_llama", *FEW, "--json")
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


def own_corpus(home: Path, rows: int, **wrong: dict[str, object]) -> Path:
    """English rows, of which the first are wrong."""
    records = [*(record(number, **changes) for number, changes in enumerate(wrong.values()))]
    records += [record(number) for number in range(len(wrong), rows)]
    write_jsonl(home / "corpus" / "en" / "train.jsonl", records)
    return home / "corpus" / "en" / "images"


OWN = ("--profile", "demo_llama", "--set", "data.source=jsonl", "--set", "data.path=corpus")
OWN += ("--set", "data.languages=en")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_measuring_is_left_behind(home: Path, number: signal.Signals) -> None:
    process = subprocess.Popen([*COMMAND, "data", "--profile", "demo_llama"], stdout=subprocess.DEVNULL)
    children: list[psutil.Process] = []
    while not children and process.poll() is None:
        children = psutil.Process(process.pid).children()
        time.sleep(0.01)
    time.sleep(0.5)  # it is loading its libraries, long before it is done
    process.send_signal(number)
    process.wait(5)
    assert children
    _, alive = psutil.wait_procs(children, timeout=3)
    assert not alive


def test_languages_of_one_name_are_two(home: Path, known: Config) -> None:
    statistics = cached_statistics(known, home)
    assert statistics is not None
    names = {**known.data.language_names, "yue": "Chinese"}
    twice = replace(known, data=replace(known.data, language_names=names))
    table = [line.plain for line in lines(twice, statistics, 100, BLOCKS)]
    assert len([line for line in table if line.startswith("Chinese")]) == 2


def test_a_picture_that_is_deleted_ends_it_as_it_ends_a_run(home: Path) -> None:
    pictures = own_corpus(home, 6)
    measure(resolve("demo_llama", OWN[3::2]).config, "train", Progress())
    (pictures / "train-1.png").unlink()
    done = inft_tui("data", *OWN, "--json")
    check_said(done, 6, "no picture 1.")
    (alert,) = map(json.loads, done.stdout.splitlines())
    assert "\n" not in alert["message"] + alert["fix"]
    assert "line 2" not in done.stderr


def test_rows_that_would_end_a_run_are_shown_and_end_this_with_its_code(home: Path) -> None:
    rows = RowLengths()
    for _ in range(9):
        rows.add(tokens=100, tiles=1, supervised=9, cut=0, language=0)
    rows.add_unusable("too_long", 0, 2412)
    config = resolve("demo_aya").config
    key = lengths_key(config, home, "train")
    assert key is not None
    write(Statistics.of(key, "train", ["en"], rows), rows)
    done = inft_tui("data", "--profile", "demo_aya")
    assert done.returncode == 6
    assert "1 of 10 rows (10.0 %) cannot be used:" in done.stdout
    assert "for instance\n    row 9" in done.stdout
    assert done.stderr.startswith("error: 1 of 10 rows of split 'train' are unusable")
    assert "Raise basic.max_length to at least 2,412, since" in done.stderr
    done = inft_tui("data", "--profile", "demo_aya", "--json")
    assert done.returncode == 6
    answer = json.loads(done.stdout)
    assert answer["unusable"] == [{"cause": "too_long", "rows": 1, "languages": {"en": 1}, "examples": ["row 9"]}]
    assert answer["longest_needed"] == 2412
    assert "Raise basic.max_length" in answer["problem"]["fix"]


def test_a_narrow_terminal_gets_fewer_columns(known: Config) -> None:
    head = next(line for line in drawn(known, 40, BLOCKS) if "rows" in line and "longest" in line)
    assert head.split() == ["rows", "median", "95", "%", "longest"]
