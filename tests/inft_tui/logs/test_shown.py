from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest

from inft.runs import events
from inft_tui.logs.shown import LONGEST_SHOWN, as_is, in_words


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"plain  ", "plain"),
        (b"", ""),
        (b" 10%|# |\r 50%|## |\r", " 50%|## |"),
        (b"windows\r", "windows"),
        (b"\r\r", ""),
        (b"a\x00b\x1b[2J\xff\xe0", "a\\x00b\\x1b[2J\\xff\\xe0"),
        (b"\x1b[31merror\x1b[0m\tx", "error   x"),
        ("සිංහල ✓".encode(), "සිංහල ✓"),
        (b"HF_TOKEN=hf_abcdefgh12345 go", "HF_TOKEN=hf_*** go"),
        (b"hf_abc\x1b[0mdefgh12345", "hf_***"),
    ],
)
def test_a_line_is_safe_to_show(raw: bytes, shown: str) -> None:
    assert as_is(raw) == shown


def test_a_long_line_is_cut_and_says_so() -> None:
    text = as_is(b"start " + b"x" * (5 << 20))
    assert text.startswith("start xxx")
    assert text.endswith("x ...")
    assert len(text) <= LONGEST_SHOWN + 4


def test_a_token_is_not_cut_into_something_that_looks_like_none() -> None:
    token = b"hf_" + b"aB3" * 12
    assert b"aB3aB3" not in as_is(b"x" * (LONGEST_SHOWN - 10) + token).encode()


def test_of_a_long_progress_bar_the_last_state_is_shown() -> None:
    bar = b"".join(b"\r%3d%%|%s|" % (number % 101, b"#" * 60) for number in range(20_000))
    assert as_is(bar).startswith(" ")
    assert as_is(bar + b"\r100%|done|\r\n") == "100%|done|"


def test_megabytes_cost_no_more_than_what_is_shown() -> None:
    raw = b"\xff\x00" * (4 << 20)
    began = time.process_time()
    as_is(raw)
    assert time.process_time() - began < 0.1


def test_an_event_is_said_in_words() -> None:
    at = datetime(2025, 3, 1, 12, 30, 5, tzinfo=UTC)
    line = json.dumps(events.log(global_step=3, loss=2.5, at=at)).encode()
    assert in_words(line) == f"{at.astimezone():%H:%M:%S}  step 3, loss 2.5"
    assert in_words(b'{"event": "log", "global_step": 3, "loss": NaN}') == "step 3, loss not finite"
    assert in_words(b'{"loss": 1}') == '{"loss": 1}'
    assert in_words(b'{"event": "lo') == '{"event": "lo'
    assert in_words(b"[1, 2]\x00") == "[1, 2]\\x00"
    assert len(in_words(json.dumps({"event": "x", "y": "z" * 10_000}).encode())) <= LONGEST_SHOWN + 4
