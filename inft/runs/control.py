"""Requests to a run: small files in its `control/` folder, made by whoever asks and removed once they are honoured.

Files, and not only signals, because a request then also reaches a run on another machine with the same disk, and one
whose supervisor is gone.
"""

from __future__ import annotations

import getpass
import os
from typing import Literal, TypeAlias, get_args

import msgspec

from inft.errors import disk_error
from inft.runs.clock import timestamp, utc_now
from inft.runs.directory import RunDirectory
from inft.runs.files import replace_file
from inft.runs.provenance import host_name
from inft.runs.redact import storable

Request: TypeAlias = Literal["save", "stop", "abort"]
"""save: write a checkpoint and go on. stop: end at the next optimiser step, with a checkpoint. abort: end now."""

REQUESTS: tuple[Request, ...] = get_args(Request)


class Asker(msgspec.Struct, frozen=True):
    """Who asked for something, and when.

    Attributes:
        ts: the moment.
        host: on which machine.
        pid: through which process.
        user: under which name; empty where the system has none for its number.
    """

    ts: str
    host: str
    pid: int
    user: str


# Made here and not where it is used: msgspec 0.22 crashes where two threads meet a type for the first time at once.
_DECODER = msgspec.json.Decoder(Asker)


def ask(run: RunDirectory, request: Request) -> None:
    """Leaves a request for whoever works on `run`; asking twice changes nothing.

    Raises:
        DiskError: the run's folder cannot be written.
    """
    asker = Asker(timestamp(utc_now()), storable(host_name()), os.getpid(), storable(_user()))
    try:
        run.control.mkdir(exist_ok=True)
    except OSError as error:
        raise disk_error(error, run.control) from error
    replace_file(run.control / request, msgspec.json.encode(asker) + b"\n", durable=False)


def pending(run: RunDirectory) -> frozenset[Request]:
    """The requests that nobody has honoured yet; none where they cannot be read."""
    try:
        names = frozenset(os.listdir(run.control))
    except OSError:
        return frozenset()
    return frozenset(request for request in REQUESTS if request in names)


def asker(run: RunDirectory, request: Request) -> Asker | None:
    """Who left this request; None if nobody did, or by other means than `ask`."""
    try:
        return _DECODER.decode((run.control / request).read_bytes())
    except (OSError, ValueError):
        return None


def done(run: RunDirectory, request: Request) -> None:
    """Takes a request away, since it is honoured or there is nobody left to honour it.

    Raises:
        DiskError: the run's folder cannot be written.
    """
    try:
        (run.control / request).unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(error, run.control) from error


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
