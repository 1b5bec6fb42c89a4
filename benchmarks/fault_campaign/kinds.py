"""What can befall a run, and the drawing of it from a seed. Nothing here touches a process or a file."""

from __future__ import annotations

import random
import signal
from dataclasses import dataclass
from typing import Literal, TypeAlias

from inft.runs.control import Request
from inft.runs.status import RunState

Who: TypeAlias = Literal["trainer", "supervisor", "follower"]
Damage: TypeAlias = Literal["cut a file", "remove a file", "flip a byte", "spoil the manifest", "remove the manifest"]
Place: TypeAlias = Literal["logs", "outputs"]

EVERYBODY: tuple[Who, ...] = ("trainer", "supervisor", "follower")


@dataclass(frozen=True)
class Moment:
    """When something happens: a while after a mark that the trainer passes.

    Attributes:
        mark: "start" = the supervisor is being started; "line" = an event is on disk; "saving" = a save begins.
        count: the how-manieth of them.
        delay_s: how long after.
    """

    mark: Literal["start", "line", "saving"]
    count: int
    delay_s: float


@dataclass(frozen=True)
class Signal:
    """A signal to some of the run's processes at once; after `SIGSTOP`, `SIGCONT` follows."""

    who: tuple[Who, ...]
    number: signal.Signals
    pause_s: float = 0.0


@dataclass(frozen=True)
class Ask:
    """A request by a file in `control/`."""

    request: Request


@dataclass(frozen=True)
class Scribble:
    """Another program appends to `metrics.jsonl`."""

    content: bytes


@dataclass(frozen=True)
class Fill:
    """The disk of a folder fills up."""

    place: Place


@dataclass(frozen=True)
class Protect:
    """The disk of the outputs becomes read-only, as the kernel makes it after errors."""


Deed: TypeAlias = Signal | Ask | Scribble | Fill | Protect


@dataclass(frozen=True)
class Trap:
    """A process kills itself right before its `operation`-th change to a file system: a kill at the worst moment.

    Attributes:
        who: trainer or supervisor.
        share: which operation, as a share of all that an undisturbed trainer does.
        renames_only: whether only renames count, which is where something becomes visible.
    """

    who: Who
    share: float
    renames_only: bool


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        seed: draws it again.
        kind: for the report.
        deeds: what happens, and when.
        trap: see `Trap`.
        file_limit: the largest file that the trainer may write, in bytes; None = any.
        clock_jump_s: the trainer's time of day jumps by so much in the middle of the run, and readers' stays.
        stall_sec: `basic.stall_sec` of the run.
        damage: what happens to the newest checkpoint before the run is resumed.
        small_disks: folders that lie on a small disk of their own.
    """

    seed: str
    kind: str
    deeds: tuple[tuple[Moment, Deed], ...] = ()
    trap: Trap | None = None
    file_limit: int | None = None
    clock_jump_s: float = 0.0
    stall_sec: float = 300.0
    damage: Damage | None = None
    small_disks: tuple[Place, ...] = ()

    @property
    def may_end_as(self) -> set[RunState]:
        """How the run may end: as if nothing had happened, or as what happened demands."""
        ends: set[RunState] = {"finished"}
        if self.trap is not None and self.trap.who == "trainer":
            ends.add("failed")
        if self.file_limit is not None:
            ends.add("failed")
        for _, deed in self.deeds:
            match deed:
                case Signal(who, signal.SIGKILL) if "trainer" in who:
                    ends.add("failed")
                case Signal(who, signal.SIGTERM | signal.SIGINT) if "trainer" in who or "supervisor" in who:
                    ends.add("stopped")
                case Ask("stop" | "abort"):
                    ends.add("stopped")
                case Fill() | Protect():
                    ends.add("failed")
                case _:
                    pass
        return ends

    @property
    def kills_trainer(self) -> bool:
        """Whether the trainer may end without a word."""
        return self._kills("trainer") or any(deed == Ask("abort") for _, deed in self.deeds)

    @property
    def kills_supervisor(self) -> bool:
        """Whether there may be nobody to start the trainer."""
        return self._kills("supervisor")

    def _kills(self, who: Who) -> bool:
        return (self.trap is not None and self.trap.who == who) or any(
            isinstance(deed, Signal) and deed.number == signal.SIGKILL and who in deed.who for _, deed in self.deeds
        )

    @property
    def spoils_disk(self) -> bool:
        """Whether the run may end with the disk as its cause."""
        return self.file_limit is not None or any(isinstance(deed, Fill | Protect) for _, deed in self.deeds)


LINES = 34
"""Events of an undisturbed run, about; a mark that is never passed leaves a run undisturbed."""
SAVES = 6

GARBAGE = (
    b"Traceback (most recent call last):\n",
    b'{"event": "log", "loss": ',
    b"\x00" * 300,
    b"\xff\xfe\x80 binary \x1b[2J\n",
    b'{"loss": NaN, "event": "foreign"}\n',
    b"[1, 2, 3]\n\n\n",
    b"{" * 5000 + b"\n",
    b"half a line without an end",
)

DAMAGES: tuple[Damage, ...] = (
    "cut a file",
    "remove a file",
    "flip a byte",
    "spoil the manifest",
    "remove the manifest",
)

KINDS: dict[str, int] = {
    "kill": 6,
    "kill at an operation": 6,
    "signal": 4,
    "pause": 2,
    "requests": 4,
    "requests without a supervisor": 2,
    "damaged checkpoint": 4,
    "garbage": 2,
    "clock jump": 2,
    "file size limit": 2,
    "full disk": 3,
    "read-only disk": 2,
}
"""How often each kind is drawn, relative to the others."""


def draw(seed: str) -> Fault:
    """The fault of a seed, the same every time."""
    luck = random.Random(seed)
    (kind,) = luck.choices(list(KINDS), list(KINDS.values()))
    match kind:
        case "kill":
            return Fault(seed, kind, ((_moment(luck), Signal(_some(luck), signal.SIGKILL)),))
        case "kill at an operation":
            who: Who = luck.choice(("trainer", "trainer", "trainer", "supervisor"))
            return Fault(seed, kind, trap=Trap(who, luck.random(), luck.random() < 0.5))
        case "signal":
            numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
            deeds = [(_moment(luck), Signal(_some(luck), luck.choice(numbers))) for _ in range(luck.randint(1, 2))]
            return Fault(seed, kind, tuple(deeds))
        case "pause":
            if luck.random() < 0.3:  # so long that it must be noticed
                pause = Signal(("trainer",), signal.SIGSTOP, 2.5)
                return Fault(seed, kind, ((Moment("line", luck.randint(5, 30), 0.0), pause),), stall_sec=1.5)
            pause = Signal(_some(luck), signal.SIGSTOP, luck.uniform(0.01, 0.8))
            return Fault(seed, kind, ((_moment(luck), pause),))
        case "requests":
            asked = [
                (_moment(luck), Ask(luck.choice(("save", "save", "stop", "abort")))) for _ in range(luck.randint(1, 3))
            ]
            return Fault(seed, kind, tuple(asked))
        case "requests without a supervisor":
            first = _moment(luck)
            later = Moment(first.mark, first.count, first.delay_s + luck.uniform(0.0, 0.2))
            request: Request = luck.choice(("save", "stop", "stop", "abort"))
            return Fault(seed, kind, ((first, Signal(("supervisor",), signal.SIGKILL)), (later, Ask(request))))
        case "damaged checkpoint":
            late = Moment("line", luck.randint(LINES // 2, LINES - 3), luck.uniform(0, 0.03))
            return Fault(seed, kind, ((late, Signal(("trainer",), signal.SIGKILL)),), damage=luck.choice(DAMAGES))
        case "garbage":
            scribbles = [(_moment(luck), Scribble(luck.choice(GARBAGE))) for _ in range(luck.randint(1, 5))]
            end = [(_moment(luck), Signal(("trainer",), signal.SIGKILL))] if luck.random() < 0.5 else []
            return Fault(seed, kind, (*scribbles, *end))
        case "clock jump":
            jump = luck.choice((-1, 1)) * luck.choice((5.0, 3600.0, 400 * 86400.0))
            end = [(_moment(luck), Signal(_some(luck), signal.SIGKILL))] if luck.random() < 0.5 else []
            return Fault(seed, kind, tuple(end), clock_jump_s=jump)
        case "file size limit":
            return Fault(seed, kind, file_limit=luck.choice((2_000, 6_000, 12_000, 16_000, 24_000)))
        case "full disk":
            places = _places(luck)
            moment = _moment(luck)
            return Fault(seed, kind, tuple((moment, Fill(place)) for place in places), small_disks=places)
        case _:
            return Fault(seed, kind, ((_moment(luck), Protect()),), small_disks=("outputs",))


def _moment(luck: random.Random) -> Moment:
    mark = luck.choice(("start", "line", "line", "line", "saving", "saving"))
    if mark == "start":
        return Moment("start", 0, luck.uniform(0.0, 0.4))
    if mark == "saving":
        return Moment("saving", luck.randint(1, SAVES), luck.uniform(0.0, 0.05))
    return Moment("line", luck.randint(1, LINES), luck.uniform(0.0, 0.03))


def _some(luck: random.Random) -> tuple[Who, ...]:
    return luck.choice(
        (("trainer",), ("trainer",), ("supervisor",), ("supervisor", "trainer"), ("follower",), EVERYBODY)
    )


def _places(luck: random.Random) -> tuple[Place, ...]:
    return luck.choice((("logs",), ("outputs",), ("logs", "outputs")))
