"""`inft-tui doctor`, and starts that are refused on a machine that is not ready."""

from __future__ import annotations

import json
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
    assert lines[-1].startswith("Ready")


def test_a_demo_is_ready(offline: Path) -> None:
    done = inft_tui("doctor", "--profile", "small")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Forecast as configured, micro-batch 1 x 16" in done.stdout
    assert "Plan" not in done.stdout  # there is no card


def test_a_recipe_without_a_gpu_is_not(offline: Path) -> None:
    before = sorted(offline.rglob("*"))
    done = inft_tui("doctor", "--profile", "full")
    assert (done.returncode, done.stderr) == (3, "")
    lines = done.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("red") and "gpu " in line)
    assert lines[at + 1].split()[0] == "->"
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
    assert "Plan of this run, for 71.0 GiB" in done.stdout
    assert "  or micro-batch" in done.stdout
    plan = json.loads(inft_tui("doctor", "--profile", "full", "--set", "sft.fit=auto", "--json", env=env).stdout)[
        "plan"
    ]
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


class TestStarting:
    def test_a_machine_that_is_not_ready_refuses(self, offline: Path) -> None:
        done = inft_tui("--headless", "--profile", "full", "--json")
        assert done.returncode == 3
        alert = json.loads(done.stdout)
        assert (alert["event"], alert["kind"]) == ("alert", "not_ready")
        assert "hub dataset: The dataset tharindu/MUNIChus is not in the cache" in alert["message"]
        assert "--force" in alert["fix"]
        assert "inft-tui doctor" in alert["fix"]
        assert not (offline / "logs").exists()

    def test_one_red_light_is_one_sentence(self) -> None:
        error = refusal([Check("gpu", "red", "No GPU can be used here.", "Bring one.")])
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
        assert "512.0 MiB are allowed" in warnings[0]

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
