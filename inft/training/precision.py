"""Whether this machine can compute in the run's dtype, and what it is."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from inft.config import Config
from inft.errors import NotReadyError
from inft.models.kernels import why_not_compiled, why_not_padding_free
from inft.params import DtypeName


@dataclass(frozen=True)
class Machine:
    """What a run computes on.

    Attributes:
        device: where the model goes.
        gpu_name: None without a GPU.
        bf16: whether the GPU multiplies in bf16 by itself; true on a CPU, where torch does.
        torch_version: of the installed build.
        cuda_build: CUDA version that torch was built for; None for a CPU build.
    """

    device: torch.device
    gpu_name: str | None
    bf16: bool
    torch_version: str
    cuda_build: str | None

    @property
    def on_gpu(self) -> bool:
        """Whether there is a GPU to use."""
        return self.gpu_name is not None

    def text(self) -> str:
        """One line, as the guide's scripts print it."""
        gpu = self.gpu_name or "none"
        bf16 = "yes" if self.bf16 else "no"
        return f"CUDA GPU: {gpu}; torch {self.torch_version}, CUDA build {self.cuda_build or 'none'}; BF16: {bf16}"


def use_one_gpu() -> None:
    """Keeps a run to the first of the visible GPUs; has to come before CUDA is first used.

    Left to itself, the Trainer would spread a batch over all of them with `nn.DataParallel`, which TRL refuses.

    Raises:
        NotReadyError: the process was started by torchrun as one of several.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise NotReadyError(
            "A run of several processes was asked for (WORLD_SIZE), and a run uses one GPU so far.",
            "Start it without torchrun.",
        )
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.environ["CUDA_VISIBLE_DEVICES"] = "0" if visible is None else visible.split(",")[0]


def this_machine() -> Machine:
    """The first visible GPU, or the CPU."""
    cuda = torch.cuda.is_available()
    return Machine(
        device=torch.device("cuda", 0) if cuda else torch.device("cpu"),
        gpu_name=torch.cuda.get_device_name(0) if cuda else None,
        bf16=torch.cuda.is_bf16_supported(including_emulation=False) if cuda else True,
        torch_version=torch.__version__,
        cuda_build=torch.version.cuda,
    )


def check_precision(dtype: DtypeName, machine: Machine) -> None:
    """Refuses what would be wrong or crawl.

    Raises:
        NotReadyError: bf16 on a GPU that only emulates it, or fp16 without a GPU.
    """
    if dtype == "bfloat16" and not machine.bf16:
        raise NotReadyError(
            f"{machine.gpu_name} has no BF16 units (compute capability 8.0 or newer has).",
            'Set qlora.bnb_4bit_compute_dtype = "float16".',
        )
    if dtype == "float16" and not machine.on_gpu:
        raise NotReadyError(
            "FP16 training needs a CUDA GPU for its loss scaling, and none is visible.",
            'Set qlora.bnb_4bit_compute_dtype = "bfloat16".',
        )


def check_fast_path(config: Config, machine: Machine) -> None:
    """Refuses `sft.padding_free` and `sft.torch_compile` where they cannot work.

    Raises:
        NotReadyError: the GPU, the dtype or what is installed rules them out.
    """
    capability = torch.cuda.get_device_capability(machine.device) if machine.on_gpu else None
    if config.sft.padding_free:
        reason = why_not_padding_free(capability, config.compute_dtype)
        if reason is not None:
            fix = "Set sft.padding_free = false and sft.torch_compile = false."
            raise NotReadyError(f"sft.padding_free cannot be used: {reason}.", fix)
    if config.sft.torch_compile:
        reason = why_not_compiled(on_gpu=machine.on_gpu)
        if reason is not None:
            raise NotReadyError(
                f"sft.torch_compile cannot be used: {reason}.", "Install it, or set sft.torch_compile = false."
            )
