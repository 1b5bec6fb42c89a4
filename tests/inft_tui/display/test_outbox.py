from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

import pytest

from inft_tui.display.outbox import BEHIND_BYTES, Outbox


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    os.set_blocking(reading, False)
    yield reading, writing
    for descriptor in (reading, writing):
        with contextlib.suppress(OSError):
            os.close(descriptor)


def drain(descriptor: int) -> bytes:
    """All that is there."""
    found = b""
    try:
        while block := os.read(descriptor, 1 << 16):
            found += block
    except BlockingIOError:
        pass
    return found


def test_what_is_not_taken_comes_later_and_in_order(pipe: tuple[int, int]) -> None:
    outbox = Outbox(pipe[1])
    sent = bytes(range(256)) * 1024
    outbox.put(sent)
    assert 0 < outbox.held_bytes < len(sent)
    outbox.put(b"end")
    taken = drain(pipe[0])
    while outbox.held_bytes:
        outbox.flush()
        taken += drain(pipe[0])
    assert taken == sent + b"end"


def test_it_is_behind_when_much_is_held(pipe: tuple[int, int]) -> None:
    outbox = Outbox(pipe[1])
    assert not outbox.is_behind
    outbox.put(b"x" * ((64 << 10) + BEHIND_BYTES - 1))
    assert not outbox.is_behind
    outbox.put(b"x")
    assert outbox.is_behind


def test_the_last_word_goes_before_what_is_held_and_does_not_wait_for_ever(pipe: tuple[int, int]) -> None:
    outbox = Outbox(pipe[1])
    outbox.put(b"x" * (1 << 20))
    began = time.monotonic()
    assert not outbox.finish(b"last", 0.1)
    assert time.monotonic() - began < 0.5
    drain(pipe[0])
    assert outbox.finish(b"last", 0.1)
    assert drain(pipe[0]) == b"last"


def test_a_reader_that_is_gone_is_noticed_once_and_for_all(pipe: tuple[int, int]) -> None:
    outbox = Outbox(pipe[1])
    os.close(pipe[0])
    outbox.put(b"x")
    assert outbox.lost
    outbox.put(b"x")
    assert outbox.held_bytes == 0
    assert not outbox.finish(b"last", 0.1)


def test_drawings_for_which_another_stands_are_taken_back_and_nothing_else(pipe: tuple[int, int]) -> None:
    outbox = Outbox(pipe[1])
    outbox.put(b"\x1b[1mfirst ".ljust(1000) * 66 + b"\x1b[2m not any more", is_drawing=True)
    outbox.put(b"bell")
    outbox.put(b"\x1b[3;1Hsecond", is_drawing=True)
    began = 64 << 10
    outbox.drop_drawings(also_begun=False)
    assert outbox.held_bytes == 66_000 + 17 + 4 - began
    outbox.drop_drawings(also_begun=True)
    assert outbox.held_bytes < 1000 + 4 + 4
    taken = drain(pipe[0])
    outbox.flush()
    taken += drain(pipe[0])
    assert taken == b"\x1b[1mfirst ".ljust(1000) * 66 + b"\x1b[0m" + b"bell"
    assert outbox.held_bytes == 0


def test_a_drawing_that_has_not_begun_leaves_nothing(pipe: tuple[int, int]) -> None:
    outbox = Outbox(pipe[1])
    outbox.put(b"x" * (64 << 10))
    outbox.put(b"\x1b[1;1H" + b"y" * BEHIND_BYTES, is_drawing=True)
    assert outbox.is_behind
    outbox.drop_drawings(also_begun=True)
    assert not outbox.held_bytes
    drain(pipe[0])
    outbox.flush()
    assert drain(pipe[0]) == b""
