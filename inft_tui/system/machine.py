"""All that the System screen shows of this machine, kept up to date from when it is first looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from inft.readiness.check import Check
from inft_tui.feeds.fetching import Fetched, Progress
from inft_tui.feeds.hardware_feed import HardwareFeed
from inft_tui.system.folders import DiskSight, Folder, Mount, folders_of, look_at, mounts
from inft_tui.system.host import HostLooks, HostSight
from inft_tui.system.look import GpuSight, Look, look_at_gpus, look_at_lights
from inft_tui.system.sampler import INTERVAL_S, Sampler
from inft_tui.watched import Reader
from inft_tui.worker import Worker

GPUS_S = 15.0
"""Between two looks at who is on the GPUs, each of which is a process of 0.1 s."""
NO_GPUS_S = 3600.0
"""The same where no driver is: none comes by itself."""
DISKS_S = 30.0
LIGHTS_S = 3600.0
"""Whoever has mended something asks for another look with a key."""


class Samples(Protocol):
    """A process that takes samples."""

    path: Path

    def close(self) -> None:
        """Ends it."""


@dataclass(frozen=True)
class Questions:
    """What is asked of a machine; an answer may take as long as it likes.

    Attributes:
        gpus, host, lights, disk: asked again and again, each in a thread of its own; they raise nothing.
        folders: whose disks are asked for.
        mounts: what is mounted; answers at once.
        sample: begins to take samples; raises `OSError` where that cannot be.
    """

    gpus: Callable[[], GpuSight]
    host: Callable[[], HostSight]
    lights: Callable[[], tuple[Check, ...]]
    disk: Callable[[Path], DiskSight]
    folders: Sequence[Folder]
    mounts: Callable[[], tuple[Mount, ...]]
    sample: Callable[[], Samples]


def questions_about(root: Path, logs_dir: Path) -> Questions:
    """Those about the machine that this runs on.

    Args:
        root: the project's root.
        logs_dir: the folder of runs.
    """
    return Questions(
        gpus=look_at_gpus,
        host=HostLooks().look,
        lights=lambda: look_at_lights(root),
        disk=look_at,
        folders=folders_of(root, logs_dir),
        mounts=mounts,
        sample=Sampler,
    )


class Machine:
    """A machine.

    Attributes:
        changed: called when something is new.
        wobbled: called when a figure is another one that is measured again and again.
        gpus: the GPUs and who is on them.
        host: processors and memory.
        lights: whether it is ready to train.
        folders: those that matter, each with its disk.
        mounts: what is mounted.
        own: the samples that the console has taken itself; None = none so far.
        problem: why it takes none; empty = nothing keeps it from that.

    Args:
        new_worker: makes a thread.
        worker: the thread that reads files of this machine.
        questions: about the machine.
    """

    def __init__(self, new_worker: Callable[[], Worker], worker: Worker, questions: Questions) -> None:
        self.changed: Callable[[], None] = _nothing
        self.wobbled: Callable[[], None] = _nothing
        self.own: HardwareFeed | None = None
        self.problem = ""
        self._questions = questions
        self._worker = worker
        self._samples: Samples | None = None
        self._reader: Reader[Fetched] | None = None
        self.gpus: Look[GpuSight] = Look(questions.gpus, new_worker(), _gpus_period, self._answered)
        self.host: Look[HostSight] = Look(questions.host, new_worker(), lambda _: INTERVAL_S, self._measured)
        self.lights: Look[tuple[Check, ...]] = Look(questions.lights, new_worker(), lambda _: LIGHTS_S, self._answered)
        # A thread for each: a network disk that is gone keeps only its own.
        self.folders: list[tuple[Folder, Look[DiskSight]]] = [
            (folder, Look(partial(questions.disk, folder.path), new_worker(), lambda _: DISKS_S, self._answered))
            for folder in questions.folders
        ]
        self.mounts: tuple[Mount, ...] = questions.mounts()

    @property
    def is_loaded(self) -> bool:
        """Whether all samples of its own that there were have been read."""
        return self._reader is not None and self._reader.is_loaded

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is long in coming, which is said."""
        waits = (self.gpus.waiting_s, self.lights.waiting_s, *(look.waiting_s for _, look in self.folders))
        return max(waits) > 1

    def poll(self, now: float, *, sampling: bool) -> None:
        """Looks after everything that it is time for.

        Args:
            now: seconds on a clock that only moves on.
            sampling: whether samples of its own are wanted; once begun, they go on.
        """
        for look in (self.host, self.gpus, self.lights):
            look.poll(now)
        for _, disk in self.folders:
            disk.poll(now)
        if sampling and self._samples is None and not self.problem:
            self._begin_to_sample()
        if self._reader is not None:
            self._reader.poll()

    def again(self) -> None:
        """Has everything looked at anew."""
        self.mounts = self._questions.mounts()
        for look in (self.host, self.gpus, self.lights):
            look.again()
        for _, disk in self.folders:
            disk.again()

    def close(self) -> None:
        """Ends the sampling."""
        if self._reader is not None:
            self._reader.close()
        if self._samples is not None:
            self._samples.close()

    def _begin_to_sample(self) -> None:
        try:
            self._samples = self._questions.sample()
        except OSError as error:
            self.problem = f"No samples are taken: {(error.strerror or str(error)).lower()}."
            return
        self.own = HardwareFeed(self._samples.path)
        self._reader = Reader(self.own, self._worker, self._read)

    def _read(self, progress: Progress) -> None:
        if progress.changed or progress.restarted:
            self.wobbled()

    def _answered(self) -> None:
        self.changed()

    def _measured(self) -> None:
        self.wobbled()


def _gpus_period(sight: GpuSight) -> float:
    return NO_GPUS_S if sight.cards.state in ("absent", "not_loaded") else GPUS_S


def _nothing() -> None:
    """Nobody wants to know."""
