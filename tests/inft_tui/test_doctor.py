"""`inft-tui doctor`, and starts that are refused on a machine that is not ready."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from inft.errors import NotReadyError
from inft.readiness.check import Check
from inft_tui.readying import refusal
from tests.inft_tui.programs import COMMAND, Terminal, headless, inft_tui, kill, resume, started
from tests.machine import driver
from tests.runs.pretend import save_checkpoint
from tests.stand_in_hub import serving

TOKEN = "hf_" + "t" * 34
FULL = 'family = "aya"\nmode = "advanced"\n'


@pytest.fixture
def offline(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the profile `full`, nobody to ask, and no GPU whatever this machine has."""
    (project / "profiles" / "full.toml").write_text(FULL)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(project / "hf"))
    monkeypatch.setenv("INFT_CACHE", str(project / "cache"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return project


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return driver.build(tmp_path_factory.mktemp("driver"))


def statuses(text: str) -> dict[str, str]:
    return {check["name"]: check["status"] for check in json.loads(text)["checks"]}


def too_small(project: Path) -> None:
    """Has the profile `small` compute in what only a GPU computes in."""
    with (project / "profiles" / "small.toml").open("a") as profile:
        profile.write('[qlora]\nbnb_4bit_compute_dtype = "float16"\n')


def test_the_machine_alone(offline: Path) -> None:
    done = inft_tui("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split()[:2] in (["amber", "driver"], ["green", "driver"])
    assert "\x1b" not in done.stdout
    assert lines[-1].startswith("Ready for the demo profiles only")


def test_a_demo_is_ready(offline: Path) -> None:
    done = inft_tui("doctor", "--profile", "small")
    assert (done.returncode, done.stderr) == (0, "")
    assert "It trains on the CPU; on a GPU it would need " in done.stdout
    for left_out in ("Plan", "plan", "Forecast", "bf16", "gpu memory", "hub model"):  # there is no card
        assert left_out not in done.stdout
    assert {"bf16", "gpu memory", "gpu health", "hub model"} <= statuses(
        inft_tui("doctor", "--profile", "small", "--json").stdout
    ).keys()


def test_a_recipe_without_a_gpu_is_not(offline: Path) -> None:
    before = sorted(offline.rglob("*"))
    done = inft_tui("doctor", "--profile", "full")
    assert (done.returncode, done.stderr) == (3, "")
    lines = done.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("red") and "gpu " in line)
    assert lines[at + 1].split()[0] == "->"
    # What keeps it from starting stands last, where a terminal of any height shows it.
    assert max(number for number, line in enumerate(lines) if line.startswith(("green", "amber"))) < at
    assert any("--set sft.fit=auto --set sft.memory_limit_gib=N" in line for line in lines)
    assert "  inft-tui data --profile full" in lines
    assert lines[-1].startswith("Not ready: ")
    assert "hub model, hub dataset" in lines[-1]
    assert sorted(offline.rglob("*")) == before


def test_as_json(offline: Path) -> None:
    done = inft_tui("doctor", "--profile", "full", "--json")
    assert (done.returncode, done.stderr) == (3, "")
    found = json.loads(done.stdout)
    assert list(found) == ["checks", "forecast", "plan"]
    assert all(list(check) == ["name", "status", "message", "fix"] for check in found["checks"])
    assert found["forecast"]["choice"]["micro_batch"] == 1
    assert found["plan"] is None
    alone = json.loads(inft_tui("doctor", "--json").stdout)
    assert (alone["forecast"], alone["plan"]) == (None, None)


def test_a_profile_that_cannot_be_used(offline: Path) -> None:
    done = inft_tui("doctor", "--profile", "full", "--set", "sft.lrr=1", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["kind"] == "configuration"
    assert inft_tui("doctor", "--profile", "nobody").returncode == 2
    assert inft_tui("doctor", "--set", "sft.lr=1e-4").returncode == 2


def test_on_a_gpu_forecast_and_plan_are_shown(offline: Path, library: Path) -> None:
    env = {"LD_LIBRARY_PATH": str(library), "CUDA_VISIBLE_DEVICES": "1"}
    done = inft_tui("doctor", "--profile", "full", "--set", "sft.fit=auto", env=env)
    assert "NVIDIA H200: GPU 1, the first that CUDA_VISIBLE_DEVICES=1 leaves of 2 GPUs" in done.stdout
    assert "Forecast of what the run will do: " in done.stdout
    assert "  As configured, micro-batch 1 x 16, activations recomputed, it would need " in done.stdout
    assert "; of 71.0 GiB 68.9 may be used (3 % stay free)" in done.stdout
    assert "  or micro-batch" in done.stdout
    found = json.loads(inft_tui("doctor", "--profile", "full", "--set", "sft.fit=auto", "--json", env=env).stdout)
    plan = found["plan"]
    assert found["forecast"] == plan["forecast"]
    assert plan["budget_bytes"] == 71 << 30
    assert plan["fits"] is True
    assert plan["choice"]["micro_batch"] * plan["choice"]["accumulation"] == 16


def test_a_token_is_never_shown(offline: Path) -> None:
    contents = {"config.json": b"{}"}
    with serving("model", "CohereLabs/aya-vision-8b", contents) as (endpoint, hub):
        hub.refusal = (403, {"X-Error-Code": "GatedRepo", "X-Error-Message": TOKEN})
        env = {"HF_ENDPOINT": endpoint, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0"}
        for options in ([], ["--json"]):
            done = inft_tui("doctor", "--profile", "full", *options, env=env)
            assert done.returncode == 3
            assert "this machine's token has no access to it" in done.stdout
            assert TOKEN not in done.stdout + done.stderr
        assert f"Bearer {TOKEN}" in hub.tokens


def test_on_a_terminal_every_line_breaks_between_words(offline: Path) -> None:
    terminal = Terminal(*COMMAND, "doctor", "--profile", "full", "--set", "sft.memory_limit_gib=12")
    assert terminal.wait() == 3
    lines = terminal.text.splitlines()
    too_long = [line for line in lines if len(line) > 80 and not line.startswith("  inft-tui ")]
    assert not [line for line in too_long if str(offline) not in line]  # a path stays in one piece
    assert not any(line.endswith(("--set", " 11.6")) for line in lines)


@pytest.mark.parametrize(
    ("env", "colours"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colours_only_where_they_are_seen(offline: Path, env: dict[str, str], colours: bool) -> None:
    terminal = Terminal(*COMMAND, "doctor", "--profile", "full", env=env)
    assert terminal.wait() == 3
    assert ("\x1b[31mred" in terminal.output) is colours
    assert "red    gpu " in terminal.text


def test_deep_tries_what_a_run_computes_with(offline: Path) -> None:
    done = inft_tui("doctor", "--deep", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    tried = [check for check in json.loads(done.stdout)["checks"] if check["name"].startswith("deep")]
    assert [check["name"] for check in tried] == ["deep: torch", "deep: bf16 product", "deep: 4-bit linear"]
    assert [check["status"] for check in tried] == ["green"] * 3, tried
    assert "sees the CPU" in tried[0]["message"]
    assert " off " in tried[2]["message"]


def test_deep_is_red_where_torch_does_not_see_the_gpu(offline: Path, library: Path) -> None:
    env = {"LD_LIBRARY_PATH": str(library), "CUDA_VISIBLE_DEVICES": "1"}
    done = inft_tui("doctor", "--deep", "--json", env=env)
    assert done.returncode == 3
    (tried,) = [check for check in json.loads(done.stdout)["checks"] if check["name"] == "deep: torch"]
    assert tried["status"] == "red"
    assert "sees no GPU: " in tried["message"]
    assert tried["fix"]


def test_a_project_whose_path_is_no_text(offline: Path) -> None:
    odd = offline / os.fsdecode(b"caf\xe9")
    odd.mkdir()
    (odd / "profiles").symlink_to(offline / "profiles")
    (odd / "outputs").write_text("")
    done = inft_tui("doctor", "--profile", "full", "--json", env={"INFT_HOME": str(odd)})
    assert (done.returncode, done.stderr) == (3, "")
    found = json.loads(done.stdout)["checks"]
    assert any(r"caf\udce9" in check["message"] for check in found)


class TestStarting:
    def test_a_machine_that_is_not_ready_refuses(self, offline: Path) -> None:
        done = inft_tui("--headless", "--profile", "full", "--json")
        assert done.returncode == 3
        alert = json.loads(done.stdout)
        assert (alert["event"], alert["kind"]) == ("alert", "not_ready")
        assert "hub dataset: The dataset tharindu/MUNIChus is not in the cache" in alert["message"]
        assert "--force" in alert["fix"]
        assert alert["fix"].endswith("\n  inft-tui doctor --profile full")
        assert "\n    -> Unset HF_HUB_OFFLINE" in alert["message"]
        assert not (offline / "logs").exists()

    def test_the_command_that_shows_it_all_names_profile_and_overrides(self, offline: Path) -> None:
        done = inft_tui("--headless", "--profile", "full", "--set", "sft.lr=1e-4", "--set", 'lora.bias="none"')
        assert done.stderr.splitlines()[-1] == (
            "  inft-tui doctor --profile full --set sft.lr=1e-4 --set 'lora.bias=\"none\"'"
        )

    def test_one_red_light_is_one_sentence(self) -> None:
        error = refusal([Check("gpu", "red", "No GPU can be used here.", "Bring one.")], "inft-tui doctor")
        assert isinstance(error, NotReadyError)
        assert (error.message, error.fix) == ("No GPU can be used here.", "Bring one. --force starts it anyway.")

    def test_force_starts_it_anyway(self, offline: Path) -> None:
        too_small(offline)
        done = headless("--detach")
        assert (done.returncode, done.stdout) == (3, "")
        assert "error: FP16 training needs a GPU" in done.stderr
        assert not (offline / "logs").exists()
        assert headless("--detach", "--force").returncode == 0

    def test_a_dry_run_asks_nobody(self, offline: Path) -> None:
        done = inft_tui("--headless", "--dry-run", "--profile", "full", env={"HF_ENDPOINT": "http://127.0.0.1:9"})
        assert (done.returncode, done.stderr) == (0, "")
        assert "16 rows per step, 1 at a time" in done.stdout
        assert "forecast     as configured " in done.stdout
        options = ("--set", "sft.fit=auto", "--set", "sft.memory_limit_gib=24")
        done = inft_tui("--headless", "--dry-run", "--profile", "full", *options)
        assert "16 rows per step, how many at a time is chosen when the run starts" in done.stdout
        assert "; of 24.0 GiB that sft.memory_limit_gib allows 23.3 may be used" in done.stdout

    def test_a_start_that_is_ready_says_nothing_about_it(self, offline: Path) -> None:
        done = headless()
        assert done.returncode == 0
        assert "warning" not in done.stderr

    def test_what_may_end_it_early_is_said_and_nothing_else(self, offline: Path, library: Path) -> None:
        profile = offline / "profiles" / "small.toml"
        profile.write_text(profile.read_text().replace("lr = 1e-3", "lr = 1e-3\nmemory_limit_gib = 0.5"))
        done = headless(env={"LD_LIBRARY_PATH": str(library), "CUDA_VISIBLE_DEVICES": "1"})
        assert done.returncode == 0
        warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
        assert len(warnings) == 1  # although this machine's torch may not fit the driver
        assert "of 0.5 GiB that sft.memory_limit_gib allows 0.5 may be used" in warnings[0]

    def test_a_folder_that_is_taken_is_for_the_locks_to_refuse(self, offline: Path) -> None:
        run = started()
        assert statuses(inft_tui("doctor", "--profile", "small", "--json").stdout)["output folders"] == "red"
        done = headless()
        assert done.returncode == 2
        assert run.run_id in done.stderr
        assert "--force" not in done.stderr

    def test_so_does_resume(self, offline: Path) -> None:
        run = started()
        save_checkpoint(run, 40)
        kill(run, "supervisor", "trainer")
        changed = run.config_toml.read_text().replace('compute_dtype = "bfloat16"', 'compute_dtype = "float16"')
        run.config_toml.write_text(changed)
        done = resume(run.run_id)
        assert done.returncode == 3
        assert "error: FP16 training needs a GPU" in done.stderr
        assert resume(run.run_id, "--dry-run").returncode == 0
        assert resume(run.run_id, "--force").returncode == 0
