"""The trainer's small parts, each by itself."""

from __future__ import annotations

import errno

import pytest
import torch
from huggingface_hub.errors import OfflineModeIsEnabled
from safetensors import SafetensorError
from torch import nn
from torch._inductor.exc import InductorError
from torch._utils import ExceptionWrapper

from inft.errors import ConfigError, DataError, ExitCode, InftError
from inft.forecast.flops import BatchContent
from inft.models.registry import FAMILIES
from inft.training.callbacks import GradientGuard, gradient_norms
from inft.training.failures import named_cause
from inft.training.meter import StepMeter
from inft.training.stopwatch import Mark, Part, Stopwatch


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Device:
    """Does what it is given some time after it was asked to."""

    def __init__(self, clock: Clock, behind: float = 0.0) -> None:
        self.clock, self.behind = clock, behind

    def mark(self) -> DeviceMark:
        return DeviceMark(self, self.clock.now + self.behind)


class DeviceMark:
    def __init__(self, device: Device, at: float) -> None:
        self.device, self.at = device, at

    def is_past(self) -> bool:
        return self.device.clock.now >= self.at

    def wait(self) -> None:
        self.device.clock.now = max(self.device.clock.now, self.at)

    def seconds_until(self, later: Mark) -> float:
        assert isinstance(later, DeviceMark)
        assert self.is_past()
        assert later.is_past()
        return later.at - self.at


def test_the_meter_tells_waiting_from_computing_and_leaves_out_pauses() -> None:
    clock = Clock()
    device = Device(clock)
    meter = StepMeter(
        Stopwatch(device.mark), flop=lambda content: 1e12 * content.tokens, matrix_rate=400e12, clock=clock
    )
    content = BatchContent(lengths=(60, 40, 70, 30), tiles=4, supervised=20)

    def spend(part: Part, seconds: float) -> None:
        meter.begin(part)
        clock.now += seconds

    for _ in range(2):
        spend("data", 1.0)
        meter.batches([content, content])
        for _ in range(2):
            spend("forward", 0.4)
            spend("backward", 0.8)
        spend("optimizer", 0.5)
        meter.step()
        clock.now += 0.1  # the log
    clock.now += 10.0  # an evaluation
    meter.pause(10.0)
    figures = meter.take()
    assert figures is not None
    assert (figures.step_time_sec, figures.data_sec, figures.compute_sec) == pytest.approx((4.0, 1.0, 3.0))
    parts = (figures.forward_sec, figures.backward_sec, figures.optimizer_sec)
    assert parts == pytest.approx((0.8, 1.6, 0.5))
    assert (figures.samples_per_sec, figures.tokens_per_sec, figures.supervised_tokens) == pytest.approx((2, 100, 80))
    assert (figures.model_tflops_per_sec, figures.mfu) == pytest.approx((100, 0.25))
    assert meter.take() is None


def test_the_stopwatch_waits_for_the_device_only_when_it_is_read() -> None:
    clock = Clock()
    device = Device(clock, behind=5.0)
    stopwatch = Stopwatch(device.mark)
    stopwatch.begin("backward", after="forward")  # nothing goes forward
    stopwatch.begin("forward")
    clock.now += 1.0
    stopwatch.begin("backward", after="forward")
    clock.now += 2.0
    stopwatch.begin("data")
    assert clock.now == 3.0
    seconds = stopwatch.take()
    assert clock.now == 8.0
    assert (seconds["forward"], seconds["backward"], seconds["data"]) == (1.0, 2.0, 0.0)
    again = stopwatch.take()
    assert again["forward"] == again["backward"] == 0.0, "what was read is counted again"


def from_a_worker(error: Exception) -> BaseException:
    """The exception that torch raises in the trainer for `error` in a data worker."""
    try:
        raise error
    except type(error):
        wrapped = ExceptionWrapper(where="in DataLoader worker process 0")
    with pytest.raises(Exception, match="Caught") as again:
        wrapped.reraise()
    return again.value


class UsageError(Exception):
    """As wandb raises it without a login."""


UsageError.__module__ = "wandb.errors.errors"


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), ExitCode.OUT_OF_MEMORY, "GPU"),
        (MemoryError(), ExitCode.OUT_OF_MEMORY, "host"),
        (OSError(errno.ENOSPC, "No space left on device", "x"), ExitCode.DISK, "no space left"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), ExitCode.DISK, "quota"),
        (SafetensorError("I/O error: No space left on device (os error 28)"), ExitCode.DISK, "disk is full"),
        (RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0"), ExitCode.DISK, "disk"),
        (OSError(errno.EMFILE, "Too many open files"), ExitCode.NOT_READY, "files open"),
        (InductorError(OSError(errno.ENOSPC, "No space left on device"), None), ExitCode.DISK, "compiled layers"),
        (InductorError(torch.OutOfMemoryError("CUDA out of memory"), None), ExitCode.OUT_OF_MEMORY, "GPU"),
        (InductorError(RuntimeError("No C++ compiler"), None), ExitCode.NOT_READY, "could not be compiled"),
        (ModuleNotFoundError("No module named 'peft'"), ExitCode.NOT_READY, "peft"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), ExitCode.OUT_OF_MEMORY, "killed"),
        (
            RuntimeError(
                "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's workers "
                "are out of shared memory. Please try to raise your shared memory limit."
            ),
            ExitCode.OUT_OF_MEMORY,
            "/dev/shm",
        ),
        (
            RuntimeError("unable to write to file </torch_81_1>: No space left on device (28) shared memory(shm)"),
            ExitCode.OUT_OF_MEMORY,
            "/dev/shm",
        ),
        (RuntimeError("DataLoader worker (pid(s) 7, 8) exited unexpectedly"), ExitCode.INTERNAL, "pid(s) 7, 8"),
        (
            RuntimeError("DataLoader worker (pid 7) is killed by signal: Segmentation fault. "),
            ExitCode.INTERNAL,
            "Segmentation fault",
        ),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors ..."), ExitCode.OUT_OF_MEMORY, "GPU"),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
            ExitCode.OUT_OF_MEMORY,
            "GPU",
        ),
        (RuntimeError("CUDA error: device-side assert triggered"), ExitCode.INTERNAL, "index out of range"),
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), ExitCode.INTERNAL, "memory error"),
        (RuntimeError("No CUDA GPUs are available"), ExitCode.NOT_READY, "no GPU"),
        (RuntimeError("Found no NVIDIA driver on your system. Please check"), ExitCode.NOT_READY, "NVIDIA driver"),
        (
            RuntimeError("CUDA error: CUDA-capable device(s) is/are busy or unavailable"),
            ExitCode.NOT_READY,
            "another program",
        ),
        (RuntimeError("CUDA error: no kernel image is available for execution"), ExitCode.NOT_READY, "this build"),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), ExitCode.INTERNAL, "broke down"),
        (OfflineModeIsEnabled("Cannot reach https://hub: offline mode is enabled."), ExitCode.HUB, "offline mode"),
        (from_a_worker(DataError("100 rows cannot be used.", "Mend them.")), ExitCode.DATA, "100 rows"),
        (from_a_worker(MemoryError()), ExitCode.OUT_OF_MEMORY, "host"),
        (from_a_worker(OSError(28, "No space left on device")), ExitCode.DISK, "disk is full"),
        (ConfigError("a", "b"), ExitCode.USAGE, "a"),
        (UsageError("api_key not configured (no-tty)"), ExitCode.NOT_READY, "api_key not configured"),
        (ZeroDivisionError("division by zero"), ExitCode.INTERNAL, "ZeroDivisionError"),
        (RuntimeError("shape mismatch"), ExitCode.INTERNAL, "shape mismatch"),
    ],
)
def test_a_librarys_exception_gets_a_name(error: BaseException, code: ExitCode, says: str) -> None:
    cause = named_cause(error, "/out")
    assert cause.exit_code == code
    assert says.lower() in cause.message.lower()
    assert cause.fix or "Mend them" in cause.message


class Adapted(nn.Module):
    """Stands for a PEFT model: a parameter in the language model and one in the vision tower."""

    def __init__(self) -> None:
        super().__init__()
        self.base_model = nn.Module()
        self.base_model.model = nn.Module()
        self.base_model.model.model = nn.Module()
        inner = self.base_model.model.model
        inner.language_model = nn.Linear(2, 2, bias=False)
        inner.vision_tower = nn.Linear(2, 2, bias=False)
        self.language, self.vision = inner.language_model, inner.vision_tower


def test_a_part_without_gradient_is_named() -> None:
    model = Adapted()
    model.language(torch.ones(1, 2)).sum().backward()
    assert gradient_norms(model, FAMILIES["aya"]) == {"language": 2.0, "vision": 0.0}
    with pytest.raises(InftError, match="vision adapters"):
        GradientGuard(FAMILIES["aya"]).on_pre_optimizer_step(None, None, None, model=model)  # type: ignore[arg-type]


def test_parts_with_gradients_pass_and_are_looked_at_once() -> None:
    model = Adapted()
    (model.language(torch.ones(1, 2)) + model.vision(torch.ones(1, 2))).sum().backward()
    guard = GradientGuard(FAMILIES["aya"])
    guard.on_pre_optimizer_step(None, None, None, model=model)  # type: ignore[arg-type]
    model.zero_grad()
    guard.on_pre_optimizer_step(None, None, None, model=model)  # type: ignore[arg-type]


def test_a_frozen_part_needs_no_gradient() -> None:
    model = Adapted()
    model.vision.requires_grad_(False)
    model.language(torch.ones(1, 2)).sum().backward()
    assert gradient_norms(model, FAMILIES["aya"]) == {"language": 2.0}
