"""The Launch screen and the parameter editor, as a person uses them."""

from __future__ import annotations

import base64
import json
import re
import socket
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from inft.profiles import load_config, resolve
from inft.runs.directory import RunDirectory
from tests.pty.terminal import PROGRAM, Terminal

WITH_A_STAND_IN = """
import sys
from inft_tui import deeds
from inft_tui.cli import main
start = "from inft_tui.commands import headless; headless.run.__defaults__ = ('tests.runs.stand_in',);"
start += "headless.require_ready = lambda *_: None;" if "ready" in sys.argv else ""
deeds.PROGRAM = (sys.executable, "-c", start + "from inft_tui.cli import main; main()")
sys.argv = ["inft-tui"]
main()
"""
"""The console, whose runs have a trainer without training."""


def stand_in(*options: str) -> list[str]:
    return [PROGRAM[0], "-c", WITH_A_STAND_IN, *options]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str | None]:
    """No hub: its address leads nowhere."""
    return {"INFT_CACHE": str(tmp_path / "cache"), "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hf")}


@pytest.fixture
def silent_hub() -> Iterator[str]:
    """A hub that takes every question and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        server.settimeout(30)
        held: list[socket.socket] = []

        def listen() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=listen, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        for connection in held:
            connection.close()


def only_run(project: Path) -> RunDirectory:
    (path,) = (path.parent for path in project.glob("logs/*/run.json"))
    return RunDirectory(path)


def test_without_runs_it_is_what_comes_first(project: Path, env: dict[str, str | None]) -> None:
    with Terminal(columns=160, rows=45, env=env) as terminal:
        terminal.wait_for("--profile demo_aya")
        terminal.wait_for("Ready?  ready")
        assert "1 Launch" in terminal.screen.lines[0]
        terminal.wait_for("it trains on the CPU here")
        terminal.press("\x1b")
        terminal.wait_for("There are no runs yet.")


def test_it_starts_what_it_shows_and_opens_it(project: Path, env: dict[str, str | None]) -> None:
    with Terminal(columns=160, rows=45, env=env, program=stand_in()) as terminal:
        terminal.wait_for("Ready?  ready")
        terminal.press("\x1b[B\x1b[B")
        terminal.wait_for("--profile small")
        terminal.press("/peak\r\r\x152e-4\r")
        terminal.wait_for("--profile small --set sft.lr=2e-4")
        shown = terminal.screen.lines[-3].split()
        terminal.press("s")
        terminal.wait_for("Start small?")
        terminal.press("y")
        terminal.wait_until(lambda screen: "3 Monitor   " in screen.text and "5 of 5" in screen.text, "the run's end")
        run = only_run(project)
        assert run.run_id in terminal.screen.text
        assert json.loads(run.run_json.read_bytes())["argv"][1:] == shown[1:]
        assert load_config(run.config_toml).sft.lr == 2e-4


def test_what_keeps_it_from_starting_is_asked_about_or_said(project: Path, env: dict[str, str | None]) -> None:
    with Terminal(columns=160, rows=45, env=env, program=stand_in()) as terminal:
        terminal.wait_for("Ready?  ready")
        terminal.press("\x1b[A")
        terminal.wait_for("hub model: The model CohereLabs/aya-vision-8b")
        terminal.wait_gone("checking")
        terminal.press("s")
        terminal.wait_for("Start aya_basic with --force?")
        terminal.press("n/load_in\r\r/dequant\r\r")
        terminal.wait_for("Cannot be started")
        terminal.press("s")
        terminal.wait_for("nothing is quantised. Leave one of them out.")
        assert not list(project.glob("logs/*"))


def test_the_command_can_be_pasted(project: Path, env: dict[str, str | None]) -> None:
    with Terminal(columns=80, rows=24, env=env) as terminal:
        terminal.wait_for("--profile demo_aya")
        terminal.press("/data.lang\r\r\x15en, fr\r/revision\r\r\x15it's\r/peak\r\r\x151e-3\rc")
        terminal.wait_for("Handed to the terminal")
        encoded = re.findall("\x1b]52;c;([^\x07]+)\x07", terminal.output)
        shown = [line.strip() for line in terminal.screen.lines[-7:-2]]
    command = base64.b64decode(encoded[-1]).decode("utf-8")
    pasted = "\n".join(shown[next(at for at, line in enumerate(shown) if line.startswith("inft-tui")) :])
    plans = []
    for text in (command, pasted):
        script = f'inft-tui() {{ {sys.executable} -m inft_tui "$@" --dry-run --json; }}\n{text}'
        ran = subprocess.run(["sh", "-c", script.replace("inft-tui()", "inft_tui()").replace("inft-tui ", "inft_tui ")],
                             capture_output=True, text=True, check=True)  # fmt: skip
        plans.append(json.loads(ran.stdout))
    assert plans[0] == plans[1]
    differs = {one["key"]: one["value"] for one in plans[0]["differs"] if one["origin"] == "--set"}
    assert differs == {"data.languages": ["en", "fr"], "basic.revision": "it's", "sft.lr": 1e-3}


def test_keys_typed_ahead_are_meant_for_where_they_lead(
    project: Path, env: dict[str, str | None], old_run: RunDirectory
) -> None:
    with Terminal(columns=160, rows=45, env=env) as terminal:
        terminal.press("1a")
        terminal.wait_for("Parameters  all 9")
        assert "basic.seed" in terminal.screen.text
        terminal.wait_for("--profile small")  # what was run last
        assert terminal.cpu_seconds() < 1.0


def test_a_hub_that_hangs_holds_nothing_up(project: Path, env: dict[str, str | None], silent_hub: str) -> None:
    with Terminal(columns=160, rows=45, env={**env, "HF_ENDPOINT": silent_hub}) as terminal:
        terminal.wait_for("Ready?  ready")
        terminal.press("\x1b[A")
        terminal.wait_for("checking …")
        terminal.wait_for("on a GPU; there is none here")  # the forecast needs no hub
        taken = []
        for _ in range(8):
            for keys, words in (("a", "Parameters  all"), ("a", "a shows all")):
                pressed = terminal.press(keys)
                taken.append(terminal.wait_for(words) - pressed)
        assert statistics.median(taken) < 0.2
        assert "checking …" in terminal.screen.text
        terminal.press("q")
        assert terminal.wait() == 0


def test_the_editor_says_why_not_as_one_types(project: Path, env: dict[str, str | None]) -> None:
    with Terminal(columns=80, rows=24, env=env) as terminal:
        terminal.wait_for("--profile demo_aya")
        terminal.press("e")
        terminal.wait_for("Parameters   of demo_aya")
        terminal.press("\r\x15qq")
        terminal.wait_for("qq▏")
        terminal.wait_for("It must be a number above 0 and at most 1.")
        terminal.press("\r")
        terminal.read(0.1)
        assert "qq▏" in terminal.screen.text
        terminal.press("\x150.25")
        terminal.wait_gone("It must be")
        terminal.press("\r")
        terminal.wait_for("1 changed")
        assert "0.25" in terminal.screen.text
        terminal.press("r")
        terminal.wait_gone("1 changed")
        terminal.press("\x1b")
        terminal.wait_for("Model")


def test_saved_under_a_new_name(project: Path, env: dict[str, str | None]) -> None:
    with Terminal(columns=120, rows=30, env=env) as terminal:
        terminal.wait_for("--profile demo_aya")
        terminal.press("\x1b[B/peak\r\r\x152e-4\rwsmall\r")
        terminal.wait_for('There is a profile "small" already.')
        terminal.press("\x15\x1b[200~mine\x1b[201~\r")
        terminal.wait_for("Saved as mine")
        terminal.wait_for("--profile mine")
        assert "--set" not in terminal.screen.lines[-3]
    assert resolve("mine").config.sft.lr == 2e-4
    assert resolve("small").config.sft.lr == 1e-3


def test_readonly_looks_only(project: Path, env: dict[str, str | None]) -> None:
    with Terminal("--readonly", env=env) as terminal:
        terminal.wait_for("There are no runs yet.")
        terminal.press("1")
        terminal.wait_for("--profile demo_aya")
        terminal.press("sw")
        terminal.read(0.2)
        assert "?" not in terminal.screen.lines[-2]
        assert "start" not in terminal.screen.lines[-1]


@pytest.mark.parametrize(
    ("columns", "rows", "changes"),
    [
        (60, 18, {"NO_COLOR": "1"}),
        (80, 24, {"LANG": "C", "LC_ALL": "C"}),
    ],
)
def test_small_and_plain_terminals(
    project: Path, env: dict[str, str | None], columns: int, rows: int, changes: dict[str, str | None]
) -> None:
    with Terminal(columns=columns, rows=rows, env={**env, **changes}) as terminal:
        terminal.wait_for("inft-tui --headless --detach")
        terminal.press("\t\r\x151\t\tjja/lora\re")
        terminal.wait_for("lora.scope")
        for size in ((300, 90), (60, 18), (40, 10), (100, 30)):
            terminal.resize(*size)
            terminal.read(0.02)
        terminal.wait_for("with ")
        terminal.press("q")
        assert terminal.wait() == 0
