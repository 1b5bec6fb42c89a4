"""Samples of GPUs and host while a run lasts, as `hardware.jsonl`."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from inft.errors import DiskError
from inft.machine.gpus import GpuMeter, GpuReading
from inft.machine.host import HostMeter, HostReading
from inft.machine.nvml import NvmlLibrary
from inft.runs.clock import timestamp, utc_now
from inft.runs.directory import RunDirectory
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


def sampler(pid: int, run: RunDirectory, output_dir: Path | None, visible_gpus: str | None) -> Callable[[], Record]:
    """What takes a sample at every call.

    Args:
        pid: the trainer.
        run: its run.
        output_dir: where its checkpoints go; None = not known.
        visible_gpus: the trainer's CUDA_VISIBLE_DEVICES.
    """
    folders = {"logs": run.path} if output_dir is None else {"logs": run.path, "output": output_dir}
    host = HostMeter(pid, folders)
    gpus = GpuMeter(visible_gpus, NvmlLibrary())
    return lambda: hardware(host.read(time.monotonic()), gpus.read(), at=utc_now())


class HardwareLog:
    """Writes a sample every so often from a thread of its own.

    A driver or a network disk that hangs then holds up the samples and nothing else. A sample that the disk does not
    take is left out. The thread never keeps its process from ending.

    Args:
        path: the file.
        sample: takes one sample.
        interval_s: from one sample to the next; 0 = none at all.
    """

    def __init__(self, path: Path, sample: Callable[[], Record], interval_s: float) -> None:
        self._path = path
        self._sample = sample
        self._interval_s = interval_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hardware", daemon=True)

    def start(self) -> None:
        """Takes the first sample at once."""
        if self._interval_s > 0:
            self._thread.start()

    def stop(self, wait_s: float = 2.0) -> None:
        """Ends after the sample under way, for which it waits a moment."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(wait_s)

    def _run(self) -> None:
        log: JsonlLogger | None = None
        complained = False
        while not self._over.is_set():
            try:
                record = self._sample()
                log = log or JsonlLogger(self._path)
                log.write(record)
            except DiskError:
                pass  # the next one may find room again
            except Exception:  # noqa: BLE001  # the thread's edge: a defect here costs samples, not the run
                if not complained:
                    traceback.print_exc(file=sys.stderr)
                complained = True
            self._over.wait(self._interval_s)
        if log is not None:
            log.close()


def _rounded(figures: dict[str, object]) -> Record:
    return {key: round(value, _DIGITS) if isinstance(value, float) else value for key, value in figures.items()}
