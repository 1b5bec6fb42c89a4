"""`inft-tui merge` on a run that was really trained, in processes of its own."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from inft.captioning.chosen import choose_model
from inft.errors import ConfigError, DataError, DivergedError, ExitCode, HubError, NotReadyError
from inft.machine.room import Room
from inft.merging import __main__ as merging
from inft.merging import comparison, publishing, weights
from inft.merging import push as push_module
from inft.merging.comparison import BOUND
from inft.merging.options import read_options
from inft.merging.push import check_push
from inft.merging.source import find_source
from inft.merging.stages import Stages
from inft.runs.directory import RunDirectory
from inft.runs.results import Result, read_result
from inft.runs.saved import last_checkpoint
from tests.inft_tui.programs import inft_tui
from tests.models.bases import edit_json
from tests.training.nursery import Forked, Nursery
from tests.training.runs import Home, events_of

STEPS = 6
SETTINGS = (
    "data.languages=en,si",
    "data.eval_split=test",
    "data.eval_fraction=none",
    f"sft.max_steps={STEPS}",
    f"sft.eval_steps={STEPS}",
    "sft.load_best_model_at_end=false",
    "basic.eval_captions=0",
)

LONGEST_S = 90.0

STAGES = [
    "loading libraries",
    "reading rows",
    "loading the adapters as they were trained",
    "loss of the adapters as they were trained",
    "writing 5.4 MiB",
    "loading the merged model",
    "loss of the merged model",
]


@dataclass(frozen=True)
class Trained:
    """A run of the demo profile of Aya Vision, and its project."""

    home: Home
    run: RunDirectory

    @property
    def adapters(self) -> Path:
        return self.home.root / "outputs" / "demo_aya" / "best"


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, cache: Path, nursery: Nursery) -> Trained:
    """Made once; tests leave it as it is."""
    home = Home(tmp_path_factory.mktemp("trained") / "project", cache, nursery)
    home.root.mkdir()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("INFT_HOME", str(home.root))
        monkeypatch.setenv("INFT_CACHE", str(cache))
        run = home.create("demo_aya", *SETTINGS)
    assert home.fork(run).wait(LONGEST_S) == 0, run.console_log.read_text()
    return Trained(home, run)


def start(home: Home, *arguments: str | Path, prelude: str = "", **environment: str) -> tuple[Forked, Path]:
    """`inft-tui merge ARGUMENTS`, and the file that gets its output; its stderr goes to another beside it."""
    output = home.root.parent / "stdout"
    program = (
        f"{prelude}\nimport os, sys\n"
        f"os.dup2(os.open({str(output.with_name('stderr'))!r}, os.O_CREAT | os.O_TRUNC | os.O_WRONLY), 2)\n"
        f"sys.argv = {['inft-tui merge', *map(str, arguments)]!r}\n"
        "from inft.merging.__main__ import main\nsys.exit(main())\n"
    )
    with output.open("wb") as file:
        return home.nursery.start(program, {**home.environment, **environment}, home.root, file.fileno()), output


def merge(home: Home, *arguments: str | Path, prelude: str = "", **environment: str) -> Done:
    """How that ended, and what it said."""
    process, output = start(home, *arguments, prelude=prelude, **environment)
    code = process.wait(LONGEST_S)
    return Done(code, output.read_text(), output.with_name("stderr").read_text())


def wait_for(condition: Callable[[], bool], process: Forked) -> None:
    end = time.monotonic() + LONGEST_S
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.005)


def was_written(path: Path, since: float) -> bool:
    """Whether something is in the file that was not there at that time."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return found.st_size > 0 and found.st_mtime > since


@pytest.mark.slow
def test_the_merged_run_is_compared_on_all_held_out_rows_and_loads(trained: Trained, tmp_path: Path) -> None:
    home, output = trained.home, tmp_path / "merged"
    done = merge(home, trained.run.run_id, "--output", output, "--check-rows", "1000", "--json")
    assert done.code == 0
    assert done.err.splitlines() == STAGES, "where no line can be drawn over and over, each stage has one"
    told: dict[str, Any] = json.loads(done.out)
    assert {key: told.pop(key) for key in ("output", "pushed")} == {"output": str(output), "pushed": None}
    assert told == json.loads((output / "merge.json").read_text())
    result = read_result(trained.adapters)
    assert result is not None
    assert (told["run_id"], told["step"], told["family"]) == (trained.run.run_id, STEPS, "aya")
    assert result.base is not None
    assert told["base"]["weights"] == result.base.weights
    assert str(tmp_path) not in (output / "merge.json").read_text() + (output / "README.md").read_text()

    (evaluation,) = (event for event in events_of(trained.run, "eval"))
    comparison = told["comparison"]
    assert comparison["adapters"]["base_in_4bit"]
    assert comparison["adapters"]["loss"] == pytest.approx(evaluation["eval_loss"], rel=2e-3)
    for language in ("en", "si"):
        theirs = evaluation[f"eval_loss_{language}"]
        assert comparison["adapters"]["languages"][language] == pytest.approx(theirs, rel=2e-3)
    assert comparison["merged"]["loss"] == pytest.approx(comparison["adapters"]["loss"], rel=BOUND)
    assert comparison["merged"]["loss"] != comparison["adapters"]["loss"]
    assert not comparison["worse"]

    model, report = AutoModelForImageTextToText.from_pretrained(output, output_loading_info=True)
    assert not any(report.values())
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    processor = AutoProcessor.from_pretrained(output)
    assert processor.chat_template == AutoProcessor.from_pretrained(trained.adapters).chat_template


@pytest.mark.slow
def test_a_person_sees_a_table_and_the_way_there_is_refused_twice(trained: Trained, tmp_path: Path) -> None:
    output = tmp_path / "merged"
    done = merge(trained.home, trained.adapters, "--output", output, "--check-rows", "8")
    assert (done.code, done.err.splitlines()) == (0, STAGES)
    lines = done.out.splitlines()
    assert lines[0] == f"Merged {trained.run.run_id} (step {STEPS}) into {output}"
    assert lines[3] == "Loss on 8 rows of split test, nats per caption token"
    assert [line.split()[0] for line in lines[6:]] == ["English", "Sinhala", "all"]
    assert all(len(line) <= 80 for line in lines[1:])
    again = merge(trained.home, trained.adapters, "--output", output)
    assert again.code == ExitCode.USAGE
    assert again.err.startswith(f"error: {output} is there already, and is not overwritten.")
    assert "To push it as it is: `inft-tui merge` with that folder" in again.err


@pytest.mark.slow
def test_killed_in_the_middle_it_leaves_no_folder_of_that_name(trained: Trained, tmp_path: Path) -> None:
    output = tmp_path / "merged"
    slowly = (
        "import time\nfrom inft.merging.shards import ShardWriter\nput = ShardWriter.put\n"
        "def late(*a):\n    put(*a); time.sleep(0.05)\nShardWriter.put = late\n"
    )
    process, _ = start(trained.home, trained.run.run_id, "--output", output, "--no-check", prelude=slowly)
    weights = tmp_path / ".merging-merged" / "model.safetensors"
    wait_for(lambda: was_written(weights, since=0), process)
    process.kill()
    assert process.wait(LONGEST_S) == -9
    assert not output.exists()
    killed_at = weights.stat().st_mtime
    process, _ = start(trained.home, trained.run.run_id, "--output", output, "--no-check", prelude=slowly)
    wait_for(lambda: was_written(weights, since=killed_at), process)
    process.terminate()
    assert process.wait(LONGEST_S) == ExitCode.STOPPED
    assert not output.exists()
    assert not weights.parent.exists()
    done = merge(trained.home, trained.run.run_id, "--output", output, "--no-check")
    assert done.code == 0
    assert "Not compared with the adapters: --no-check was given." in done.out
    assert {path.name for path in tmp_path.iterdir()} == {"merged"}


@pytest.mark.slow
def test_a_merged_model_that_is_worse_ends_with_a_code_and_is_not_pushed(trained: Trained, tmp_path: Path) -> None:
    output = tmp_path / "merged"
    spoilt = (
        "from inft.merging.lora import Adapters\ndelta = Adapters.delta\n"
        "Adapters.delta = lambda *a: delta(*a) * -9\n"
        "import inft.merging.push as push\npush.check_push = lambda repo: None\n"
    )
    done = merge(
        trained.home, trained.run.run_id, "--output", output, "--push", "a/b", "--check-rows", "4", prelude=spoilt
    )
    assert done.code == ExitCode.DIVERGED
    assert "higher by more than 2 %" in done.err
    assert "pushed" not in done.out
    assert json.loads((output / "merge.json").read_text())["comparison"]["worse"] is True


@pytest.mark.slow
def test_adapters_of_nobody_take_a_profile_and_its_base_must_be_theirs(trained: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "adapters"
    shutil.copytree(trained.adapters, folder)
    (folder / "inft-run.json").unlink()
    nameless = merge(trained.home, folder, "--no-check")
    assert nameless.code == ExitCode.USAGE
    assert "does not say which run its adapters are of.\n  Name the profile" in nameless.err
    done = merge(trained.home, folder, "--profile", "demo_aya", "--no-check")
    assert done.code == 0, done.err
    assert (tmp_path / "adapters-merged" / "model.safetensors").is_file()
    assert json.loads((tmp_path / "adapters-merged" / "merge.json").read_text())["run_id"] is None
    edit_json(folder / "adapter_config.json", base_model_name_or_path="somebody/else")
    other = merge(trained.home, folder, "--profile", "demo_aya", "--no-check", "--output", tmp_path / "other")
    assert other.code == ExitCode.USAGE
    assert "were trained on somebody/else, and the base here is" in other.err
    assert not (tmp_path / "other").exists()


def merge_here(name: str | Path, output: Path, *arguments: str) -> None:
    """`inft-tui merge` in this process, which has the libraries already."""
    options = read_options([str(name), "--output", str(output), *arguments])
    merging.merge(find_source(options.name, None, None, ()), output, options, Stages())


@pytest.fixture
def there(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """The run, where this process looks for runs."""
    monkeypatch.setenv("INFT_HOME", str(trained.home.root))
    monkeypatch.setenv("INFT_CACHE", str(trained.home.cache))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return trained


@pytest.mark.slow
def test_what_could_not_be_compared_is_not_pushed_and_can_be_later(
    there: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "merged"
    pushed: list[Path] = []

    def refuse(folder: Path, repo_id: str, *, private: bool) -> str:
        raise HubError("The hub cannot be reached.", "Check the network.")

    def take(folder: Path, repo_id: str, *, private: bool) -> str:
        pushed.append(folder)
        return f"https://hub/{repo_id}"

    def again(*arguments: str) -> None:
        options = read_options([str(output), "--push", "a/b", *arguments])
        merging.push_again(output, options, Stages())

    monkeypatch.setattr(push_module, "check_push", lambda repo_id: None)
    monkeypatch.setattr(publishing, "push", take)
    monkeypatch.setattr(comparison, "look_at_room", lambda: Room(2.0, 2, 1 << 30, 1))
    with pytest.raises(
        NotReadyError, match=r"was not compared .*the host has not so much free.* is not pushed"
    ) as first:
        merge_here(there.run.run_id, output, "--push", "a/b", "--check-rows", "2")
    assert first.value.fix == f"To push it as it is: `inft-tui merge {output} --push a/b --no-check`."
    assert "Not compared with the adapters: the merged model takes" in capsys.readouterr().out
    with pytest.raises(NotReadyError, match="is not pushed"):
        again()
    monkeypatch.setattr(publishing, "push", refuse)
    with pytest.raises(HubError, match=f"reached. The merged model is whole, in {output}") as failed:
        again("--no-check", "--public")
    assert f"`inft-tui merge {output} --push a/b --public --no-check`" in failed.value.fix
    assert (pushed, capsys.readouterr().out) == ([], "")
    monkeypatch.setattr(publishing, "push", take)
    again("--no-check")
    assert pushed == [output]
    assert capsys.readouterr().out == f"Pushed {output} to https://hub/a/b\n"
    edit_json(output / "merge.json", comparison={"worse": True})
    with pytest.raises(DivergedError, match="is worse than its adapters"):
        again("--no-check")
    for wrong in (["--push", "a/b", "--check-rows", "3"], []):
        with pytest.raises(ConfigError, match="is a merged model already"):
            merging.push_again(output, read_options([str(output), *wrong]), Stages())
    assert merging.main([str(output)]) == ExitCode.USAGE
    assert "is a merged model already" in capsys.readouterr().err
    assert pushed == [output]


@pytest.mark.slow
def test_a_failed_push_comes_after_the_result(
    there: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(folder: Path, repo_id: str, *, private: bool) -> str:
        raise HubError("The hub cannot be reached.", "Check the network.")

    output = tmp_path / "merged"
    monkeypatch.setattr(push_module, "check_push", lambda repo_id: None)
    monkeypatch.setattr(publishing, "push", refuse)
    with pytest.raises(HubError, match=f"in {output}"):
        merge_here(there.run.run_id, output, "--push", "a/b", "--no-check", "--json")
    told = json.loads(capsys.readouterr().out)
    assert (told["output"], told["pushed"], told["run_id"]) == (str(output), None, there.run.run_id)


@pytest.mark.slow
def test_what_cannot_be_compared_fails_before_anything_is_written(
    there: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unusable(*arguments: object) -> NoReturn:
        raise DataError("None of the rows can be used.", "Mend them.")

    written: list[Path] = []
    monkeypatch.setattr(comparison, "measure_losses", unusable)
    monkeypatch.setattr(weights, "write_merged", lambda plan, adapters, folder, said: written.append(folder))
    with pytest.raises(DataError):
        merge_here(there.run.run_id, tmp_path / "merged", "--check-rows", "2")
    assert (written, list(tmp_path.iterdir())) == ([], [])


@pytest.mark.slow
def test_stopped_while_it_compares_it_says_how_to_do_without(
    there: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*arguments: object) -> NoReturn:
        signal.raise_signal(signal.SIGINT)
        raise AssertionError

    monkeypatch.setattr(comparison.Comparer, "compare", stopped)
    with pytest.raises(KeyboardInterrupt):
        merge_here(there.run.run_id, tmp_path / "merged", "--check-rows", "2")
    assert capsys.readouterr().err.endswith(
        "It was written, and is deleted, since it was not compared yet; --no-check leaves that out.\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_checkpoint_knows_its_base_and_is_merged_beside_the_run_s_adapters(there: Trained, tmp_path: Path) -> None:
    result = read_result(there.adapters)
    assert result is not None
    checkpoint = last_checkpoint(there.run)
    assert checkpoint is not None
    assert result.base is not None
    assert checkpoint.base == result.base
    chosen = choose_model(
        str(checkpoint.path), profile=None, overrides=(), bits=None, progress=lambda done, total: None
    )
    assert (chosen.run_id, chosen.trained_on) == (there.run.run_id, result.base)
    source = find_source(str(checkpoint.path), None, None, ())
    assert source.result == Result(there.run.run_id, STEPS, base=result.base)
    assert source.default_output == there.adapters.with_name(f"{there.run.run_id}-step{STEPS}-merged")
    moved = tmp_path / "checkpoint-of-mine"
    shutil.copytree(checkpoint.path, moved)
    assert find_source(str(moved), None, None, ()).default_output.parent == tmp_path
    (moved / "optimizer.pt").unlink()
    with pytest.raises(DataError, match="is no complete checkpoint"):
        find_source(str(moved), None, None, ())


def refused(trained: Trained, *arguments: str | Path, prelude: str = "", **environment: str) -> str:
    """What is said of something that cannot be done; it has the code of a mistake."""
    done = merge(trained.home, *arguments, prelude=prelude, **environment)
    assert (done.code, done.out) == (ExitCode.USAGE, ""), done.err
    assert "Traceback" not in done.err
    return done.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--check-rows", "0"), "--check-rows 0 is no number of rows"),
        (("--no-check", "--check-rows", "3"), "not allowed with argument"),
        (("--public",), "--public says how to push, and --push is missing"),
        (("--out", "x"), "unrecognized arguments: --out"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: tuple[str, ...], expected: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(expected)):
        read_options(["latest", *arguments])


def test_names_that_are_none_are_refused() -> None:
    for name in ("no name", "nobody", "a/b/c"):
        with pytest.raises(ConfigError, match="is no name of a repository"):
            check_push(name)


@pytest.mark.slow
def test_a_run_has_its_own_configuration(trained: Trained) -> None:
    with pytest.raises(ConfigError, match="which --profile and --set would contradict"):
        find_source(str(trained.run.path), None, None, ["lora.r=3"])


def test_a_mistake_is_told_without_waiting_for_the_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFT_HOME", str(tmp_path))
    script = (
        "import sys, inft.merging.__main__ as merging; code = merging.main(sys.argv[1:]); "
        "sys.exit(70 if 'torch' in sys.modules else code)"
    )
    arguments = [sys.executable, "-c", script, "nobody", "--json"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == ExitCode.USAGE
    assert json.loads(done.stdout)["message"].startswith('There is no run "nobody"')
    by_the_console = inft_tui("merge", "nobody", "--json")
    assert (by_the_console.returncode, by_the_console.stderr) == (ExitCode.USAGE, done.stderr)


@pytest.mark.slow
def test_a_run_without_adapters_and_one_that_goes_on_are_told_apart(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = trained.home
    monkeypatch.setenv("INFT_HOME", str(home.root))
    monkeypatch.setenv("INFT_CACHE", str(home.cache))
    going_on = home.create("demo_aya", "sft.max_steps=500", "sft.aya_best_model_dir=elsewhere")
    process = home.fork(going_on)
    try:
        wait_for(going_on.status_json.exists, process)
        assert f"{going_on.run_id} still goes on" in refused(trained, going_on.run_id)
    finally:
        process.kill()
        process.wait(LONGEST_S)
    said = refused(trained, going_on.run_id)
    assert f"{going_on.run_id} has no adapters in {home.root}/elsewhere" in said
    shutil.rmtree(going_on.path)


@pytest.mark.slow
def test_the_hub_is_asked_before_anything_is_done(trained: Trained, tmp_path: Path) -> None:
    arguments = (trained.run.run_id, "--output", tmp_path / "merged", "--push", "somebody/model")
    done = merge(trained.home, *arguments, HF_TOKEN="hf_any")
    assert (done.code, done.out) == (ExitCode.HUB, "")
    assert done.err.startswith(f"{STAGES[0]}\nerror: HF_HUB_OFFLINE keeps this program from the hub.")
    assert not any(tmp_path.iterdir())
