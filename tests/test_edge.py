from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from inft.edge import exit_code_of
from inft.errors import ExitCode


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_library_that_loses_the_interruption_is_stopped_all_the_same(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    """As safetensors does, which then says that it could not determine a shape."""

    def command() -> None:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(number)
        raise ValueError("could not determine the shape")

    assert exit_code_of(command, as_json=False, ends=(signal.SIGINT, signal.SIGTERM)) == ExitCode.STOPPED
    assert capsys.readouterr().err == "Stopped.\n"


def test_what_this_process_ignores_does_not_end_it() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    code = exit_code_of(lambda: signal.raise_signal(signal.SIGTERM), as_json=False, ends=(signal.SIGTERM,))
    assert code == ExitCode.FINISHED


def test_an_error_of_the_command_itself_is_no_stop(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        raise ValueError("a defect")

    assert exit_code_of(command, as_json=False) == ExitCode.INTERNAL
    assert "a defect" in capsys.readouterr().err
