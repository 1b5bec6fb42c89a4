from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from inft import __version__
from inft.runs.directory import RunDirectory
from tests.inft_tui.programs import inft_tui
from tests.runs.pretend import dead_process, working, write_status

HEAVY = ("torch", "transformers", "datasets", "peft", "trl", "rich", "textual", "psutil", "tomlkit")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["--profile", "small", "--dry-run"],
        ["profiles"],
        ["profiles", "small", "--json"],
        ["runs"],
        ["status"],
        ["tail", "latest"],
    ],
)
def test_the_light_commands_import_nothing_heavy(run: RunDirectory, arguments: list[str]) -> None:
    write_status(run, working(dead_process(), dead_process()))
    code = f"""
import sys
sys.argv = ["inft-tui", *{arguments!r}]
from inft_tui.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
found = [name for name in {HEAVY!r} if name in sys.modules]
sys.stderr.write("|" + ",".join(found))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    heavy = done.stderr.rpartition("|")[2]
    # tomlkit reads a profile with its lines.
    assert heavy in (("", "tomlkit") if "profiles" in arguments or "--profile" in arguments else ("",))


def test_version() -> None:
    done = inft_tui("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"inft-tui {__version__}\n", "")


@pytest.mark.parametrize("arguments", [[], ["--readonly"], ["attach", "latest"]])
def test_without_a_terminal_the_console_says_what_to_use(arguments: list[str], project: Path) -> None:
    done = inft_tui(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: The console needs a terminal")
    assert "`inft-tui runs`" in done.stderr


def test_a_profile_alone_is_told_what_is_missing(project: Path) -> None:
    done = inft_tui("--profile", "small")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --profile alone starts nothing.")
    assert "--headless" in done.stderr


@pytest.mark.parametrize("option", ["--headless", "--dry-run", "data"])
def test_a_missing_profile_lists_what_there_is(project: Path, option: str) -> None:
    done = inft_tui(option)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --profile is missing. There are: ")
    assert "small" in done.stderr


@pytest.mark.parametrize("option", ["--headless", "--dry-run"])
def test_an_unknown_profile(project: Path, option: str) -> None:
    done = inft_tui(option, "--profile", "smal", "--json")
    assert done.returncode == 2
    alert = json.loads(done.stdout)
    assert (alert["event"], alert["level"], alert["kind"]) == ("alert", "error", "configuration")
    assert "Did you mean small?" in done.stderr
    assert not (project / "logs").exists()


def test_everything_that_is_wrong_is_said_at_once(project: Path) -> None:
    done = inft_tui("--dry-run", "--profile", "small", "--set", "sft.lrr=1", "--set", "sft.lr=-1")
    assert done.returncode == 2
    assert "sft.lrr" in done.stderr
    assert "sft.lr in --set" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_option_is_a_usage_error(project: Path) -> None:
    done = inft_tui("--hedless")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--hedless" in done.stderr


def test_options_of_a_run_before_a_command_are_not_dropped_silently(project: Path) -> None:
    for option in (["--profile", "small"], ["--profile-step=2"], ["--readonly"], ["--theme", "light"]):
        done = inft_tui(*option, "profiles")
        assert (done.returncode, done.stdout) == (2, "")
        assert "`profiles`" in done.stderr


class TestDryRun:
    def test_it_says_what_would_run_and_makes_nothing(self, project: Path) -> None:
        before = sorted(project.rglob("*"))
        done = inft_tui("--profile", "small", "--dry-run", "--set", "data.batch_size=2")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"run          {project}/logs/small-<YYYYMMDD-HHMMSS>" in done.stdout
        assert "32 rows per step, 2 at a time" in done.stdout
        assert "data.batch_size = 2 " in done.stdout
        assert done.stdout.rstrip().endswith("--set")
        assert "profiles/small.toml line 9" in done.stdout
        assert sorted(project.rglob("*")) == before

    def test_as_json(self, project: Path) -> None:
        done = inft_tui(
            "--profile", "small", "--headless", "--dry-run", "--json", "--set", "sft.max_steps=3", "--profile-step=2"
        )
        plan = json.loads(done.stdout)
        assert (plan["family"], plan["mode"], plan["effective_batch"]) == ("aya", "basic", 16)
        assert plan["adapters"] == f"{project}/outputs/aya/basic/best"
        differs = {difference["key"]: difference for difference in plan["differs"]}
        assert differs["sft.max_steps"] == {
            "key": "sft.max_steps",
            "value": 3,
            "default": None,
            "origin": "--set",
        }
        assert differs["sft.profile_step"]["value"] == 2
        assert set(differs) == {"sft.max_steps", "sft.profile_step", "sft.lr", "basic.model_source", "data.source"}


class TestProfiles:
    def test_the_list(self, project: Path) -> None:
        (project / "profiles" / "broken.toml").write_text("family = \x00")
        done = inft_tui("profiles")
        assert done.returncode == 0
        lines = {line.split()[0]: line for line in done.stdout.splitlines() if line}
        assert lines["small"].endswith("For tests")
        assert "cannot be used" in lines["broken"]
        assert "\x00" not in done.stdout

    def test_the_list_as_json(self, project: Path) -> None:
        found = json.loads(inft_tui("profiles", "--json").stdout)["profiles"]
        (small,) = (summary for summary in found if summary["name"] == "small")
        assert (small["family"], small["mode"]) == ("aya", "basic")

    def test_every_value_of_one(self, project: Path) -> None:
        done = inft_tui("profiles", "small")
        lines = done.stdout.splitlines()
        assert "lr = 0.001  # profiles/small.toml line 9" in lines
        at = lines.index("max_length = 4096  # default")
        assert lines[at + 1].endswith("(tokens; from 32 to 131072)")
        assert 'max_steps = "none"  # default' in lines

    def test_every_value_of_one_as_json(self, project: Path) -> None:
        shown = json.loads(inft_tui("profiles", "small", "--json").stdout)
        values = {value["key"]: value for value in shown["values"]}
        assert values["sft.lr"]["origin"] == "profiles/small.toml line 9"
        assert values["basic.max_length"]["unit"] == "tokens"
        assert all(value["description"] for value in values.values())


class TestEdge:
    def run(self, body: str, *, as_json: bool = False) -> subprocess.CompletedProcess[str]:
        code = f"""
import sys
from inft_tui.edge import exit_code_of
from inft.errors import HubError
def command():
{body}
sys.exit(exit_code_of(command, as_json={as_json}))
"""
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    def test_a_defect_of_ours_is_one_sentence_and_a_file(self, project: Path) -> None:
        token = "hf_" + "z" * 34
        done = self.run(f"    raise RuntimeError('odd {token}')", as_json=True)
        assert done.returncode == 70
        assert "Traceback" not in done.stderr + done.stdout
        log = project / "logs" / "inft-tui-crash.log"
        assert str(log) in done.stderr
        assert "RuntimeError: odd hf_***" in log.read_text()
        assert token not in done.stderr + done.stdout + log.read_text()
        assert json.loads(done.stdout)["kind"] == "internal"

    def test_a_defect_whose_traceback_cannot_be_kept(self, project: Path) -> None:
        (project / "logs").write_text("")
        done = self.run("    raise RuntimeError('odd')")
        assert done.returncode == 70
        assert "could not be kept" in done.stderr

    def test_an_error_is_safe_to_print(self, project: Path) -> None:
        done = self.run("    raise HubError('a\\x1b[2Jb', 'Log in.')")
        assert (done.returncode, done.stderr) == (8, "error: a\\x1b[2Jb\n  Log in.\n")

    def test_ctrl_c(self, project: Path) -> None:
        done = self.run("    raise KeyboardInterrupt")
        assert (done.returncode, done.stderr) == (130, "Stopped.\n")

    @pytest.mark.parametrize("command", [["profiles", "small"], ["profiles"], ["--version"]])
    def test_a_reader_that_leaves_is_no_error(self, project: Path, command: list[str]) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "wb") as stdout:
            done = subprocess.run(
                [sys.executable, "-m", "inft_tui", *command],
                stdout=stdout,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert (done.returncode, done.stderr) == (0, "")

    def test_a_locale_without_the_captions_letters(self, project: Path) -> None:
        (project / "profiles" / "si.toml").write_text(
            'family = "aya"\ndescription = "රතු"\n[basic]\nmodel_source = "tiny"\n', encoding="utf-8"
        )
        done = inft_tui("profiles", env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
        assert done.returncode == 0
        assert "\\u0dbb" in done.stdout


class TestTrainingModules:
    CODE = """
import sys
from inft_tui.commands.training_modules import become
become(sys.argv[1], sys.argv[2:])
"""

    def become(self, folder: Path, source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        (folder / "there.py").write_text(source)
        return subprocess.run(
            [sys.executable, "-c", self.CODE, "there", *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{folder}:{os.environ['PYTHONPATH']}"},
            check=False,
        )

    def test_arguments_output_and_exit_code_are_the_program_s(self, project: Path) -> None:
        done = self.become(project, "import sys; print(sys.argv[1:]); sys.exit(6)", "--row", "3", "--help")
        assert (done.returncode, done.stdout) == (6, "['--row', '3', '--help']\n")

    def test_without_torch_there_is_a_sentence(self, project: Path) -> None:
        # A Python without site-packages is a machine with the console alone.
        code = """
import sys
from inft_tui.edge import exit_code_of
from inft_tui.commands.training_modules import require_training_libraries
sys.exit(exit_code_of(lambda: require_training_libraries() or 0))
"""
        done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 3
        assert "pip install 'inft-tui[train]'" in done.stderr

    @pytest.mark.parametrize("command", ["preview", "modules", "merge"])
    def test_the_command_hands_everything_on(self, project: Path, command: str, tmp_path: Path) -> None:
        package = tmp_path / "elsewhere" / "inft"
        package.mkdir(parents=True)
        done = inft_tui(command, "--profile", "no-such-profile", "--row", "x")
        assert done.returncode != 0
        assert "No such option" not in done.stderr
