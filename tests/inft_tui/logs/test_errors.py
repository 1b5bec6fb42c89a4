from __future__ import annotations

import pytest

from inft.runs import events
from inft.runs.narrate import narrate
from inft_tui.logs.errors import ErrorLines, is_error

ERRORS = [
    "Traceback (most recent call last):",
    "ValueError: no rows",
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
    "torch.cuda.OutOfMemoryError: CUDA out of memory.",
    "KeyboardInterrupt",
    "requests.exceptions.ConnectionError: refused",
    "[rank0]: RuntimeError: NCCL error",
    "2025-03-01 12:00:00 ERROR worker died",
    "[ERROR] cannot read",
    "CRITICAL: gone",
    "error: something",
    "x.cpp:12:3: error: expected ';'",
    "Fatal Python error: Segmentation fault",
    "RuntimeError: CUDA error: device-side assert triggered",
    "CUDA error: an illegal memory access was encountered",
    "cublas failed: CUBLAS_STATUS_ALLOC_FAILED when calling",
    "ncclUnhandledCudaError: NCCL error in: x",
    "RuntimeError: DataLoader worker (pid 1) is killed by signal: Killed.",
    "Segmentation fault (core dumped)",
    "Killed",
    "OSError: [Errno 28] No space left on device",
    "NVRM: Xid (PCI:0000:65:00): 79, GPU has fallen off the bus",
    narrate(events.alert(level="error", kind="diverged", message="The loss is not finite.", fix="")),
    narrate({**events.log(global_step=3), "nonfinite": ["loss"]}),
    narrate(events.train_end(state="failed", global_step=3)),
]
HARMLESS = [
    "",
    "mean error 0.3, 0 errors",
    "error_rate=0.1",
    "errors=ignore",
    "loss 1.2, std error/step 0.1",
    "FutureWarning: `is_gradient_checkpointing` is deprecated",
    "UserWarning: errors are raised later",
    "CUDA GPU: none; torch 2.13.0+cpu",
    "CUDA_STATUS_SUCCESS",
    "fatality rate of the corpus",
    "terrors of the night: none",
    "step 4 of 10, loss 1.2",
    "The process was not killed.",
    narrate(events.alert(level="warning", kind="x", message="Odd.", fix="")),
    narrate(events.train_end(state="finished", global_step=3)),
    narrate(events.log(global_step=3, loss=1.0)),
]


@pytest.mark.parametrize("line", ERRORS)
def test_says_that_something_went_wrong(line: str) -> None:
    assert is_error(line)
    assert list(ErrorLines().starts(b"before\n" + line.encode() + b"\nafter\n")) == [7]


@pytest.mark.parametrize("line", HARMLESS)
def test_does_not(line: str) -> None:
    assert not is_error(line)
    assert list(ErrorLines().starts(line.encode())) == []
