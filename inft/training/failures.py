"""What a library's exception means to a person."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
from safetensors import SafetensorError
from torch._dynamo.exc import BackendCompilerFailed

from inft import errors
from inft.errors import (
    DISK_ERRNOS,
    CrashedError,
    DiskError,
    HubError,
    InftError,
    LibraryError,
    NotReadyError,
    OutOfMemoryError,
    disk_error,
    first_line,
    internal_error,
)
from inft.trackers import TRACKER_PACKAGES

_DISK_FULL = re.compile(
    r"No space left on device|Disk quota exceeded|File too large|Read-only file system|os error (28|122|27|30)\b"
)
_FAILED_WRITE = re.compile(r"PytorchStreamWriter|unexpected pos|inline_container")

_FROM_A_WORKER = re.compile(r"\ACaught \w+ in DataLoader worker process")
"""How torch hands on an exception of a data worker: this line, the worker's traceback, and at last what it said."""

_GPU_MEMORY = (
    'Set sft.fit = "auto", which chooses what fits; where that is set, lower sft.memory_limit_gib, or set '
    'sft.optim = "paged_adamw_8bit".'
)
_HOST_MEMORY = "Lower data.num_workers, end other programs, or allow the container more memory."
_GO_ON = "`inft-tui resume` goes on from the last complete checkpoint."


@dataclass(frozen=True)
class _Known:
    """A text by which a library's exception is known, and what it means."""

    text: re.Pattern[str]
    make: Callable[[str, str], InftError]
    message: str
    fix: str


def _known(text: str, make: Callable[[str, str], InftError], message: str, fix: str) -> _Known:
    return _Known(re.compile(text, re.IGNORECASE), make, message, fix)


_KNOWN = (
    _known(
        r"DataLoader worker .*killed by signal: Bus error|</torch_\d|unable to \w+ shared memory|memory ?\(shm\)",
        OutOfMemoryError,
        "A data worker had no room in shared memory (/dev/shm), through which it hands batches over.",
        "Enlarge /dev/shm (`docker run --shm-size=8g`), or set data.num_workers = 0.",
    ),
    _known(
        r"DataLoader worker .*killed by signal: Killed",
        OutOfMemoryError,
        "A data worker was killed, most likely because the machine or container ran out of main memory.",
        _HOST_MEMORY,
    ),
    _known(
        r"DataLoader worker .*(killed by signal|exited unexpectedly)",
        CrashedError,
        "A data worker broke down: {line}",
        f"{_GO_ON} With data.num_workers = 0 the trainer itself shows what it is.",
    ),
    _known(
        r"CUDA out of memory|CUDA error: out of memory|(CUBLAS|CUDNN|CUSOLVER)_STATUS_(ALLOC_FAILED|NOT_INITIALIZED)",
        OutOfMemoryError,
        "The GPU ran out of memory.",
        _GPU_MEMORY,
    ),
    _known(
        r"can't allocate memory|Cannot allocate memory",
        OutOfMemoryError,
        "The host ran out of memory.",
        _HOST_MEMORY,
    ),
    _known(
        r"device-side assert",
        CrashedError,
        "A check inside a GPU program failed (device-side assert), usually an index out of range.",
        "Start it once more with CUDA_LAUNCH_BLOCKING=1 in the environment and report the traceback in console.log.",
    ),
    _known(
        r"uncorrectable (ECC|NVLink) error|ECC error|row remapping",
        CrashedError,
        "The GPU reports a memory error that it cannot correct: {line}",
        f"Have it reset or replaced (`nvidia-smi -q -d ECC`). On another GPU, {_GO_ON}",
    ),
    _known(
        r"no CUDA-capable device|No CUDA GPUs are available|Found no NVIDIA driver|driver version is insufficient|"
        r"system not yet initialized|CUDA error: initialization error",
        NotReadyError,
        "CUDA found no GPU that it can use: {line}",
        "Check `nvidia-smi`, CUDA_VISIBLE_DEVICES and, in a container, that it was given the GPU (`--gpus all`).",
    ),
    _known(
        r"busy or unavailable",
        NotReadyError,
        "The GPU is taken by another program: {line}",
        "End that program (`nvidia-smi` names it), or choose another GPU with CUDA_VISIBLE_DEVICES.",
    ),
    _known(
        r"no kernel image is available|invalid device function|CUDA capability sm_",
        NotReadyError,
        "This build of torch (or of another library) has no programs for this GPU: {line}",
        "Install builds that are made for it (https://pytorch.org/get-started).",
    ),
    _known(
        r"illegal memory access|misaligned address|unspecified launch failure|fallen off the bus|device lost|"
        r"GPU is lost|launch timed out|CUDA error: unknown error|hardware stack error|illegal instruction",
        CrashedError,
        "The GPU or its driver broke down: {line}",
        f"Look for Xid messages (`dmesg`), restart the machine if there are any. {_GO_ON}",
    ),
)
"""In this order, since several texts can be in one message."""


def named_cause(error: BaseException, output_dir: str) -> InftError:
    """The `InftError` for whatever ended a run.

    Args:
        error: as caught at the top.
        output_dir: where checkpoints go, for a message about the disk.
    """
    text = str(error)
    if _FROM_A_WORKER.match(text):
        own = _own_error(text)
        if own is not None:
            return own
    elif isinstance(error, InftError):
        return error
    if isinstance(error, BackendCompilerFailed):
        return _of_the_compiler(error.inner_exception)
    if isinstance(error, torch.OutOfMemoryError):
        return OutOfMemoryError("The GPU ran out of memory.", _GPU_MEMORY)
    if isinstance(error, MemoryError):
        return OutOfMemoryError("The host ran out of memory.", _HOST_MEMORY)
    if isinstance(error, OSError) and error.errno == errno.EMFILE:
        return NotReadyError(
            "The trainer has more files open than it may.", "Raise `ulimit -n`, or lower data.num_workers."
        )
    if isinstance(error, OSError) and error.errno in DISK_ERRNOS:
        return disk_error(error, error.filename or output_dir)
    if isinstance(error, RuntimeError | OSError):
        for known in _KNOWN:
            found = known.text.search(text)
            if found:
                return known.make(known.message.format(line=_line_around(text, found.start())), known.fix)
    if isinstance(error, SafetensorError | RuntimeError | OSError) and _is_about_the_disk(text):
        return DiskError(
            f"Could not write {output_dir}: the disk is full or over its quota.",
            "Free space there, or point the sft.*_dir folders at another disk; earlier checkpoints are intact.",
        )
    if isinstance(error, HfHubHTTPError | LocalEntryNotFoundError | OfflineModeIsEnabled):
        # What asks for a certain repository names it (`inft.hub`); this came from inside a library.
        return HubError(
            f"A library asked the hub for something and did not get it: {first_line(error)}",
            "Check the network, HF_ENDPOINT and the login (`hf auth login`), or fetch it beforehand.",
        )
    if type(error).__module__.partition(".")[0] in TRACKER_PACKAGES.values():
        return NotReadyError(
            f"The tracking service refused the run: {first_line(error)}",
            'Log in to it on this machine, or set sft.report_to = "none".',
        )
    if isinstance(error, PermissionError):
        return disk_error(error, error.filename or output_dir)
    if isinstance(error, ImportError):
        return LibraryError(
            f"A library could not be imported: {first_line(error)}",
            "Install the training libraries of this version into this environment: `pip install 'inft-tui[train]'`; "
            "console.log has the details.",
        )
    return internal_error(error)


def _of_the_compiler(inner: BaseException) -> InftError:
    """What kept torch.compile from compiling a layer."""
    if isinstance(inner, OSError) and inner.errno in DISK_ERRNOS:
        return disk_error(inner, inner.filename or "the cache folder of compiled layers")
    if isinstance(inner, torch.OutOfMemoryError | MemoryError):
        return named_cause(inner, "")
    return LibraryError(
        f"A layer could not be compiled: {type(inner).__name__}: {first_line(inner)}",
        "Set sft.torch_compile = false, or mend what console.log says of the compiler.",
    )


def _own_error(text: str) -> InftError | None:
    """The error of ours that a data worker raised; None if it was another."""
    for line in reversed(text.splitlines()):
        name, found, said = line.partition(": ")
        module, _, cls = name.rpartition(".")
        if found and module == errors.__name__:
            kind = vars(errors).get(cls)
            return kind(said, "") if isinstance(kind, type) and issubclass(kind, InftError) else None
    return None


def _is_about_the_disk(text: str) -> bool:
    return bool(_DISK_FULL.search(text) or _FAILED_WRITE.search(text))


def _line_around(text: str, position: int) -> str:
    start = text.rfind("\n", 0, position) + 1
    return text[start:].splitlines()[0].strip()
