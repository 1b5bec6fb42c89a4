"""One fault from beginning to end: start a run, let the fault befall it, look, and go on with what is left of it."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import msgspec
import torch

from benchmarks.fault_campaign.check import (
    Findings,
    Told,
    check_checkpoints,
    check_curve,
    check_end,
    check_followed,
    check_lines,
    check_stop,
    curve,
)
from benchmarks.fault_campaign.disks import Disks, fill, protect
from benchmarks.fault_campaign.kinds import (
    Ask,
    Damage,
    Deed,
    Fault,
    Fill,
    Moment,
    Place,
    Protect,
    Scribble,
    Signal,
    Who,
)
from benchmarks.fault_campaign.processes import Launched, is_running, launch
from inft.errors import InftError
from inft.profiles import resolve, to_toml
from inft.runs import condition as verdict
from inft.runs import control
from inft.runs.checkpoints import MANIFEST, newest
from inft.runs.condition import Condition
from inft.runs.directory import Origin, RunDirectory, create_run
from inft.runs.inspect import inspect
from inft.runs.locks import OutputLocks
from inft.runs.resume import prepare

STEPS = 40
KEEP = 2
SETTINGS = (
    "basic.model_source=tiny",
    "basic.dtype=float32",
    "basic.stop_ask_sec=0.5",
    "basic.stop_term_sec=5",
    "basic.hardware_interval_sec=0.3",
    "qlora.load_in_4bit=false",
    "data.batch_size=2",
    "data.num_workers=0",
    "sft.gradient_accumulation_steps=2",
    "sft.gradient_checkpointing=false",
    "sft.warmup_ratio=0.1",
    "sft.lr=0.05",
    f"sft.max_steps={STEPS}",
    "sft.logging_steps=2",
    "sft.save_steps=8",
    f"sft.save_total_limit={KEEP}",
)
PROFILE = 'family = "aya"\nmode = "basic"\ndescription = "For faults"\n\n[data]\nsource = "demo"\n'

LONGEST_S = 40.0
HEARD_WITHIN_S = 1.5
"""A request must be honoured within this time and a step."""


@dataclass(frozen=True)
class Reference:
    """What an undisturbed run does.

    Attributes:
        curve: see `fault_check.curve`.
        weights: the final ones.
        operations: see `fault_processes.launch`.
    """

    curve: dict[int, tuple[float, ...]]
    weights: dict[str, list[float]]
    operations: dict[str, int]


@dataclass
class Result:
    """What came of one fault."""

    seed: str
    kind: str
    findings: Findings
    resumed: bool = False
    happened: bool = True
    seconds: float = 0.0


class Home:
    """A project of a fault's own.

    Args:
        root: its folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.outputs = root / "outputs"
        self.logs = root / "logs"
        self.best = root / "outputs" / "best"
        self.checkpoints = root / "outputs" / "checkpoints"
        for folder in (root / "profiles", self.outputs, self.logs):
            folder.mkdir(parents=True)
        (root / "profiles" / "small.toml").write_text(PROFILE, encoding="utf-8")
        os.environ["INFT_HOME"] = str(root)

    def place(self, place: Place) -> Path:
        """The folder of that name."""
        return self.root / place

    def create(self, fault: Fault) -> RunDirectory:
        """A run that has not begun."""
        folders = ("sft.aya_output_dir=outputs/checkpoints", "sft.aya_best_model_dir=outputs/best")
        config = resolve("small", [*SETTINGS, *folders, f"basic.stall_sec={fault.stall_sec}"]).config
        return create_run(config, to_toml(config), argv=["faults"])


def undisturbed(root: Path) -> Reference:
    """The run that all others are compared with."""
    home = Home(root)
    watch = Watch(home, home.create(Fault("reference", "none")), Fault("reference", "none"), {"all": 0, "renames": 0})
    findings = Findings()
    watch.to_end(findings)
    watch.check(findings, damaged=None)
    problems = [text for texts in vars(findings).values() for text in texts]
    if problems or watch.told.exit_code != 0:
        raise AssertionError("The undisturbed run is not what it should be:\n" + "\n".join(problems))
    return Reference(curve(watch.run), weights_in(home), watch.told.operations)


def befall(fault: Fault, reference: Reference, root: Path) -> Result:
    """Lets a fault happen; call it in a process that is there for nothing else."""
    began = time.monotonic()
    findings = Findings()
    result = Result(fault.seed, fault.kind, findings)
    home = Home(root)
    disks = Disks([home.place(place) for place in fault.small_disks])
    first = Watch(home, home.create(fault), fault, reference.operations)
    first.to_end(findings)
    disks.restore()
    damaged = damage_newest(first.run, home, fault.damage) if fault.damage is not None else None
    first.check(findings, damaged=damaged)
    check_curve(first.run, reference.curve, findings)
    if inspect(first.run).state == "finished":
        compare_weights(home, reference, findings)
    else:
        result.resumed = go_on(first, reference, findings, damaged)
    result.happened = first.told.exit_code != 0 or first.happened
    result.seconds = time.monotonic() - began
    return result


def go_on(first: Watch, reference: Reference, findings: Findings, damaged: Path | None) -> bool:
    """Resumes a run, without any fault, and compares what comes of it."""
    home = first.home
    try:
        resumption = prepare(first.run)
    except InftError as error:
        found = newest(home.checkpoints, [first.run.run_id])
        if found is not None:
            findings.others.append(f"{first.run.run_id} cannot be resumed from step {found.step}: {error}")
        return False
    calm = Fault(first.fault.seed, "none")
    origin: Origin = resumption.origin
    run = create_run(resumption.config, to_toml(resumption.config), argv=["faults"], origin=origin)
    second = Watch(home, run, calm, reference.operations)
    second.to_end(findings)
    second.check(findings, damaged=damaged, before=first.run)
    check_curve(run, reference.curve, findings)
    after = {step for step in reference.curve if step > resumption.checkpoint.step}
    if missing := after - set(curve(run)):
        findings.curves_off.append(f"{run.run_id} never logged the steps {sorted(missing)}")
    compare_weights(home, reference, findings)
    return True


class Watch:
    """A run with what befalls it.

    Args:
        home: where.
        run: the run.
        fault: what befalls it.
        operations: see `fault_processes.launch`.
    """

    def __init__(self, home: Home, run: RunDirectory, fault: Fault, operations: dict[str, int]) -> None:
        self.home, self.run, self.fault, self.told = home, run, fault, Told()
        self.happened = fault.trap is not None or fault.file_limit is not None or bool(fault.clock_jump_s)
        self._operations = operations
        self._due = list(fault.deeds)
        self._marks: dict[tuple[str, int], float] = {}
        self._continue: list[tuple[float, list[int]]] = []
        self._asked_stop: float | None = None
        self._ended: dict[int, int] = {}
        self._partial = b""
        self._silent_since: float | None = None
        self._paused_since: float | None = None

    def to_end(self, findings: Findings) -> None:
        """Until none of its processes is left."""
        luck = random.Random(self.fault.seed)
        self._launched = self._launch()
        began = time.monotonic()
        self._marks["start", 0] = began
        while True:
            self._listen()
            self._act()
            if luck.random() < 0.1:
                self._look(findings)
            if not self._collect():
                break
            if time.monotonic() - began > LONGEST_S:
                self._give_up(findings)
                break
            time.sleep(0.002)
        self._listen()

    def check(self, findings: Findings, *, damaged: Path | None, before: RunDirectory | None = None) -> None:
        """What it left behind."""
        check_lines(self.run, self.told, findings)
        with os.fdopen(self._launched.seen, "rb") as pipe:
            seen = pipe.read()
        if seen:
            check_followed(self.run, msgspec.json.decode(seen), findings)
        elif not self._may_be_dead("follower"):
            findings.others.append(f"{self.run.run_id}: its follower ended with {self._ended}: {self._log('follower')}")
        condition = self._condition_of_the_end()
        check_end(self.run, self.fault, self.told, condition, findings)
        runs = [self.run] if before is None else [before, self.run]
        check_checkpoints(runs, self.home.checkpoints, KEEP, findings, damaged=damaged)
        if damaged is None:
            check_stop(self.run, self.home.checkpoints, findings)
        if self._log("supervisor") and not self.fault.spoils_disk:
            findings.others.append(f"{self.run.run_id}: its supervisor complains: {self._log('supervisor')}")
        if not self._are_folders_free():
            findings.orphans.append(f"{self.run.run_id}: its folders are still locked")
        self._check_requests(findings)

    def _launch(self) -> Launched:
        return launch(self.run, self.fault, self._operations, [self.home.checkpoints, self.home.best])

    def _listen(self) -> None:
        with suppress(BlockingIOError):
            while data := os.read(self._launched.told, 1 << 16):
                *lines, self._partial = (self._partial + data).split(b"\n")
                for line in lines:
                    self.told.add(line.decode())
                    self._mark()

    def _mark(self) -> None:
        now = time.monotonic()
        self._marks.setdefault(("line", len(self.told.lines)), now)
        self._marks.setdefault(("saving", self.told.saves), now)

    def _act(self) -> None:
        now = time.monotonic()
        for when, pids in self._continue[:]:
            if now >= when:
                self._continue.remove((when, pids))
                self._paused_since = None
                _signal(pids, signal.SIGCONT)
        for moment, deed in self._due[:]:
            if self._is_due(moment, now):
                self._due.remove((moment, deed))
                self.happened = True
                self._do(deed, now)

    def _is_due(self, moment: Moment, now: float) -> bool:
        mark = self._marks.get((moment.mark, moment.count))
        return mark is not None and now >= mark + moment.delay_s

    def _do(self, deed: Deed, now: float) -> None:
        match deed:
            case Signal(who, number, pause_s):
                pids = [pid for one in who if (pid := self._pid(one)) is not None]
                _signal(pids, number)
                if number == signal.SIGSTOP:
                    self._continue.append((now + pause_s, pids))
                    self._paused_since = now if "trainer" in who else None
                if number in (signal.SIGTERM, signal.SIGINT) and {"trainer", "supervisor"} & set(who):
                    self._asked_stop = now
            case Ask(request):
                with suppress(InftError):
                    control.ask(self.run, request)
                if request == "stop":
                    self._asked_stop = now
            case Scribble(content):
                with suppress(OSError), self.run.metrics.open("ab") as file:
                    file.write(content)
            case Fill(place):
                fill(self.home.place(place))
            case Protect():
                protect(self.home.outputs)
            case _:
                assert_never(deed)

    def _pid(self, who: Who) -> int | None:
        """Its number, unless it has ended and another process may have that by now."""
        pid = {
            "trainer": self.told.trainer,
            "supervisor": self._launched.supervisor,
            "follower": self._launched.follower,
        }[who]
        return pid if pid is not None and is_running(pid) else None

    def _look(self, findings: Findings) -> None:
        """Whether what is said of the run now is so; only where nothing changed while it was asked."""
        if findings.wrongly_reported:
            return  # it would be the same again
        before = self._facts()
        try:
            condition = inspect(self.run)
        except InftError as error:
            if not self.fault.spoils_disk:
                findings.wrongly_reported.append(f"{self.run.run_id} cannot be looked at: {error}")
            return
        self._listen()
        now = time.monotonic()
        trainer, supervisor = (a and b for a, b in zip(before, self._facts(), strict=True))
        wrong = findings.wrongly_reported
        name = f"{self.run.run_id} after {len(self.told.events)} events ({condition})"
        if trainer and not condition.recorded:
            wrong.append(f"{name}: its trainer lives")
        if supervisor and not condition.recorded:
            wrong.append(f"{name}: its supervisor lives, and will write its end")
        if condition.state == "finished" and "train_end" not in self.told.events:
            wrong.append(f"{name}: it has not ended")
        anybody = any(before)
        self._silent_since = None if anybody else self._silent_since or now
        if not anybody and condition.alive and now - (self._silent_since or now) > verdict.START_GRACE_S + 0.5:
            wrong.append(f"{name}: nobody works on it")
        if condition.alive and condition.pids.supervisor is not None:
            if before[1] and supervisor and not condition.supervised:
                wrong.append(f"{name}: its supervisor lives")
            if not before[1] and condition.supervised:
                wrong.append(f"{name}: its supervisor is dead")
        self._check_stalling(condition, name, wrong, now)
        if self._are_folders_free() and inspect(self.run).training:
            findings.others.append(f"{self.run.run_id}: another run could start in its folders while its trainer works")

    def _check_stalling(self, condition: Condition, name: str, wrong: list[str], now: float) -> None:
        paused = 0.0 if self._paused_since is None else now - self._paused_since
        if condition.stalled_sec is not None and self.fault.stall_sec >= 300:
            wrong.append(f"{name}: it is not stalled")
        if paused > self.fault.stall_sec + 0.3 and condition.alive and condition.stalled_sec is None:
            wrong.append(f"{name}: it has been standing still for {paused:.1f} s")

    def _facts(self) -> tuple[bool, bool]:
        """Whether trainer and supervisor run."""
        return self._pid("trainer") is not None, self._pid("supervisor") is not None

    def _collect(self) -> bool:
        """Takes note of ended processes, the run's orphans among them; whether one is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            self._ended[pid] = os.waitstatus_to_exitcode(status)

    def _give_up(self, findings: Findings) -> None:
        condition = inspect(self.run)
        left = [who for who in ("trainer", "supervisor", "follower") if self._pid(who) is not None]
        findings.orphans.append(f"{self.run.run_id}: {left} still run after {LONGEST_S:g} s ({condition})")
        _signal([pid for who in left if (pid := self._pid(who)) is not None], signal.SIGKILL)
        time.sleep(0.5)
        self._collect()

    def _condition_of_the_end(self) -> Condition:
        condition = inspect(self.run)
        if condition.alive:  # as long as it may only just be starting
            time.sleep(verdict.START_GRACE_S + 0.2)
            condition = inspect(self.run)
        return condition

    def _may_be_dead(self, who: Who) -> bool:
        return (
            any(isinstance(deed, Signal) and who in deed.who for _, deed in self.fault.deeds) or self.fault.spoils_disk
        )

    def _log(self, who: str) -> str:
        path = self.run.path / f"{who}.log"
        return path.read_text()[-2000:] if path.exists() else ""

    def _are_folders_free(self) -> bool:
        try:
            other = RunDirectory(self.run.path.with_name("other"))
            OutputLocks.acquire([self.home.checkpoints, self.home.best], other, wait_s=0.0).close()
        except InftError:
            return False
        return True

    def _check_requests(self, findings: Findings) -> None:
        supervised = self._ended.get(self._launched.supervisor, -1) >= 0
        if supervised and not self.fault.spoils_disk and (left := control.pending(self.run)):
            findings.others.append(f"{self.run.run_id}: the requests {sorted(left)} were left behind")
        if self._asked_stop is not None and self.told.exit_code == 0:
            went_on_s = max(at for (mark, _), at in self._marks.items() if mark == "line") - self._asked_stop
            if went_on_s > HEARD_WITHIN_S:
                findings.others.append(f"{self.run.run_id} went on for {went_on_s:.1f} s when asked to stop")


def damage_newest(run: RunDirectory, home: Home, damage: Damage) -> Path | None:
    """Does something to the newest checkpoint; None if there is none."""
    found = newest(home.checkpoints, [run.run_id])
    if found is None:
        return None
    target = found.path / "optimizer.pt"
    match damage:
        case "cut a file":
            os.truncate(target, target.stat().st_size // 2)
        case "remove a file":
            target.unlink()
        case "flip a byte":
            content = bytearray(target.read_bytes())
            content[len(content) // 2] ^= 0xFF
            target.write_bytes(content)
        case "spoil the manifest":
            (found.path / MANIFEST).write_bytes(b'{"schema_version": 1, "run_')
        case "remove the manifest":
            (found.path / MANIFEST).unlink()
        case _:
            assert_never(damage)
    return found.path


def weights_in(home: Home) -> dict[str, list[float]]:
    """The final weights, to the bit."""
    state = torch.load(home.best / "weights.pt", weights_only=True)
    return {name: values.flatten().tolist() for name, values in state.items()}


def compare_weights(home: Home, reference: Reference, findings: Findings) -> None:
    """The final weights are exactly those of the undisturbed run."""
    try:
        same = weights_in(home) == reference.weights
    except OSError as error:
        findings.curves_off.append(f"there are no final weights: {error}")
        return
    if not same:
        findings.curves_off.append("the final weights differ")


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
