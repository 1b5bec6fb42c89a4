"""Driver, GPU, dtype, memory and health: what NVIDIA's driver told, judged."""

from __future__ import annotations

from inft.machine.cards import Card, Cards, Holder
from inft.readiness.check import Check, amber, green, listed, red
from inft.readiness.kernels import missing_kernels
from inft.readiness.libraries import TorchBuild
from inft.readiness.needs import Needs
from inft.runs.quantities import size

DRIVER, GPU, BF16, MEMORY, HEALTH = "driver", "gpu", "bf16", "gpu memory", "gpu health"

BF16_CAPABILITY = (8, 0)
"""Ampere; older cards emulate bf16 at a fraction of the speed."""

# What a context of CUDA and the desktop of a workstation take; below that a card counts as free.
_USUAL_BYTES = 1 << 30
_LEAST_FREE_BYTES = 1 << 30
"""A CUDA context and its libraries' workspaces alone take more than half of it."""

_HOT_C = 90.0
"""Cards slow themselves down from 83 to 95 degrees, by model."""

_MOST_NAMED = 4

_INSTALL_DRIVER = "Install NVIDIA's driver, or give the container the GPU (docker run --gpus all)."


def judge_driver(cards: Cards, torch: TorchBuild | None, needs: Needs | None) -> Check:
    """The driver, and whether the installed torch goes with it."""
    if cards.state != "answers":
        return _judge_absent_driver(cards, needs)
    version = f"Driver {cards.driver_version or 'of unknown version'}"
    if cards.cuda_version is None:
        return amber(
            DRIVER,
            f"{version} answers, and does not say which CUDA it knows.",
            "Update NVIDIA's driver if a run fails.",
        )
    known = f"{version} knows CUDA {_dotted(cards.cuda_version)}"
    if torch is None:
        return green(DRIVER, f"{known}.")
    if torch.cuda is None:
        kind = f"for ROCm {torch.rocm}" if torch.rocm else "without CUDA"
        words = f"{known}, but torch {torch.version} is built {kind} and cannot use it."
        fix = "Install a CUDA build of torch (pip install torch --index-url https://download.pytorch.org/whl/cu126)."
        return _red_if(needs, DRIVER, words, fix)
    built = f"torch {torch.version} is built for CUDA {_dotted(torch.cuda)}"
    if torch.cuda[0] > cards.cuda_version[0]:
        fix = f"Update NVIDIA's driver, or install a torch built for CUDA {cards.cuda_version[0]}."
        return _red_if(needs, DRIVER, f"{known}, and {built}, which is too new for it.", fix)
    if torch.cuda > cards.cuda_version:
        # Source: CUDA Compatibility, "Minor Version Compatibility".
        return amber(
            DRIVER,
            f"{known}, and {built}: what they share works, kernels compiled on this machine may not.",
            "Update NVIDIA's driver if a run fails with an error of CUDA.",
        )
    return green(DRIVER, f"{known}, and {built}.")


def _judge_absent_driver(cards: Cards, needs: Needs | None) -> Check:
    match cards.state:
        case "absent":
            if needs is not None and not needs.gpu:
                return green(DRIVER, "There is no NVIDIA driver here, and this profile does without.")
            return _red_if(needs, DRIVER, "There is no NVIDIA driver here.", _INSTALL_DRIVER)
        case "not_loaded":
            words, fix = "NVIDIA's driver is installed and not loaded.", "Load it (modprobe nvidia), or reboot."
        case "mismatch":
            words = "NVIDIA's library and the loaded driver are of different versions, as after an update."
            fix = "Reboot, or reload the driver; in a container, restart it."
        case "silent":
            words = "NVIDIA's driver does not answer."
            fix = "See what the kernel says of it (dmesg | grep -i nvrm); a reboot may be needed."
        case _:
            words = f"NVIDIA's driver answers an error: {cards.reason}."
            fix = "See what nvidia-smi and the kernel say (dmesg | grep -i nvrm)."
    return _red_if(needs, DRIVER, words, fix)


def is_expected(cards: Cards, needs: Needs | None) -> bool:
    """Whether torch should see a GPU here: the driver has one that works, or the profile takes one."""
    card = cards.chosen
    return (needs is not None and needs.gpu) or (card is not None and not card.lost and not card.divided)


def judge_gpu(cards: Cards, torch: TorchBuild | None, needs: Needs | None, order: str | None) -> Check:
    """Which GPU a run would use, and whether the installed torch computes on it.

    Args:
        cards: what was found.
        torch: the installed torch; None = not known.
        needs: of the profile.
        order: the environment variable CUDA_DEVICE_ORDER.
    """
    card = cards.chosen
    if card is None:
        return _judge_no_gpu(cards, needs)
    where = _which(cards)
    if card.lost:
        words = f"{where} has fallen off the bus."
        return _red_if(
            needs, GPU, words, "Reboot the machine; if it happens again, have the card and its power looked at."
        )
    if card.divided:
        words = f"{where} is in MIG mode and has no part that could be used."
        return _red_if(needs, GPU, words, "Create one (nvidia-smi mig -cgi ... -C), or turn MIG mode off.")
    if card.capability is None:
        return amber(GPU, f"{where} does not say what it is.", "See what nvidia-smi says of it; `--deep` tries it out.")
    words = f"{where}, compute capability {_dotted(card.capability)}"
    missing = None if torch is None else missing_kernels(card.capability, torch)
    if missing is not None:
        # Also a small model would be trained on this GPU, and fail at the first kernel.
        light = amber if needs is None else red
        return light(GPU, f"{words}, and {missing[0]}.", missing[1])
    lost = [_place(other) for other in cards.usable if other.lost]
    if lost:
        return amber(
            GPU,
            f"{words}; but {listed(lost)} {'has' if len(lost) == 1 else 'have'} fallen off the bus.",
            "Reboot the machine; until then name the others in CUDA_VISIBLE_DEVICES, since CUDA may not start at all.",
        )
    names = {other.name for other in cards.usable} - {None}
    if len(names) > 1 and order != "PCI_BUS_ID" and not card.is_part and not (cards.visible or "").startswith("GPU-"):
        return amber(
            GPU,
            f"{words}; but CUDA numbers unequal cards by speed, so a run may get another one.",
            "Set CUDA_DEVICE_ORDER=PCI_BUS_ID, and the one you mean in CUDA_VISIBLE_DEVICES.",
        )
    if card.is_part and len(cards.usable) == 1 and cards.visible is None and card.index is not None:
        return green(GPU, f"{words}: the first part of GPU {card.index}, which is divided (MIG).")
    return green(GPU, f"{words}.")


def _judge_no_gpu(cards: Cards, needs: Needs | None) -> Check:
    if needs is not None and not needs.gpu:
        return green(GPU, "No GPU can be used here, and this profile's small model trains on the CPU.")
    if cards.state != "answers":
        words, fix = "No GPU can be used here.", "Only the demo profiles run without one; see the driver."
    elif cards.on_machine == 0:
        words = "The driver knows no GPU here."
        fix = "Give the container one (docker run --gpus all), or see whether the system sees the card (lspci)."
    else:
        words, fix = _hidden(cards)
    return _red_if(needs, GPU, words, fix)


def _hidden(cards: Cards) -> tuple[str, str]:
    """Why CUDA_VISIBLE_DEVICES leaves none of the cards, and what to do."""
    stated = f"CUDA_VISIBLE_DEVICES={cards.visible or ''}"
    fix = "Unset it, or name one, as in CUDA_VISIBLE_DEVICES=0."
    match cards.hiding:
        case "unknown":
            first = (cards.visible or "").split(",")[0].strip()
            last = cards.on_machine - 1
            numbers = "the only one here is 0" if last == 0 else f"they are numbered from 0 to {last} here"
            return f"{stated} leaves no GPU, since {first!r} names none; {numbers}.", fix
        case "twice":
            return f"{stated} leaves no GPU, since it names one twice.", "Name each once, or unset it."
        case _:
            return f"{stated} hides all {_count(cards.on_machine)} of this machine.", fix


def judge_bf16(cards: Cards, needs: Needs | None) -> Check:
    """Whether the GPU computes in the profile's dtype."""
    card = cards.chosen
    if needs is not None and needs.dtype == "float16" and card is None:
        return red(
            BF16, "FP16 training needs a GPU for its loss scaling, and none can be used.",
            f"Run with --set {needs.dtype_key}=bfloat16.",
        )  # fmt: skip
    if card is None:
        return green(BF16, f"{_dtype(needs)} is computed on the CPU.")
    name = card.name or "The GPU"
    if needs is not None and needs.dtype != "bfloat16":
        return green(BF16, f"{name} computes in {needs.dtype}, as every GPU does.")
    if card.capability is None:
        return amber(
            BF16,
            f"{name} does not say whether it has BF16 units.",
            "Compute capability 8.0 or newer has; `--deep` tries.",
        )
    if card.capability >= BF16_CAPABILITY:
        return green(BF16, f"{name} has BF16 units.")
    words = f"{name} (compute capability {_dotted(card.capability)}) has no BF16 units, which came with 8.0."
    if needs is None:
        return amber(BF16, words, "Run with --set qlora.bnb_4bit_compute_dtype=float16.")
    return red(BF16, words, f"Run with --set {needs.dtype_key}=float16.")


def judge_memory(cards: Cards, needs: Needs | None, names: dict[int, str]) -> Check:
    """What is free on the GPU, and who has the rest.

    Args:
        cards: what was found.
        needs: of the profile.
        names: of processes, by number, as far as they can be seen from here.
    """
    card = cards.chosen
    if card is None:
        return green(MEMORY, "There is no GPU that memory could be free on.")
    if card.free_bytes is None or card.total_bytes is None:
        return amber(MEMORY, "The GPU does not say how much memory is free.", "See what nvidia-smi says of it.")
    free = f"{size(card.free_bytes)} of {size(card.total_bytes)} are free"
    used = card.total_bytes - card.free_bytes
    if used <= _USUAL_BYTES and not card.holders:
        return green(MEMORY, f"{free}.")
    held = _held(card, names)
    end = "End those programs, or use another GPU (CUDA_VISIBLE_DEVICES)."
    if card.free_bytes < _LEAST_FREE_BYTES:
        return _red_if(needs, MEMORY, f"Only {free}; {held}.", end)
    return amber(MEMORY, f"{free}; {held}.", f"{end[:-1]} if a run needs more.")


def judge_health(cards: Cards) -> Check:
    """Errors of its memory, heat and slowdowns."""
    card = cards.chosen
    if card is None:
        return green(HEALTH, "There is no GPU whose health could matter.")
    if card.repair_failed:
        return red(HEALTH, "The GPU's memory has faults that it has no spare rows left for.", "Have the card replaced.")
    if card.repair_pending:
        return amber(
            HEALTH, "Bad memory of the GPU waits to be taken out of use.", "Reset it (nvidia-smi -r), or reboot."
        )
    if card.uncorrected_errors:
        return amber(
            HEALTH,
            f"The GPU's memory had {card.uncorrected_errors:,} errors that ECC could not correct since the last reset.",
            "Reset it (nvidia-smi -r) or reboot; if they come back, have the card replaced.",
        )
    if card.slowdowns:
        return amber(
            HEALTH, f"The GPU is slowed down by {listed(card.slowdowns)}.", "See to its cooling and its power supply."
        )
    if card.temperature_c is not None and card.temperature_c >= _HOT_C:
        return amber(HEALTH, f"The GPU is at {card.temperature_c:.0f} degrees.", "See to its cooling.")
    degrees = "" if card.temperature_c is None else f" and is at {card.temperature_c:.0f} degrees"
    if card.uncorrected_errors is None and card.temperature_c is None:
        return green(HEALTH, "The GPU reports no trouble, nor much else.")
    return green(HEALTH, f"The GPU reports no errors of its memory{degrees}.")


def _red_if(needs: Needs | None, name: str, message: str, fix: str) -> Check:
    """Red for a profile that cannot do without; without a profile, or for one that can, it only deserves a look."""
    return red(name, message, fix) if needs is not None and needs.gpu else amber(name, message, fix)


def _which(cards: Cards) -> str:
    """The chosen card among the others."""
    card = cards.chosen
    assert card is not None
    name = card.name or "a GPU without a name"
    if cards.on_machine <= 1 and not card.is_part:
        return name
    number = _place(card)
    if cards.visible is not None:
        stated = f"CUDA_VISIBLE_DEVICES={cards.visible}"
        return f"{name}: {number}, the first that {stated} leaves of {_count(cards.on_machine)}"
    return f"{name}: {number} of {_count(cards.on_machine)}; a run uses one"


def _place(card: Card) -> str:
    """A card that has nothing but its number."""
    return f"GPU {card.index}" if card.index is not None else "a part of a GPU"


def _held(card: Card, names: dict[int, str]) -> str:
    assert card.total_bytes is not None
    assert card.free_bytes is not None
    if not card.holders:
        return "who has the rest cannot be seen from here"
    by_size = sorted(card.holders, key=lambda holder: -(holder.memory_bytes or 0))
    told = [_holder(holder, names) for holder in by_size[:_MOST_NAMED]]
    if len(by_size) > _MOST_NAMED:
        told.append(f"{len(by_size) - _MOST_NAMED} more")
    return f"{listed(told)} {'holds' if len(by_size) == 1 else 'hold'} the rest"


def _holder(holder: Holder, names: dict[int, str]) -> str:
    name = names.get(holder.pid)
    who = f"process {holder.pid}" if name is None else f"{name} (process {holder.pid})"
    return who if holder.memory_bytes is None else f"{who} with {size(holder.memory_bytes)}"


def _dtype(needs: Needs | None) -> str:
    return "bfloat16" if needs is None else needs.dtype


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _count(cards: int) -> str:
    return "1 GPU" if cards == 1 else f"{cards} GPUs"
