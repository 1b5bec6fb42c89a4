"""A campaign of random faults against a run: `python -m benchmarks.faults --faults 200 --seed 1 --jobs 2`.

Every fault befalls a run of its own with the real supervisor, trainer process, callbacks, checkpoints and resume, and a
model so small that a run takes a second (`fault_campaign.trainer`). What can happen is drawn from the seed
(`fault_campaign.kinds`), is done by `fault_campaign.scenario`, and what is left is compared with what must be true
(`fault_campaign.check`). Many of the runs are then resumed, and their curves and final weights have to equal the
undisturbed run's to the bit.

Prints one JSON object: how many faults of which kind, and how many lines were lost, states wrongly reported,
checkpoints lost, curves off, processes orphaned. Exits with 1 if any was; what was found goes to stderr, with the seed
of the fault, which `--replay SEED` does again.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import torch

from benchmarks.fault_campaign.kernel import adopt_orphans, mounting_is_allowed
from benchmarks.fault_campaign.kinds import Fault, draw
from benchmarks.fault_campaign.scenario import Reference, Result, befall, undisturbed
from benchmarks.fault_campaign.trainer import make_small
from inft.runs import condition

COUNTED = ("lines_lost", "wrongly_reported", "checkpoints_lost", "curves_off", "orphans", "others")
GRACE_S = 1.0
LONGEST_FAULT_S = 150


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--faults", type=int, default=200, help="how many (200)")
    parser.add_argument("--seed", type=int, default=1, help="draws all of them (1)")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (2)")
    parser.add_argument("--replay", metavar="SEED", help="only the fault of this seed, as a finding names it")
    parser.add_argument("--keep", action="store_true", help="leave the runs' folders where they are")
    arguments = parser.parse_args()
    seeds = [arguments.replay] if arguments.replay else [f"{arguments.seed}-{n}" for n in range(arguments.faults)]
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="inft-faults-"))
    try:
        results = campaign([draw(seed) for seed in seeds], arguments.jobs, folder)
    finally:
        if arguments.keep:
            print(f"The runs are in {folder}.", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    report = summary(results, arguments.seed)
    report["seconds"] = round(time.monotonic() - began, 1)
    print(json.dumps(report))
    return int(any(report[name] for name in (*COUNTED, "broken")))


def campaign(faults: list[Fault], jobs: int, folder: Path) -> list[dict[str, Any]]:
    """What came of each of the faults."""
    torch.set_num_threads(1)  # a fork has only the thread that forked, and a pool without its threads hangs
    adopt_orphans()
    may_mount = mounting_is_allowed()
    results: list[dict[str, Any]] = []
    running: list[Scenario] = []
    waiting = iter(faults)
    reference = _undisturbed(folder / "undisturbed")
    while True:
        while len(running) < jobs and (fault := next(waiting, None)) is not None:
            if fault.small_disks and not may_mount:
                results.append({"seed": fault.seed, "kind": fault.kind, "skipped": True})
            else:
                running.append(Scenario(partial(befall, fault, reference, folder / fault.seed), fault))
        if not running:
            return results
        select.select([scenario.pipe for scenario in running], [], [], 1.0)
        for scenario in [scenario for scenario in running if scenario.has_ended()]:
            running.remove(scenario)
            _bury({scenario.pid for scenario in running})
            results.append(_tell(scenario.fault, scenario.told))
            if not list(_problems(results[-1])):
                shutil.rmtree(folder / scenario.fault.seed, ignore_errors=True)


class Scenario:
    """Work in a process of its own, which tells its result as JSON.

    Args:
        work: makes a dataclass.
        fault: what it is about.
    """

    def __init__(self, work: Callable[[], Result | Reference], fault: Fault) -> None:
        self.fault = fault
        self.told = b""
        self.pipe, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _work(work, writing)
        os.close(writing)
        os.set_blocking(self.pipe, False)

    def has_ended(self) -> bool:
        """Whether the process is gone, and all that it told is in `told`."""
        # Not at the pipe's end: a process of the run that outlives all this would hold it open.
        pid, _ = os.waitpid(self.pid, os.WNOHANG)
        with suppress(BlockingIOError):
            while data := os.read(self.pipe, 1 << 16):
                self.told += data
        if pid:
            os.close(self.pipe)
        return bool(pid)


def _work(work: Callable[[], Result | Reference], pipe: int) -> NoReturn:
    """What a scenario's process does."""
    try:
        os.setsid()
        signal.alarm(LONGEST_FAULT_S)
        adopt_orphans()
        condition.START_GRACE_S = GRACE_S
        make_small()
        try:
            told = asdict(work())
        except BaseException:  # noqa: BLE001  # a process's edge
            told = {"broken": traceback.format_exc()}
        with os.fdopen(pipe, "w") as file:
            json.dump(told, file)
    finally:
        os._exit(0)


def _bury(mine: set[int]) -> None:
    """Ends what scenarios that were given up have left running: it has come to this process, see `adopt_orphans`."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    for pid in {int(child) for child in children} - mine:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def summary(results: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    """The report without its seconds."""
    done = [result for result in results if "findings" in result]
    counts = {name: sum(len(result["findings"][name]) for result in done) for name in COUNTED}
    return {
        "benchmark": "faults",
        "seed": seed,
        "faults": len(done),
        "by_kind": dict(sorted(Counter(result["kind"] for result in done).items())),
        "resumed": sum(result["resumed"] for result in done),
        "without_effect": sum(not result["happened"] for result in done),
        "skipped": sum("skipped" in result for result in results),
        "broken": sum("broken" in result for result in results),
        **counts,
    }


def _undisturbed(root: Path) -> Reference:
    scenario = Scenario(partial(undisturbed, root), Fault("undisturbed", "none"))
    while not scenario.has_ended():
        time.sleep(0.02)
    told = json.loads(scenario.told)
    if "broken" in told:
        raise SystemExit(told["broken"])
    curve = {int(step): tuple(figures) for step, figures in told["curve"].items()}
    return Reference(curve, told["weights"], told["operations"])


def _tell(fault: Fault, content: bytes) -> dict[str, Any]:
    """The result of a fault; findings are said at once."""
    result: dict[str, Any] = {"seed": fault.seed, "kind": fault.kind, "broken": "It took too long, or was killed."}
    with suppress(ValueError):
        result = {"seed": fault.seed, "kind": fault.kind, **json.loads(content)}
    for line in _problems(result):
        print(f"{fault.seed} ({fault.kind}): {line}", file=sys.stderr)
    if list(_problems(result)):
        print(f"  {fault}\n  again: python -m benchmarks.faults --replay {fault.seed} --keep", file=sys.stderr)
    return result


def _problems(result: dict[str, Any]) -> Iterator[str]:
    if "broken" in result:
        yield f"the campaign itself broke: {result['broken']}"
    for name, texts in result.get("findings", {}).items():
        for text in texts:
            yield f"{name}: {text}"


if __name__ == "__main__":
    sys.exit(main())
