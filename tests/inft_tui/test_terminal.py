from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from inft_tui.terminal import out_json


def run(body: str, **streams: object) -> subprocess.CompletedProcess[bytes]:
    code = f"from inft_tui.terminal import *\nfrom inft_tui.edge import exit_code_of\nimport sys\n{body}"
    return subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, check=False, **streams)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("text", ["\x1b[31m\x07\n", "\x7f\x80\x9b2J\x9f", "\u2028\u202e\u2066", 'රතු 👩‍🚀 \\ "'])
def test_json_says_the_same_without_what_a_terminal_obeys(text: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with_raw = json.dumps({"x": text}, ensure_ascii=False)
    out_json(with_raw)
    printed = capfdbinary.readouterr().out.decode("utf-8").rstrip("\n")
    assert json.loads(printed) == {"x": text}
    assert printed.isprintable() or "\u200d" in printed  # a joiner, which emoji need
    if text.startswith("ර"):
        assert printed == with_raw


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = run("sys.exit(exit_code_of(lambda: out('x') or 0))", stdout=full)
    assert (done.returncode, done.stderr.startswith(b"error: Could not write the output")) == (7, True)


@pytest.mark.parametrize("write", ["out('x')", "out_json('{}')"])
def test_a_reader_that_is_gone_is_no_error(write: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = run(f"sys.exit(exit_code_of(lambda: {write} or 0))", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (0, 1, 2)])
def test_files_never_get_the_number_of_a_closed_stream(closed: tuple[int, ...], tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from inft_tui.terminal import *\nimport sys\nopen_missing_streams()\nfile = open(sys.argv[1], 'w')\n"
        "out('to stdout')\nerr('to stderr')\nfile.write(str(file.fileno()))\n"
    )
    target = tmp_path / "target"
    redirections = " ".join(f"{number}{'<' if number == 0 else '>'}&-" for number in closed)
    command = f'exec "$0" "$1" "$2" {redirections}'
    done = subprocess.run(["sh", "-c", command, sys.executable, str(program), str(target)], check=False)
    assert done.returncode == 0
    assert int(target.read_text()) > 2
