"""Data workers end when their loader is done with them, and by nothing that is meant for the trainer."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest
from torch.utils.data import DataLoader, Dataset

from inft.data.workers import FOR_THE_TRAINER, WorkerContext, shield_workers


class Rows(Dataset[int]):
    """Three rows, of which the last one hangs, as on a network disk that is gone."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, number: int) -> int:
        if number == 2:
            time.sleep(60)
        return number


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("number", sorted(FOR_THE_TRAINER))
def test_a_worker_outlives_what_is_meant_for_the_trainer(number: signal.Signals) -> None:
    loader = DataLoader(Rows(), batch_size=None, num_workers=2, prefetch_factor=1)
    shield_workers(loader)
    before = {child.pid for child in psutil.Process().children()}
    batches = iter(loader)
    workers = {child.pid for child in psutil.Process().children()} - before
    assert len(workers) == 2
    assert next(batches) == 0  # torch's own handlers are in place by now
    for pid in workers:
        os.kill(pid, number)
    assert next(batches) == 1
    time.sleep(0.3)
    assert all(alive(pid) for pid in workers)
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & FOR_THE_TRAINER, "the trainer itself listens"
    began = time.monotonic()
    del batches  # one of the two hangs, and torch waits 5 seconds for it
    assert time.monotonic() - began < 10
    assert not any(alive(pid) for pid in workers)


def test_what_ends_a_worker_by_force_does_end_it() -> None:
    worker = WorkerContext().Process(target=time.sleep, args=(60,), daemon=True)
    worker.start()
    worker.terminate()
    worker.join(5)
    assert worker.exitcode == -signal.SIGKILL


def test_a_loader_without_workers_is_left_alone() -> None:
    loader = DataLoader(Rows(), batch_size=None, num_workers=0)
    shield_workers(loader)
    assert next(iter(loader)) == 0
