from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from inft.runs import control, events
from inft.runs.directory import RunDirectory
from inft.runs.status import Status
from tests.inft_tui.programs import COMMAND, Terminal, inft_tui, kill, started
from tests.runs.pretend import dead_process, working, write_events, write_status


@pytest.fixture
def told(run: RunDirectory) -> RunDirectory:
    """A run of 100 steps that has ended."""
    for done in range(101):
        write_events(run, events.stage(name="data", done=done, total=100, unit="rows"))
    for step in range(1, 101):
        write_events(run, events.log(global_step=step, loss=100.0 - step))
    write_events(
        run, events.sample(language="si", reference_caption="ref\x1b[31m", generated_caption="රතු \u202e \x9b2J")
    )
    write_status(run, Status("finished", step=100, max_steps=100, exit_code=0))
    return run


def tail(*arguments: str) -> list[str]:
    done = inft_tui("tail", "latest", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_last_twenty_in_words(told: RunDirectory) -> None:
    lines = tail()
    assert len(lines) == 20
    assert lines[0] == "step 82 of 100, loss 18"
    assert lines[-1] == "si: රතු \\u202e \\x9b2J [reference: ref\\x1b[31m]"


@pytest.mark.parametrize(("count", "shown"), [("0", 0), ("1", 1), ("106", 106), ("500", 106), ("all", 106)])
def test_as_many_as_asked_for(told: RunDirectory, count: str, shown: int) -> None:
    assert len(tail("-n", count)) == shown  # of 101 lines about one stage, five are told


def test_the_lines_that_are_shown_are_counted_not_those_of_the_file(run: RunDirectory) -> None:
    write_events(run, events.log(global_step=1, loss=1.0))
    for done in range(5000):
        write_events(run, events.stage(name="data", done=done, total=10**9, unit="rows"))
    assert tail("-n", "2") == ["step 1, loss 1", "preparing data: 0 of 1,000,000,000 rows"]


def test_only_what_matches(told: RunDirectory) -> None:
    assert tail("--grep", r"step \d*5 of") == tail("-n", "all", "--grep", "5 of 100, loss")
    assert tail("--grep", "loss 99$") == ["step 1 of 100, loss 99"]
    assert tail("--grep", "nothing like it") == []
    assert [json.loads(line)["global_step"] for line in tail("--json", "--grep", '"loss":7.0')] == [93]


def test_as_json(told: RunDirectory) -> None:
    lines = tail("--json", "-n", "3")
    assert [json.loads(line) for line in lines] == [
        json.loads(line) for line in told.metrics.read_text().splitlines()[-3:]
    ]
    assert all(line.isprintable() for line in lines)


def test_the_console_log(run: RunDirectory) -> None:
    run.console_log.write_bytes(b"old\n" * 100 + b"10 %\r 50 %\r100 %\r\nx\x1b[31my hf_abcdefgh1234\nhalf")
    write_status(run, Status("finished", exit_code=0))
    assert tail("--console", "-n", "3") == ["old", "100 %", "x\\x1b[31my hf_***"]
    assert tail("--console", "--grep", "%") == ["100 %"]
    assert len(tail("--console", "-n", "all")) == 102


@pytest.mark.parametrize(
    "arguments", [["--grep", "("], ["--grep", "*"], ["-n", "-1"], ["-n", "few"], ["-n", "²"], ["--json", "--console"]]
)
def test_a_request_without_sense(told: RunDirectory, arguments: list[str]) -> None:
    done = inft_tui("tail", "latest", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "event" not in done.stdout or json.loads(done.stdout)["level"] == "error"


def test_garbage_between_the_lines(told: RunDirectory) -> None:
    with told.metrics.open("ab") as file:
        file.write(b'\x00\xff\n[1]\n{"event": "log", "global_step": 7, "loss": NaN}\n{"event": "lo')
    assert tail("-n", "1") == ["step 7 of 100, loss not finite"]


def test_a_run_without_events(run: RunDirectory) -> None:
    write_status(run, Status("failed", exit_code=70))
    assert tail() == []
    assert tail("--console", "-f") == []


def test_of_a_huge_file_only_the_end_is_read(run: RunDirectory) -> None:
    write_status(run, Status("finished", exit_code=0))
    line = b'{"event":"log","global_step":1,"loss":1.0,"x":"' + b"x" * 1000 + b'"}\n'
    with run.metrics.open("wb") as file:
        file.truncate(10 << 30)  # a hole, which takes no room and hours to parse
        file.seek(0, 2)
        file.write(b"\n" + line * 1000)
    began = time.monotonic()
    assert len(tail()) == 20
    assert time.monotonic() - began < 5


class TestFollowing:
    def follow(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, "tail", "latest", "-f", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def test_to_the_end(self, project: Path) -> None:
        run = started()
        process = self.follow("-n", "all", "--json")
        time.sleep(1.0)
        control.ask(run, "stop")
        output, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (0, "")
        assert output == run.metrics.read_text(encoding="utf-8")

    @pytest.mark.parametrize("victims", [("supervisor", "trainer"), ("trainer",)])
    def test_to_a_violent_end(self, project: Path, victims: tuple[str, ...]) -> None:
        run = started()
        process = self.follow("--json", "-n", "all")
        time.sleep(0.5)
        kill(run, *victims)
        output, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (0, "")
        assert output == run.metrics.read_text(encoding="utf-8")

    def test_the_console_log(self, project: Path) -> None:
        run = started()
        process = self.follow("--console")
        time.sleep(0.5)
        with run.console_log.open("a") as file:
            file.write("later\n")
        control.ask(run, "stop")
        output, _ = process.communicate(timeout=30)
        assert output.splitlines() == ["a line for console.log: ශ්‍රී", "later"]

    def test_what_has_ended_is_not_waited_for(self, run: RunDirectory) -> None:
        write_status(run, working(dead_process()))
        assert inft_tui("tail", "latest", "-f").returncode == 0

    def test_ctrl_c_leaves_quietly(self, project: Path) -> None:
        run = started()
        terminal = Terminal(*COMMAND, "tail", "-f", run.run_id)
        terminal.read_until("samples/s")
        terminal.type("\x03")
        assert terminal.wait() == 0
        assert "Stopped" not in terminal.text
        assert "Traceback" not in terminal.text

    def test_a_lost_terminal_ends_it_even_if_hang_ups_are_ignored(self, project: Path) -> None:
        run = started()
        program = (
            "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
            f"sys.argv = ['inft-tui', 'tail', '-f', '{run.run_id}']\n"
            "from inft_tui.cli import main; main()"
        )
        terminal = Terminal(COMMAND[0], "-c", program)
        terminal.read_until("samples/s")
        terminal.vanish()
        assert terminal.process.wait(timeout=20) == 0

    def test_a_reader_that_leaves(self, project: Path) -> None:
        started()
        process = self.follow()
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=20) == 0
        assert process.stderr.read() == ""

    def test_sigterm_ends_it(self, project: Path) -> None:
        started()
        process = self.follow()
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        process.communicate(timeout=20)
        assert process.returncode == -signal.SIGTERM
