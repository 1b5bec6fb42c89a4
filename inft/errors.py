"""Everything that can stop a run, as one tree, and the exit code of each.

    InftError
    ├── ConfigError        2   a profile, a flag or a value
    ├── NotReadyError      3   this machine cannot run it (BF16, a driver)
    │   └── LibraryError   3   a library that cannot be loaded
    ├── OutOfMemoryError   4   the card or the host ran out of memory
    ├── DivergedError      5   the loss is not a finite number
    ├── DataError          6   the corpus
    ├── DiskError          7   no space, no permission
    ├── HubError           8   a model or dataset that cannot be fetched
    └── CrashedError      70   the GPU or a data worker broke down

Anything else that reaches the top is a defect of ours: exit code 70, with its traceback in `console.log`.
"""

from __future__ import annotations

import errno
from enum import IntEnum


class ExitCode(IntEnum):
    """What a process of ours returns; scripts rely on these numbers."""

    FINISHED = 0
    USAGE = 2
    NOT_READY = 3
    OUT_OF_MEMORY = 4
    DIVERGED = 5
    DATA = 6
    DISK = 7
    HUB = 8
    INTERNAL = 70
    STOPPED = 130


EXIT_CODE_MEANINGS: dict[ExitCode, str] = {
    ExitCode.FINISHED: "finished",
    ExitCode.USAGE: "usage or configuration",
    ExitCode.NOT_READY: "environment not ready",
    ExitCode.OUT_OF_MEMORY: "out of memory",
    ExitCode.DIVERGED: "diverged (non-finite loss), or a merged model is over 2 % worse",
    ExitCode.DATA: "data",
    ExitCode.DISK: "disk",
    ExitCode.HUB: "hub access",
    ExitCode.INTERNAL: "internal error",
    ExitCode.STOPPED: "stopped on request",
}


class InftError(Exception):
    """A failure a person can act on.

    Args:
        message: what went wrong and where, in one sentence without a traceback.
        fix: what to do about it, in one sentence.
        details: lines for a person to go through, for instance the rows that are meant; as a rule there are none.
    """

    exit_code = ExitCode.INTERNAL
    kind = "internal"

    def __init__(self, message: str, fix: str, details: str = "") -> None:
        super().__init__(f"{message} {fix}\n{details}".strip())
        self.message = message
        self.fix = fix
        self.details = details

    @property
    def fix_with_details(self) -> str:
        """What to do, and below it the details."""
        return f"{self.fix}\n{self.details}".strip()


class ConfigError(InftError):
    """A profile, a flag or a value that cannot be used."""

    exit_code = ExitCode.USAGE
    kind = "configuration"


class NotReadyError(InftError):
    """This machine lacks what the configuration asks of it."""

    exit_code = ExitCode.NOT_READY
    kind = "not_ready"


class LibraryError(NotReadyError):
    """A library is missing here, or does not fit the others."""

    kind = "library"


class OutOfMemoryError(InftError):
    """The card or the host has no memory left."""

    exit_code = ExitCode.OUT_OF_MEMORY
    kind = "out_of_memory"


class DivergedError(InftError):
    """The loss stopped being a finite number."""

    exit_code = ExitCode.DIVERGED
    kind = "diverged"


class DataError(InftError):
    """The corpus cannot be trained on."""

    exit_code = ExitCode.DATA
    kind = "data"


class UnknownSplitError(DataError):
    """The corpus has no split of that name."""


class DiskError(InftError):
    """Something could not be written."""

    exit_code = ExitCode.DISK
    kind = "disk"


class HubError(InftError):
    """A model or dataset could not be fetched."""

    exit_code = ExitCode.HUB
    kind = "hub"


class CrashedError(InftError):
    """Something below us broke down: the GPU, its driver, or a process that prepared data."""

    kind = "crashed"


DISK_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})
"""What the kernel says when nothing more can be written: full, over quota, read-only, file-size limit."""


def disk_error(error: OSError, where: object) -> DiskError:
    """The `DiskError` for a failed write to `where`."""
    reason = error.strerror or str(error)
    return DiskError(
        f"Could not write {where}: {reason.lower()}.",
        "Free space or permissions there, or point basic.logs_dir and the sft.*_dir folders at another disk.",
    )


def internal_error(error: BaseException) -> InftError:
    """The `InftError` for an exception that nobody expected."""
    return InftError(
        f"Internal error: {type(error).__name__}: {first_line(error)}",
        "The traceback is in console.log; please report it.",
    )


def first_line(error: BaseException) -> str:
    """What an exception says, as far as it fits into a sentence."""
    return (str(error).strip().splitlines() or ["no message"])[0]
