"""A machine that always answers the same, for the Launch screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from inft.config import Config
from inft.machine.cards import Card, Cards
from inft.machine.units import GIB
from inft.project import project_root
from inft.readiness.check import Check, amber, green, red
from inft.readiness.checks import Readiness, outlook_on
from inft.readiness.outlook import Outlook
from inft_tui.app import ConsoleApp
from inft_tui.launch.preparation import Preparation

CARD = Card(0, name="NVIDIA L4", total_bytes=24 * GIB, free_bytes=22 * GIB)
CARDS = Cards("answers", driver_version="580.65.06", cuda_version=(13, 0), on_machine=1, usable=(CARD,))
CHECKS = (
    green("driver", "Driver 580.65.06 knows CUDA 13.0, and torch 2.13 is built for CUDA 12.6."),
    green("gpu", "NVIDIA L4."),
    green("bf16", "bfloat16 is computed."),
    amber("cpu", "2 processors, and 4 data workers would share them.", "Run with --set data.num_workers=2."),
    green("host memory", "16.0 GiB of 24.0 GiB are free."),
    green("libraries", "All 9 fit."),
    green("disk", "64.0 GiB free."),
    red("hub model", "The hub cannot be reached.", "Check the network and HF_ENDPOINT."),
)


@dataclass
class Machine:
    """Says the same of every configuration, and keeps which ones it was asked about.

    Attributes:
        foreseen, checked: those.
        check: what is done before the lights are given.
        checks: the lights.
    """

    check: Callable[[], None] = lambda: None
    checks: tuple[Check, ...] = CHECKS
    foreseen: list[Config] = field(default_factory=list)
    checked: list[Config] = field(default_factory=list)

    def use(self, app: ConsoleApp) -> None:
        """Has `app` ask this machine."""
        app.subjects.preparation(Preparation(app.worker, app._hand_over, check=self._check, foresee=self._foresee))

    def _check(self, config: Config) -> Readiness:
        self.checked.append(config)
        self.check()
        return Readiness(self.checks)

    def _foresee(self, config: Config, cards: Cards | None) -> tuple[Cards, Outlook | None]:
        self.foreseen.append(config)
        return CARDS, outlook_on(cards or CARDS, config, project_root())
