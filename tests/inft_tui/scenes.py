"""The screens that are drawn, for the README and for the tests, with everything on them the same everywhere."""

from __future__ import annotations

from pathlib import Path

from inft.config import Config
from inft.machine.cards import Cards
from inft.project import project_root
from inft.readiness.check import green
from inft.readiness.checks import Readiness, outlook_on
from inft.readiness.outlook import Outlook
from inft.runs.directory import RunDirectory
from inft_tui.app import ConsoleApp
from inft_tui.feeds.alerts import Alert
from inft_tui.launch.preparation import Preparation
from inft_tui.sentry import News
from inft_tui.system.machine import Questions
from tests.inft_tui.demo_runs import NOW
from tests.inft_tui.pictures import Scene
from tests.inft_tui.system import pretend


def something_happened(app: ConsoleApp) -> None:
    """A warning and an end."""
    run, other = app.snapshot.runs[0].run, RunDirectory(Path("llama_adv-20250304-143000"))
    failed = Alert(
        "failed",
        "error",
        f"{other.run_id} failed after step 87 of 1,200: the GPU's memory did not suffice.",
        "Lower sft.per_device_train_batch_size.",
    )
    hot = Alert("hot", "warning", "GPU 0 is at 88 °C.", "Look at its cooling; it will slow down.", "GPU 0")
    app.alarm.hear([News(NOW, other, failed), News(NOW, run, hot)])


def on_a_machine(app: ConsoleApp) -> None:
    """With two GPUs."""
    app.subjects.machine(_questions())


def ready_to_launch(app: ConsoleApp) -> None:
    """On the same machine."""
    app.subjects.preparation(Preparation(app.worker, app._hand_over, check=_check, foresee=_foresee))


def _questions() -> Questions:
    folder = project_root() / "machine"
    folder.mkdir(exist_ok=True)
    return pretend.questions(folder)


def _check(config: Config) -> Readiness:
    disk, hub = green("disk", "512 GiB are free."), green("hub", "Model and corpus can be had.")
    return Readiness((*_questions().lights(), disk, hub), _foresee(config, None)[1])


def _foresee(config: Config, cards: Cards | None) -> tuple[Cards, Outlook | None]:
    known = cards or _questions().gpus().cards
    return known, outlook_on(known, config, project_root())


SCENES = (
    Scene("launch", ("1",), "amber", ready_to_launch),
    Scene("parameters", ("1", "e"), "basic.seed", ready_to_launch),
    Scene("runs", shows="finished", shows_if_large="  folder  "),
    Scene("monitor", ("enter",), "loss"),
    Scene("chart", ("enter", "enter", "left"), "loss"),
    Scene("compare", ("space", "space", "4"), "sft.lr"),
    Scene("logs", ("j", "j", "5", "N"), "OutOfMemoryError"),
    Scene("system", ("6",), "NVIDIA", on_a_machine),
    Scene("captions", ("7",), "+42.3"),
    Scene("alerts", ("exclamation_mark",), "Look at its cooling", something_happened),
)
"""One for every screen: the README's pictures."""

DETAILS = (
    Scene("alert", prepare=something_happened, shows="failed after step 87", shows_if_large="  folder  "),
    Scene("help", ("question_mark",), "Go to the newest run"),
    Scene("commands", ("colon",), "Go to the newest run"),
    Scene("logs-filter", ("5", "slash", *"warning"), "with “warning”"),
    Scene("logs-events", ("5",), "step 812"),
)
