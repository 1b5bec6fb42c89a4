"""Tries out what a run computes with, on the device that it would use: `python -P -m inft.probe [--gpu]`.

With `--gpu` it has to be a GPU.

Prints one line of JSON. `inft-tui doctor --deep` runs it with a time limit, since a broken driver may hang or crash it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

from inft.loading import quick_loading

SIZE = 1024
"""Rows and columns: enough work for a GPU's matrix units, a fraction of a second for a CPU."""

TOLERANCE = 0.02
"""Of the largest value: bf16 keeps 8 bits, and sums of a thousand products round away a little more."""

TOLERANCE_4BIT = 0.2
"""NF4 tells 16 values apart; the mean error of a product of random weights is near a tenth of its spread."""


NO_CUDA_FIX = "Install a CUDA build of torch (pip install torch --index-url https://download.pytorch.org/whl/cu126)."
NO_START_FIX = "Load the kernel's module nvidia_uvm (modprobe nvidia_uvm), which CUDA needs and nvidia-smi does not."


@dataclass(frozen=True)
class Trial:
    """One thing that was tried.

    Attributes:
        name: what.
        passed: whether the result is finite and about right.
        message: that in one sentence, with how long it took.
        fix: what to do, where that is known.
    """

    name: str
    passed: bool
    message: str
    fix: str = ""


def main(arguments: Sequence[str]) -> int:
    """The program; a library that fails to load is for whoever reads stderr and the exit code."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.environ["CUDA_VISIBLE_DEVICES"] = "0" if visible is None else visible.split(",")[0]  # the one that a run uses
    began = time.perf_counter()
    with quick_loading():
        import torch

    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    where = torch.cuda.get_device_name(0) if device.type == "cuda" else "the CPU"
    took = time.perf_counter() - began
    if device.type == "cpu" and "--gpu" in arguments:
        fix = NO_CUDA_FIX if torch.version.cuda is None else NO_START_FIX
        seen = Trial("torch", False, f"torch {torch.__version__} sees no GPU{_why_no_gpu()}.", fix)
    else:
        seen = Trial("torch", True, f"torch {torch.__version__} sees {where}, after {took:.1f} s.")
    trials = [seen, *(_tried(name, trial) for name, trial in _trials(device))]
    sys.stdout.write(json.dumps([asdict(trial) for trial in trials]) + "\n")
    return 0


def _why_no_gpu() -> str:
    """What torch says of it."""
    import torch

    try:
        torch.cuda.init()
    except (AssertionError, RuntimeError) as error:
        return f": {_first_line(error)}"
    return ""


def _trials(device: object) -> Iterator[tuple[str, Callable[[], tuple[bool, str]]]]:
    import torch

    assert isinstance(device, torch.device)

    def product() -> tuple[bool, str]:
        """In bf16, against the same in fp32 on the CPU."""
        generator = torch.Generator().manual_seed(0)
        left, right = (torch.randn(SIZE, SIZE, generator=generator).bfloat16() for _ in range(2))
        ours, exact = (left.to(device) @ right.to(device)).float().cpu(), left.float() @ right.float()
        error = float((ours - exact).abs().max() / exact.abs().max())
        return error <= TOLERANCE, f"a BF16 matrix product is off by {error:.1e}"

    def linear() -> tuple[bool, str]:
        """A 4-bit layer forward and backward, against the 16-bit one that it was made of."""
        with quick_loading():
            import bitsandbytes as bnb

        torch.manual_seed(0)
        plain = torch.nn.Linear(SIZE, SIZE, bias=False).bfloat16()
        layer = bnb.nn.Linear4bit(SIZE, SIZE, bias=False, compute_dtype=torch.bfloat16, quant_type="nf4")
        layer.load_state_dict(plain.state_dict())
        layer, plain = layer.to(device), plain.to(device)
        inputs = torch.randn(64, SIZE, dtype=torch.bfloat16, device=device)
        results = []
        for module in (layer, plain):
            own = inputs.clone().requires_grad_()
            output = module(own)
            output.float().square().mean().backward()
            assert own.grad is not None
            results.append((output.detach().float(), own.grad.float()))
        errors = [float((a - b).norm() / b.norm()) for a, b in zip(*results, strict=True)]
        words = (
            f"a 4-bit layer of bitsandbytes {bnb.__version__} is {100 * errors[0]:.0f} % off the 16-bit one "
            f"forward and {100 * errors[1]:.0f} % backward, as 4 bits are ({100 * TOLERANCE_4BIT:.0f} % are allowed)"
        )
        return all(error <= TOLERANCE_4BIT for error in errors), words

    yield "bf16 product", product
    yield "4-bit linear", linear


def _tried(name: str, trial: Callable[[], tuple[bool, str]]) -> Trial:
    began = time.perf_counter()
    try:
        passed, words = trial()
    except Exception as error:  # noqa: BLE001 - the process's edge: whatever a driver or a library raises is the result
        return Trial(name, False, f"It failed: {type(error).__name__}: {_first_line(error)}.")
    return Trial(name, passed, f"{words[:1].upper()}{words[1:]}, in {time.perf_counter() - began:.2f} s.")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0].rstrip(".")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
