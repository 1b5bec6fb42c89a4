"""The way to every screen, and what is to be read there whatever the terminal is like."""

from __future__ import annotations

from dataclasses import dataclass

from inft.runs.directory import RunDirectory
from inft.runs.jsonl import JsonlLogger
from tests.pty.terminal import Terminal
from tests.runs.pretend import write_events

QUIET: dict[str, str | None] = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "HF_ENDPOINT": "http://127.0.0.1:9",
    "INFT_CACHE": "/nonexistent/cache",
    "HF_HOME": "/nonexistent/hub",
}
"""No hub and no GPU: what is shown depends on neither."""


@dataclass(frozen=True)
class Stop:
    """A screen.

    Attributes:
        name: of the screen.
        keys: what leads to it from the one before.
        words: what is to be read there, on 60x18 too and without any colour.
    """

    name: str
    keys: str
    words: tuple[str, ...]


TOUR = (
    Stop("runs", "", ("Runs", "training", "finished", "small-20250301-120000")),
    Stop("launch", "1", ("Launch", "sft.lr", "--profile small")),
    Stop("editor", "e", ("Parameters", "sft.lr", "lora.r")),
    Stop("monitor", "3", ("Monitor", "small-20250302-120000", "step 40 of 120", "loss  2", "100")),
    Stop("chart", "\r", ("Chart", "1 of 1", "loss  2", "100")),
    Stop("compare", "4", ("Compare", "small-20250301-120000", "small-20250302-120000", "All parameters are the same.")),
    Stop("logs", "5", ("Logs", "step 40, loss 2")),
    Stop("captions", "7", ("Captions", "A street in London", "A road")),
    Stop("system", "6", ("System", "memory", "cores", "Ready to train?")),
    Stop("alerts", "!", ("What happened",)),
    Stop("keys", "\x1b?", ("Keys", "Everywhere")),
    Stop("commands", "\x1b:", ("Commands", "Prepare a run")),
)
"""In an order in which one leads to the next; Escape needs a moment of its own."""
_BEFORE = {"editor": ("launch",), "chart": ("monitor",)}


def something_to_see(run: RunDirectory) -> None:
    """Forty steps, and a caption."""
    caption = {"event": "sample", "language": "en", "row": 3, "global_step": 40}
    with JsonlLogger(run.samples) as log:
        log.write({**caption, "reference_caption": "A street in London", "generated_caption": "A road"})
    write_events(run, *({"event": "log", "global_step": step, "loss": 4 - step / 20} for step in range(1, 41)))


def arrive(terminal: Terminal, stop: Stop) -> None:
    """Goes there from the stop before and waits until all of it is to be read."""
    for key in stop.keys:
        terminal.press(key)
        if key == "\x1b":
            terminal.read(0.2)  # else the next one would be meant with Alt
    terminal.wait_until(lambda screen: all(word in screen.text for word in stop.words), f"all of {stop}")


def go_to(terminal: Terminal, name: str) -> None:
    """Goes there from the beginning."""
    for stop in TOUR:
        if stop.name in ("runs", name, *_BEFORE.get(name, ())):
            arrive(terminal, stop)
