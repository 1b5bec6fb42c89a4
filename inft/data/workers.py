"""Data workers that a stop is not for: the trainer goes on to the end of its step, and needs them until then.

A scheduler, `systemctl stop` or a shutdown sends SIGTERM to every process of a run at once. A worker that ended by it
would take the step and with it the checkpoint along, since torch then raises in the trainer. Processes that compile
layers are helped in the same way.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkContext, ForkProcess
from multiprocessing.popen_fork import Popen
from multiprocessing.process import BaseProcess
from typing import Any

from torch.utils.data import DataLoader

FOR_THE_TRAINER = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP})


@contextmanager
def shielded_children() -> Iterator[None]:
    """Processes that this thread starts here never hear of those signals, nor do theirs."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, FOR_THE_TRAINER)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Ending(Popen):
    """How the trainer's side ends a worker: by the one signal that it heeds."""

    def terminate(self) -> None:
        """What torch and `multiprocessing` call for a worker that did not end by itself."""
        self.kill()


class _Worker(ForkProcess):
    """A process with those signals blocked. It ends when its loader is done, or its trainer is gone."""

    def start(self) -> None:
        """Forks with the signals blocked, as they stay in the child; torch's own handler there would heed SIGTERM."""
        with shielded_children():
            super().start()

    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Popen:  # the name that multiprocessing calls it by
        return _Ending(process_obj)


class WorkerContext(ForkContext):
    """What a `DataLoader` makes its workers by."""

    Process = _Worker


def shield_workers(loader: DataLoader[Any]) -> None:
    """Makes the workers that `loader` will start such workers; if it starts none, does nothing."""
    if loader.num_workers > 0:
        loader.multiprocessing_context = WorkerContext()
