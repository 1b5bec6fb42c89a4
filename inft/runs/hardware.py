"""Samples of GPUs and host while a run lasts, as `hardware.jsonl`.

    python -P -m inft.runs.hardware TRAINER_PID INTERVAL_S HARDWARE_JSONL [OUTPUT_DIRECTORY]

This is a process of its own. NVIDIA's library takes as much memory as the whole supervisor, and a process with a thread
that a driver holds in the kernel cannot end, not even by SIGKILL. It ends as soon as its stdin is closed, which the
kernel does where its parent could not.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from inft.errors import DiskError
from inft.machine.gpus import GpuMeter, GpuReading
from inft.machine.host import HostMeter, HostReading
from inft.runs.clock import timestamp, utc_now
from inft.runs.jsonl import JsonlLogger, Record

_DIGITS = 3
"""After the point: a MiB of memory, a tenth of a percent of a core; more would only be noise on disk."""


def hardware(host: HostReading, gpus: Sequence[GpuReading], *, at: datetime) -> Record:
    """One line of `hardware.jsonl`.

    The host's figures stand at the top level, each with its unit in its name; `<name>_disk_free_gib` is there for every
    disk asked about. `gpus` has one object per GPU.
    """
    figures = {key: value for key, value in asdict(host).items() if key != "disk_free_gib"}
    disks = {f"{name}_disk_free_gib": free for name, free in host.disk_free_gib.items()}
    return {
        "ts": timestamp(at),
        "event": "hardware",
        **_rounded({**figures, **disks}),
        "gpus": [_rounded(asdict(gpu)) for gpu in gpus],
    }


def sampler(pid: int, folders: dict[str, Path], visible_gpus: str | None) -> Callable[[], Record]:
    """What takes a sample at every call.

    Args:
        pid: the trainer.
        folders: by a name each, the folders whose disks matter.
        visible_gpus: the trainer's CUDA_VISIBLE_DEVICES.
    """
    host, gpus = HostMeter(pid, folders), GpuMeter(visible_gpus)
    return lambda: hardware(host.read(time.monotonic()), gpus.read(), at=utc_now())


def write_samples(
    path: Path, sample: Callable[[], Record], interval_s: float, is_over: Callable[[float], bool]
) -> None:
    """Writes the first sample at once, and one after every interval.

    A sample that the disk does not take is left out. A defect is told once, on stderr, and costs its samples only.

    Args:
        path: the file.
        sample: takes one sample.
        interval_s: seconds from one sample to the next.
        is_over: waits so many seconds, or for the end of the samples if that comes first, and says whether it has come.
    """
    log: JsonlLogger | None = None
    complained = False
    pause_s = 0.0
    while not is_over(pause_s):
        pause_s = interval_s
        try:
            record = sample()
            log = log or JsonlLogger(path)
            log.write(record)
        except DiskError:
            pass  # the next one may find room again
        except Exception:  # noqa: BLE001  # the process's edge: what failed once may work later
            if not complained:
                traceback.print_exc()
            complained = True


def _rounded(figures: dict[str, object]) -> Record:
    return {key: round(value, _DIGITS) if isinstance(value, float) else value for key, value in figures.items()}


def _is_stdin_closed(timeout_s: float) -> bool:
    ready, _, _ = select.select([sys.stdin], [], [], timeout_s)
    return bool(ready)  # nobody writes to it


def main() -> None:
    """The process that takes the samples."""
    # A machine that shuts down tells every process; the trainer may go on for minutes, which are worth seeing.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    pid, interval_s, path, *output_dir = sys.argv[1:]
    folders = dict(zip(("logs", "output"), (Path(path).parent, *map(Path, output_dir)), strict=False))
    sample = sampler(int(pid), folders, os.environ.get("CUDA_VISIBLE_DEVICES"))
    write_samples(Path(path), sample, float(interval_s), _is_stdin_closed)


if __name__ == "__main__":
    main()
