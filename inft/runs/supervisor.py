"""Starts a run's trainer, watches over it until it has ended and writes down how it ended, if it did not do so itself.

    python -P -m inft.runs.supervisor RUN_DIRECTORY [TRAINER_MODULE]

It is small and knows no training library: what can bring down a trainer leaves it standing, and what brings it down
leaves the trainer running. SIGTERM and SIGINT to it mean what a request to stop means.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Protocol, TypeAlias

from inft.errors import DiskError, ExitCode, InftError
from inft.machine.oom import OomWatch, oom_kills
from inft.machine.processes import process_of, this_process
from inft.params import BasicParams
from inft.profiles import load_config
from inft.runs.console_log import last_lines
from inft.runs.control import done, pending
from inft.runs.directory import RunDirectory
from inft.runs.endings import Ending, Evidence, cause_of_end
from inft.runs.escalation import Deed, Escalation, Patience
from inft.runs.find import reference
from inft.runs.launch import TRAINER_MODULE, start_sampler, start_trainer, supervisor_log
from inft.runs.locks import ENVIRONMENT, OutputLocks
from inft.runs.sampling import Sampling
from inft.runs.saved import checkpoint_folder, last_checkpoint
from inft.runs.status import Cause, Pids, Status, StatusFile, read_status
from inft.runs.visible import visible

_IGNORED = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, *_IGNORED)


class Trainer(Protocol):
    """What the supervisor needs of the process it started; `subprocess.Popen` is one.

    The process leads a group of its own, and waits for the close of `stdin` before it writes anything.
    """

    pid: int
    stdin: IO[bytes] | None

    def poll(self) -> int | None:
        """Its return code, negative for a signal; None while it runs."""


Start: TypeAlias = Callable[[], Trainer]
CountOomKills: TypeAlias = Callable[[], int | None]


@dataclass(frozen=True)
class Plan:
    """How a run is watched.

    Attributes:
        patience: the times of an escalation.
        hardware_interval_s: seconds from one sample of the hardware to the next; 0 = none.
        output_dir: where checkpoints go, for the space left there; None = not known.
        tick_s: seconds between two looks for requests.
        write_attempts: how often the end is tried to be written down.
        write_pause_s: seconds between two of these attempts.
    """

    patience: Patience = field(default_factory=Patience)
    hardware_interval_s: float = BasicParams.hardware_interval_sec
    output_dir: Path | None = None
    tick_s: float = 0.5
    write_attempts: int = 5
    write_pause_s: float = 2.0


def plan_of(run: RunDirectory) -> Plan:
    """The plan that the run's configuration asks for; where that cannot be used, which the trainer will say, ours."""
    try:
        config = load_config(run.config_toml)
        output_dir = checkpoint_folder(run, config)
    except InftError:
        return Plan()
    basic = config.basic
    return Plan(
        patience=Patience(ask=basic.stop_ask_sec, terminate=basic.stop_term_sec),
        hardware_interval_s=basic.hardware_interval_sec,
        output_dir=output_dir,
    )


def supervise(run: RunDirectory, plan: Plan, start: Start, count_oom_kills: CountOomKills = oom_kills) -> int:
    """Starts the trainer of `run` and stays with it until its end is on disk.

    Call it in the main thread: it handles signals. What `start` forks inherits the handlers and has to set its own.

    Args:
        run: the run, whose status nobody else writes from now on, except the trainer.
        plan: how.
        start: starts the trainer; may raise OSError or InftError.
        count_oom_kills: how many processes the kernel has killed so far for want of memory.

    Returns:
        The run's exit code.
    """
    with Signals() as signals:
        try:
            trainer = start()
        except (OSError, InftError) as error:
            code = _record(run, plan, _not_started(error))
        else:
            _hand_over(run, trainer)
            evidence = _stay_with(trainer, run, plan, signals, count_oom_kills)
            code = _record_if_untold(run, plan, evidence)
        _clear(run)
        return code


class Signals:
    """While it is entered, signals to this process interrupt `wait`, and only SIGKILL ends it."""

    def __init__(self) -> None:
        self._told = False
        self._handlers_before: Mapping[int, object] = {}
        self._wakeup_before = -1
        self._reading = self._writing = -1

    @property
    def told(self) -> bool:
        """Whether SIGTERM or SIGINT has come."""
        return self._told

    def wait(self, timeout_s: float) -> None:
        """Returns after `timeout_s`, or as soon as a child ends or a signal comes."""
        ready, _, _ = select.select([self._reading], [], [], timeout_s)
        if ready:
            with suppress(BlockingIOError):
                os.read(self._reading, 4096)

    def __enter__(self) -> Signals:
        self._reading, self._writing = os.pipe()
        for descriptor in (self._reading, self._writing):
            os.set_blocking(descriptor, False)
        self._handlers_before = {number: signal.getsignal(number) for number in _SIGNALS}
        self._wakeup_before = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._tell)
        signal.signal(signal.SIGINT, self._tell)
        signal.signal(signal.SIGCHLD, _only_wake_up)
        # Ignored rather than handled: a program started from here then ignores them too, from its first moment.
        for number in _IGNORED:
            signal.signal(number, signal.SIG_IGN)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._reading)
        os.close(self._writing)

    def _tell(self, number: int, frame: FrameType | None) -> None:
        self._told = True


def _only_wake_up(number: int, frame: FrameType | None) -> None:
    """The number of the signal is already in the pipe that `Signals.wait` reads."""


def _hand_over(run: RunDirectory, trainer: Trainer) -> None:
    """Writes down who works on the run, and leaves the status to the trainer."""
    pids = Pids(supervisor=this_process(), trainer=process_of(trainer.pid))
    try:
        StatusFile(run.status_json).write(Status("starting", pids))
    except DiskError as error:
        _complain(str(error))  # the trainer will meet the same disk, and say so
    if trainer.stdin is not None:
        trainer.stdin.close()


def _stay_with(
    trainer: Trainer, run: RunDirectory, plan: Plan, signals: Signals, count_oom_kills: CountOomKills
) -> Evidence:
    """Has samples taken and sees to requests until the trainer has ended, and ends what it left behind."""
    samples = _sampling(trainer, run, plan)
    evidence = _watch(run, plan, trainer, samples, signals, count_oom_kills)
    _kill_group(trainer.pid)  # data workers that outlived their trainer hold memory, and maybe the card
    samples.end()  # before the end is written down, for which a full disk has little room
    return evidence


def _sampling(trainer: Trainer, run: RunDirectory, plan: Plan) -> Sampling:
    interval_s = plan.hardware_interval_s
    if interval_s == 0:
        return Sampling(None)
    return Sampling(lambda: start_sampler(run, trainer.pid, interval_s, plan.output_dir))


def _watch(
    run: RunDirectory,
    plan: Plan,
    trainer: Trainer,
    samples: Sampling,
    signals: Signals,
    count_oom_kills: CountOomKills,
) -> Evidence:
    """Waits for the end of the trainer and sees to the requests and the samples meanwhile."""
    escalation, oom = Escalation(plan.patience), OomWatch()
    complaint = ""
    while True:
        returncode = trainer.poll()
        now = time.monotonic()
        try:
            # After the trainer's end was seen, so that the count includes what ended it.
            oom.look(now, count_oom_kills())
            if returncode is None:
                ended = _is_over(run)
                _do(escalation.due(now, pending(run), told=signals.told, ended=ended), trainer)
                _look_after(samples, now)
        except Exception:  # noqa: BLE001  # whatever is wrong with us, the trainer goes on and is waited for
            if (text := traceback.format_exc()) != complaint:
                complaint = text
                _complain(text)
        if returncode is not None:
            return Evidence(
                returncode=returncode,
                run=_name_of(run),
                out_of_memory=oom.struck(now),
                killed_for=escalation.killed_for,
                aborting=escalation.aborting or "abort" in pending(run),
                patience=plan.patience,
            )
        signals.wait(plan.tick_s)


def _is_over(run: RunDirectory) -> bool:
    status = _status_of(run)
    return status is not None and status.is_final


def _do(deed: Deed | None, trainer: Trainer) -> None:
    if deed == "terminate":
        os.kill(trainer.pid, signal.SIGTERM)
    elif deed == "kill":
        _kill_group(trainer.pid)


def _look_after(samples: Sampling, now: float) -> None:
    try:
        samples.look(now)
    except (OSError, DiskError) as error:
        _complain(f"The hardware is not sampled: {error}")


def _name_of(run: RunDirectory) -> str:
    try:
        return reference(run)
    except InftError:
        return run.run_id  # the project's folder is gone meanwhile


def _kill_group(pid: int) -> None:
    """SIGKILL to the group that `pid` leads, or led: no process gets that number while one of the group is left."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _record_if_untold(run: RunDirectory, plan: Plan, evidence: Evidence) -> int:
    """Leaves the trainer's own last word alone, or else says in its place how it ended."""
    status = _status_of(run)
    if status is not None and status.is_final:
        return status.exit_code if status.exit_code is not None else ExitCode.INTERNAL
    saved = last_checkpoint(run)
    complete = replace(
        evidence, tail=last_lines(run.console_log), checkpoint=None if saved is None else visible(str(saved.path))
    )
    return _record(run, plan, cause_of_end(complete))


def _status_of(run: RunDirectory) -> Status | None:
    try:
        return read_status(run.status_json)
    except OSError:
        return None


def _record(run: RunDirectory, plan: Plan, ending: Ending) -> int:
    """Writes down how the run ended, as far as the disk lets us; who reads a run knows a dead one anyway."""
    last = _status_of(run) or Status("failed")
    pids = Pids(supervisor=this_process(), trainer=last.pids.trainer)
    final = replace(last, pids=pids, state=ending.state, exit_code=int(ending.exit_code), cause=ending.cause)
    for attempt in range(plan.write_attempts):
        if attempt:
            time.sleep(plan.write_pause_s)
        try:
            StatusFile(run.status_json).write(final)
        except DiskError as error:
            _complain(str(error))
            with suppress(OSError):
                run.reserve.unlink()
        else:
            break
    return int(ending.exit_code)


def _not_started(error: OSError | InftError) -> Ending:
    if isinstance(error, InftError):
        return Ending("failed", error.exit_code, Cause(error.kind, error.message, error.fix))
    reason = (error.strerror or str(error)).lower()
    cause = Cause("not_ready", f"The trainer could not be started: {reason}.", "Free memory or end other processes.")
    return Ending("failed", ExitCode.NOT_READY, cause)


def _clear(run: RunDirectory) -> None:
    """Takes away what is of use to a living trainer only: requests to it, and room for its last words."""
    for request in pending(run):
        with suppress(DiskError):
            done(run, request)
    with suppress(OSError):
        run.reserve.unlink()


def _complain(text: str) -> None:
    """To the supervisor's own log, if that still takes it."""
    with suppress(OSError):
        sys.stderr.write(text.rstrip() + "\n")
        sys.stderr.flush()


def main() -> int:
    """The supervisor's process."""
    run = RunDirectory(Path(sys.argv[1]))
    module = sys.argv[2] if len(sys.argv) > 2 else TRAINER_MODULE

    def start() -> Trainer:
        inherited = os.environ.get(ENVIRONMENT)
        # Its files stay open until this process ends, and so do the locks.
        locks = None if inherited is None else OutputLocks.adopt(inherited)
        return start_trainer(run, locks=locks, module=module)

    code = supervise(run, plan_of(run), start)
    log = supervisor_log(run)
    with suppress(OSError):
        if log.stat().st_size == 0:
            log.unlink()
    return code


if __name__ == "__main__":
    sys.exit(main())
