"""What a library's exception means to a person."""

from __future__ import annotations

import re

import torch
from safetensors import SafetensorError

from inft.errors import DISK_ERRNOS, DiskError, InftError, NotReadyError, OutOfMemoryError, disk_error
from inft.training.arguments import TRACKER_PACKAGES

_DISK_FULL = re.compile(
    r"No space left on device|Disk quota exceeded|File too large|Read-only file system|os error (28|122|27|30)\b"
)
_FAILED_WRITE = re.compile(r"PytorchStreamWriter|unexpected pos|inline_container")


def named_cause(error: BaseException, output_dir: str) -> InftError:
    """The `InftError` for whatever ended a run.

    Args:
        error: as caught at the top.
        output_dir: where checkpoints go, for a message about the disk.
    """
    if isinstance(error, InftError):
        return error
    if isinstance(error, torch.OutOfMemoryError):
        return OutOfMemoryError(
            "The GPU ran out of memory.",
            "Lower data.batch_size (and raise sft.gradient_accumulation_steps as much), keep "
            "sft.gradient_checkpointing on, or lower basic.max_length.",
        )
    if isinstance(error, MemoryError):
        return OutOfMemoryError(
            "The host ran out of memory.", "Lower data.num_workers, or free memory on this machine."
        )
    if isinstance(error, OSError) and error.errno in DISK_ERRNOS:
        return disk_error(error, error.filename or output_dir)
    if isinstance(error, SafetensorError | RuntimeError | OSError) and _is_about_the_disk(error):
        return DiskError(
            f"Could not write {output_dir}: the disk is full or over its quota.",
            "Free space there, or point the sft.*_dir folders at another disk; earlier checkpoints are intact.",
        )
    if type(error).__module__.partition(".")[0] in TRACKER_PACKAGES.values():
        return NotReadyError(
            f"The tracking service refused the run: {_first_line(error)}",
            'Log in to it on this machine, or set sft.report_to = "none".',
        )
    if isinstance(error, PermissionError):
        return disk_error(error, error.filename or output_dir)
    if isinstance(error, ImportError):
        return NotReadyError(
            f"A library could not be imported: {_first_line(error)}",
            "Install the project again with its constraints (`make demo` does); the log has the details.",
        )
    return InftError(
        f"Internal error: {type(error).__name__}: {_first_line(error)}",
        "The traceback is in console.log; please report it.",
    )


def _is_about_the_disk(error: BaseException) -> bool:
    return bool(_DISK_FULL.search(str(error)) or _FAILED_WRITE.search(str(error)))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]
