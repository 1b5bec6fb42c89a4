"""`inft-tui score`: figures and their table in any terminal, a contract in JSON, and one sentence for what is wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inft.errors import ConfigError, ExitCode, InftError, NotReadyError
from inft.merging.record import RECORD, SCHEMA_VERSION
from inft.profiles import resolve, to_toml
from inft.project import project_root
from inft.runs.directory import RunDirectory, create_run
from inft.runs.status import Status
from inft.scoring.scores import score_predictions
from inft_tui.commands import score
from inft_tui.commands.asked_model import AskedModel
from inft_tui.commands.captioning import Captioning, arguments_of, asked_for, default_name, generate, look_up
from inft_tui.commands.score import Request, run
from tests.inft_tui.programs import COMMAND, Terminal, inft_tui
from tests.runs.pretend import write_status
from tests.scoring.captions import predictions, write

FIGURES = ("bleu4", "chrf", "cider")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project root of a test's own."""
    monkeypatch.setenv("INFT_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "mine.jsonl", predictions())


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return write(tmp_path / "theirs.jsonl", predictions(seed=1))


def made_run(*overrides: str) -> RunDirectory:
    """A run that has ended, by what tells that."""
    config = resolve("demo_aya", (*overrides, f"sft.aya_best_model_dir=best-{len(overrides)}")).config
    run = create_run(config, to_toml(config), argv=["test"])
    best = project_root() / config.best_model_dir
    best.mkdir(parents=True)
    (best / "inft-run.json").write_text(json.dumps({"run_id": run.run_id, "step": 1}))
    write_status(run, Status("finished", step=1, max_steps=1, exit_code=0))
    return run


def refused(*arguments: str) -> tuple[int, str]:
    """The exit code, and what was said on stderr as one line."""
    done = inft_tui("score", *arguments)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.returncode, " ".join(done.stderr.split())


def test_json_keeps_its_contract(file: Path, other: Path) -> None:
    options = ("--against", str(other), "--mode", "paper", "--resamples", "200", "--seed", "7", "--json")
    done = inft_tui("score", "--predictions", str(file), *options)
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert [answer[key] for key in ("mode", "predictions", "resamples", "seed")] == ["paper", str(file), 200, 7]
    report = score_predictions(predictions(), "paper")
    assert answer["signatures"] == report.signatures
    assert answer["not_segmented"] == []
    assert list(answer["languages"]) == list(report.languages)
    for part, scores in ((answer["languages"]["yue"], report.languages["yue"]), (answer["pooled"], report.pooled)):
        assert set(part) == {*FIGURES, "rows", "failures", "ci"}
        assert (part["rows"], part["failures"]) == (scores.rows, scores.failures)
        for figure in FIGURES:
            assert part[figure] == getattr(scores, figure)
            assert part["ci"][figure][0] < part[figure] < part["ci"][figure][1]
    against = answer["against"]
    assert (against["predictions"], against["paired_by"]) == (str(other), "row")
    for ours, theirs in ((answer["macro"], against["macro"]), (answer["languages"]["en"], against["languages"]["en"])):
        for figure in FIGURES:
            assert theirs["difference"][figure] == pytest.approx(ours[figure] - theirs[figure])
            assert 0 < theirs["p"][figure] <= 1


def test_without_resamples_nothing_rests_on_chance(file: Path, other: Path) -> None:
    options = ("--against", str(other), "--resamples", "0", "--languages", "en,zh")
    answer = json.loads(inft_tui("score", "--predictions", str(file), *options, "--json").stdout)
    assert set(answer["languages"]) == {"en", "zh"}
    assert "ci" not in answer["macro"]
    assert "p" not in answer["against"]["macro"]
    assert "difference" in answer["against"]["macro"]
    done = inft_tui("score", "--predictions", str(file), *options)
    assert " p " not in done.stdout
    assert "resampled" not in done.stdout


@pytest.mark.parametrize("columns", [80, 60, 40])
def test_the_table_fits_the_terminal(columns: int, file: Path, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    terminal = Terminal(
        *COMMAND,
        *("score", "--predictions", file.name, "--against", other.name, "--resamples", "20"),
        columns=columns,
    )
    assert terminal.wait() == 0
    shown = [line.removesuffix("\r").rpartition("\r")[2] for line in terminal.text.rstrip("\r\n").split("\n")]
    assert max(map(len, shown)) <= columns
    report = score_predictions(predictions(), "standard")
    for name, scores in (*report.languages.items(), ("macro", report.macro), ("pooled", report.pooled)):
        (line, *_) = [line.split() for line in shown if line.split()[:1] == [name]]
        assert line[1:3] == [str(scores.rows), str(scores.failures)]
        for figure in FIGURES:
            assert f"{getattr(scores, figure):.2f}" in line
    words = " ".join(terminal.text.split())
    assert "macro: mean over languages; pooled: all rows as one corpus" in words
    assert "paired by their numbers" in words
    assert ("resampled corpora" in words) == (columns >= 60)
    assert "\x1b[" in terminal.output


def test_rows_of_a_script_without_blanks_are_doubted(tmp_path: Path) -> None:
    path = tmp_path / "thai.jsonl"
    records = [
        {"lang": "th", "prediction": "แมวนอนบนโต๊ะ", "reference": "แมวนอนอยู่บนโต๊ะ"},
        {"lang": "en", "prediction": "A cat", "reference": "A cat sleeps"},
    ]
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    words = " ".join(inft_tui("score", "--predictions", str(path)).stdout.split())
    assert "th is written without blanks and nothing here tells its words apart" in words
    assert "Of a single row CIDEr is 0 (en, th)" in words


def test_what_is_wrong_is_one_sentence(file: Path, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere.jsonl"
    code, said = refused("--predictions", str(missing))
    assert (code, said.startswith(f"error: There is no file {missing}.")) == (ExitCode.DATA, True)
    code, said = refused("--predictions", str(file), "--split", "test")
    assert (code, said.startswith("error: --split says how captions are made.")) == (ExitCode.USAGE, True)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"predictions": None}, "Either --predictions or --model says what is scored."),
        ({"captioning": asked_for("latest", None, {}, samples=False, seed=0)}, "Either --predictions or --model"),
        ({"mode": "papre"}, '--mode "papre" is not known. There are: paper, standard.'),
        ({"languages": " ,"}, "--languages names none."),
        ({"resamples": -1}, "--resamples -1 cannot be used."),
        ({"resamples": 100_001}, "--resamples 100001 cannot be used."),
        (
            {"languages": "en,Chinese"},
            '"Chinese" is a language\'s name, by which its words are not told apart. Its code',
        ),
        ({"seed": -1}, "--seed -1 cannot be used."),
    ],
)
def test_options_that_cannot_be_used_are_said(change: dict[str, Any], sentence: str, file: Path) -> None:
    request = Request(file, None, None, "paper", None, resamples=10, seed=0, as_json=False)
    with pytest.raises(ConfigError) as caught:
        run(replace(request, **change))
    assert sentence in str(caught.value)


WITHOUT = """
import sys
for name in {absent}:
    sys.modules[name] = None  # as if it were not installed
sys.argv = ["inft-tui", "score", *sys.argv[1:]]
from inft_tui.cli import main
try:
    main()
finally:
    print("loaded:", "torch" in sys.modules, file=sys.stderr)
"""


def without(absent: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    program = WITHOUT.format(absent=absent)
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)


def test_scoring_a_file_loads_no_torch(file: Path) -> None:
    done = without([], "--predictions", str(file), "--resamples", "10", "--json")
    assert done.stderr.split() == ["loaded:", "False"]
    assert json.loads(done.stdout)["pooled"]["rows"] == 270


def test_an_installation_of_the_console_alone_says_what_to_install(file: Path) -> None:
    done = without(["sacrebleu", "numpy", "jieba", "MeCab"], "--predictions", str(file))
    assert (done.returncode, done.stdout) == (ExitCode.NOT_READY, "")
    assert "sacrebleu (for any language)" in done.stderr
    assert "pip install 'inft-tui[score]'" in done.stderr


def test_a_missing_segmenter_is_said_before_captions_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every, english = made_run("data.languages=zh,yue,en"), made_run("data.languages=en", "data.seed=1")
    monkeypatch.setitem(sys.modules, "jieba", None)  # as if it were not installed
    made: list[str] = []

    def pretend(asked: Captioning, model: AskedModel, languages: object) -> tuple[int, Path]:
        made.append(model.name)
        return ExitCode.STOPPED, tmp_path

    monkeypatch.setattr(score, "generate", pretend)

    def scored(model: str, languages: str | None = None) -> int:
        asked = asked_for(model, None, {}, samples=False, seed=0)
        return run(Request(None, asked, None, "paper", languages, resamples=10, seed=0, as_json=False))

    with pytest.raises(NotReadyError, match="jieba \\(for zh\\)"):
        scored(every.run_id)
    assert made == []
    assert scored(english.run_id) == scored(every.run_id, "en") == ExitCode.STOPPED
    assert made == [english.run_id, every.run_id], "these languages need no jieba"
    merged = tmp_path / "models" / "merged"
    merged.mkdir(parents=True)
    with pytest.raises(NotReadyError):
        scored(str(merged))  # all languages there are, where nothing says which
    record = {"schema_version": SCHEMA_VERSION, "comparison": None, "not_compared": "", "run_id": english.run_id}
    (merged / RECORD).write_text(json.dumps(record))
    assert scored(str(merged)) == ExitCode.STOPPED


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--model", "lates"), ExitCode.USAGE, 'no run "lates"'),
        (("--model", "./nowhere"), ExitCode.USAGE, 'There is no folder "./nowhere".'),
        (("--model", __file__), ExitCode.USAGE, "is a file, and a model is not."),
        (("--model", "a/b", "--profile", "nope"), ExitCode.USAGE, "nope"),
        (("--model", "latest", "--set", "basic.max_lenth=3"), ExitCode.USAGE, "basic.max_lenth"),
    ],
)
def test_what_is_wrong_with_a_model_is_said_before_anything_loads_it(
    arguments: tuple[str, ...], code: ExitCode, sentence: str
) -> None:
    made_run()
    options = dict(zip(arguments[::2], arguments[1::2], strict=True))
    overrides = [options.pop("--set")] if "--set" in options else []
    asked = asked_for(options.pop("--model"), None, {**options, "--set": overrides}, samples=False, seed=0)
    with pytest.raises(InftError) as caught:
        run(Request(None, asked, None, "standard", None, resamples=10, seed=0, as_json=False))
    assert caught.value.exit_code == code
    assert sentence in caught.value.message


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"--batch-size": 0}, "--batch-size 0 cannot be used. Name a number from 1 on"),
        ({"--max-rows-per-lang": -2}, "--max-rows-per-lang -2 cannot be used."),
        ({"--split": "test", "--held-out": True}, "--split and --held-out contradict each other."),
        ({"--in-4bit": True, "--in-16bit": True}, "--in-4bit and --in-16bit contradict each other."),
    ],
)
def test_options_that_make_no_captions_are_said(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        asked_for("latest", None, options, samples=False, seed=0)
    assert sentence in str(caught.value)


def test_what_makes_captions_says_what_is_wrong_and_has_the_exit_code(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = Captioning("latest", tmp_path / "out.jsonl", samples=False, seed=0, options={"--batch-size": "x"})
    code, _ = generate(asked, AskedModel("latest", None), None)
    said = capfd.readouterr().err
    assert code == ExitCode.USAGE
    assert said.count("error:") == 1
    assert "--batch-size" in said


def test_other_captions_are_another_file(tmp_path: Path) -> None:
    def name(model: str, languages: list[str] | None = None, *, samples: bool = False, **options: object) -> str:
        given = {f"--{name.replace('_', '-')}": value for name, value in options.items()}
        asked = asked_for(model, None, given, samples=samples, seed=3)
        assert asked is not None
        return default_name(asked, look_up(asked), languages)

    made = made_run()
    folders = [tmp_path / run / "best" for run in ("one", "two")]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "adapter_config.json").write_text("{}")
        (folder / "adapter_model.safetensors").write_text(str(folder))
    names = [
        name("latest"),
        *(name(str(folder)) for folder in folders),
        name("owner/model"),
        name("latest", ["en", "ja"]),
        name("latest", max_rows_per_lang=2),
        name("latest", held_out=True),
        name("latest", split="train"),
        name("latest", in_4bit=True),
        name("latest", set=["basic.gen_max_new_tokens=3"]),
        name("latest", samples=True),
    ]
    assert len(set(names)) == len(names)
    assert names[0] == f"{made.run_id}-test.jsonl"
    assert re.fullmatch("two-best-[0-9a-f]{8}-test.jsonl", names[2])
    assert names[4:6] == [f"{made.run_id}-test-en-ja.jsonl", f"{made.run_id}-test-at-most-2.jsonl"]
    assert name("latest", ["ja", "en"]) == names[4]
    assert name(made.run_id, batch_size=3, force=True) == names[0], "these make the same captions"
    (folders[0] / "adapter_model.safetensors").write_text("of a later run")
    assert name(str(folders[0])) not in names


def test_options_reach_what_makes_captions() -> None:
    options = {"--split": None, "--set": ["a.b=1", "c.d=2"], "--force": True, "--in-4bit": False, "--batch-size": 4}
    asked = asked_for("latest", None, options, samples=False, seed=0)
    assert asked is not None
    assert arguments_of(asked.options) == ["--set=a.b=1", "--set=c.d=2", "--force", "--batch-size=4"]


def test_ctrl_c_reaches_what_makes_captions(tmp_path: Path) -> None:
    made_run()
    terminal = Terminal(*COMMAND, "score", "--model", "latest", "--output", str(tmp_path / "out.jsonl"))
    terminal.read_until("loading libraries")
    terminal.type("\x03")
    assert terminal.wait() == ExitCode.STOPPED
    assert terminal.text.count("Stopped.") == 1
    assert "Traceback" not in terminal.text


def test_sigterm_reaches_what_makes_captions(tmp_path: Path) -> None:
    made_run()
    command = (*COMMAND, "score", "--model", "latest", "--output", str(tmp_path / "out.jsonl"))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "loading libraries\n"
        process.terminate()
        assert process.stderr.read() == "Stopped.\n"
    assert process.returncode == ExitCode.STOPPED


def test_a_long_path_has_lines_of_its_own(file: Path) -> None:
    deep = file.parent / "a-folder-whose-name-is-long" / "and-another-one-in-it-that-is-long-too" / "captions.jsonl"
    deep.parent.mkdir(parents=True)
    file.rename(deep)
    shown = inft_tui("score", "--predictions", str(deep), "--resamples", "0").stdout.split("\n")
    rows = shown.index("270 rows, 9 of them without a caption, scored in standard mode")
    assert "".join(shown[:rows]) == str(deep)
