"""The console: which screen is shown, the one timer, what is said below every screen, and how it is left."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.screen import Screen

from inft.errors import InftError
from inft.runs.visible import visible
from inft_tui.alarm import Alarm
from inft_tui.deeds import Deeds, Outcome
from inft_tui.display.capabilities import Capabilities, ThemeName
from inft_tui.display.driver import TerminalDriver
from inft_tui.display.palette import palette_for
from inft_tui.display.spans import EMPTY, Line
from inft_tui.key_table import Place
from inft_tui.keys import Keymap, shown_key
from inft_tui.listing import Listing, Seen, Snapshot
from inft_tui.parting_look import parting_look
from inft_tui.screens.console_screen import ConsoleScreen
from inft_tui.screens.doors import screen_above, screen_for
from inft_tui.screens.runs import RunsScreen
from inft_tui.subjects import Subjects
from inft_tui.watched import SLICE_S
from inft_tui.widgets.narrow_update import NarrowUpdate, WholeUpdate
from inft_tui.worker import Worker

LISTING_S = 1.0
"""Between two looks at the runs."""
THEMES: tuple[ThemeName, ...] = ("dark", "light", "colour-blind")


class ConsoleApp(App[None], inherit_bindings=False):
    """The console.

    Args:
        capabilities: of the terminal.
        keymap: what the keys mean.
        logs_dir: the folder of runs.
        attach: the run to open with, or another program's log; None = the listing.
        readonly: whether nothing can be done to a run.
        rings: whether the terminal's bell rings when something happens.
    """

    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    TITLE = "inft-tui"

    def __init__(
        self,
        capabilities: Capabilities,
        keymap: Keymap,
        logs_dir: Path,
        *,
        attach: Path | None = None,
        readonly: bool = False,
        rings: bool = False,
    ) -> None:
        # Colours go to the terminal as the palette states them; turning them into full colour is not for Textual to do.
        super().__init__(driver_class=TerminalDriver, ansi_color=True)
        self.capabilities = capabilities
        self.keymap = keymap
        self.readonly = readonly
        self.palette = palette_for(capabilities.theme, capabilities.colours)
        for name in THEMES:
            self.register_theme(palette_for(name, capabilities.colours).theme)
        self.set_reactive(App.theme, self.palette.theme.name)
        self.stylesheet.set_variables(self.get_css_variables())
        self.snapshot = Snapshot()
        self.has_looked = False
        self.crash: Exception | None = None
        self.worker = self._new_worker()
        self.alarm = Alarm(self.worker, self.bell, self._draw_bars, rings=rings)
        self.deeds = Deeds(self._say_from_anywhere)
        self._listing = Listing(logs_dir)
        self._reading = False
        self._next_listing = float("-inf")
        self.subjects = Subjects(self.worker, self._new_worker, self._hand_over, logs_dir, self._send, chosen=attach)
        self._opens_run = attach is not None
        self._notice: Line = EMPTY
        self._notice_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    # Screens

    def get_default_screen(self) -> Screen[Any]:
        """The screen below all others."""
        return RunsScreen(self)

    def go(self, place: Place) -> None:
        """Shows one of `TABS`, above nothing but the runs."""
        if self.place().place == place:
            return
        try:
            screen = None if place == "runs" else screen_for(self, place)
        except InftError as problem:
            self.say(Outcome(f"{problem.message} {problem.fix}".strip(), went_well=False))
            return
        while len(self.screen_stack) > 1:
            self.pop_screen()
        if screen is not None:
            self.push_screen(screen)

    def open_run(self, path: Path) -> None:
        """Shows one run, or another program's log."""
        if path != self.subjects.chosen and self.place().place == "monitor":
            self.back()
        self.subjects.chosen = path
        self.go("monitor")

    def place(self) -> ConsoleScreen:
        """The screen that is shown."""
        assert isinstance(self.screen, ConsoleScreen)
        return self.screen

    def back(self) -> None:
        """Shows what was shown before."""
        if len(self.screen_stack) > 1:
            self.pop_screen()

    def act(self, name: str) -> None:
        """Does what a key means that is valid everywhere."""
        match name:
            case "quit":
                self.leave(0)
            case "launch" | "runs" | "monitor" | "compare" | "logs" | "system" | "captions":
                self.go(name)
            case "help" | "commands" | "alerts":
                self.push_screen(screen_above(self, name))
            case "bell":
                self.say(self.alarm.toggle())
            case "picture":
                from inft_tui.pictures import take_picture

                self.call_after_refresh(take_picture, self, self.place())  # without the last notice
            case "theme":
                at = THEMES.index(self.capabilities.theme)
                self.set_colours(THEMES[(at + 1) % len(THEMES)])
            case "repaint":
                self.repaint()
            case "suspend":
                self.action_suspend_process()
            case _:
                pass

    def set_colours(self, theme: ThemeName) -> None:
        """Shows everything in other colours."""
        self.capabilities = self.capabilities.with_theme(theme)
        self.palette = palette_for(theme, self.capabilities.colours)
        self.theme = self.palette.theme.name
        for screen in self.screen_stack:
            if isinstance(screen, ConsoleScreen):
                screen.recolour(self.palette)
        self.say(Outcome(f"Colours: {theme}", went_well=True))

    # The line below every screen

    def notice(self) -> Line:
        """What is to be said, whatever is shown: what happened to a run, or what was done here if that is newer."""
        if self._notice and self._notice_at >= self.alarm.heard_at:
            return self._notice
        return self.alarm.notice(self.key_of("alerts")) or self._notice

    def key_of(self, name: str) -> str:
        """The key for something that is valid everywhere, as it is printed; empty where a person took it away."""
        return next((shown_key(row.keys[0]) for row in self.keymap.rows if row.id == name), "")

    def say(self, outcome: Outcome) -> None:
        """Says it until the next key."""
        self._notice = ((f" {outcome.text}", "accent" if outcome.went_well else "bad"),)
        self._notice_at = time.monotonic()
        self._draw_bars()

    def forget_notice(self) -> None:
        """A key was pressed, so what was said was read; what it hid comes next."""
        if self._notice and self.notice() is self._notice:
            self._notice = EMPTY
        else:
            self.alarm.press()

    # The one timer

    def on_mount(self) -> None:
        """Begins to look at the runs."""
        asyncio.get_running_loop().set_exception_handler(self._fail_in_loop)
        if self._opens_run:
            self.go("monitor")
        self._tick()

    def on_unmount(self) -> None:
        """Ends what only this console needs."""
        self.subjects.close()

    def tick_soon(self) -> None:
        """Another screen is shown, which may want to be looked after oftener."""
        self.call_later(self._tick)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        screen = self._shown_screen()
        period = LISTING_S if screen is None else screen.next_tick_s()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(period, self.call_later, self._tick)
        now = loop.time()
        if now >= self._next_listing - LISTING_S / 10 and not self._reading:
            self._next_listing = now + LISTING_S
            self._read_runs()
        if screen is not None and self.has_looked:
            screen.tick()

    def _read_runs(self) -> None:
        self._reading = True
        self.worker.ask(lambda: self._listing.read(SLICE_S), self._runs_read)

    def _runs_read(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        first, self.has_looked = not self.has_looked, True
        if snapshot.done:
            self._reading = False
            self.alarm.look(snapshot)
        else:
            self._read_runs()
        if first and snapshot.done and not (snapshot.runs or snapshot.problem or self._opens_run or self.readonly):
            self._begin_with_launch()
        screen = self._shown_screen()
        if screen is not None and (first or snapshot.done):
            screen.tick()

    # Leaving

    def leave(self, code: int) -> None:
        """Ends the console, and says that training goes on where it does."""
        self.subjects.forget_pictures()  # while the terminal still listens
        driver = self._driver
        if isinstance(driver, TerminalDriver):
            seen = parting_look(self.snapshot, self._listing.logs_dir)
            driver.last_words = last_words(seen, self.deeds.starting)
        self.exit(return_code=code)

    def leave_for(self, number: signal.Signals) -> None:
        """Ends it as a signal asks."""
        self.leave(128 + number)

    def repaint(self) -> None:
        """Sends the whole screen anew."""
        self.screen.refresh()

    # What Textual does otherwise

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Draws, unless the terminal is behind: it then gets one whole drawing once it has caught up."""
        if isinstance(self._driver, TerminalDriver) and self._driver.is_behind:
            return
        if isinstance(renderable, ChopsUpdate):
            renderable = NarrowUpdate.of(renderable)
        elif isinstance(renderable, LayoutUpdate):
            renderable = WholeUpdate.of(renderable)
        super()._display(screen, renderable)

    def _handle_exception(self, error: Exception) -> None:
        """Keeps what happened for whoever started the app, who says it once the terminal is back."""
        self.crash = self.crash or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        self._exit_renderables.clear()

    def _fail_in_loop(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception):
            self._handle_exception(error)

    # Private

    def _begin_with_launch(self) -> None:
        """Where there are no runs yet, unless somebody has gone elsewhere meanwhile."""
        if self.place().place == "runs":
            self.go("launch")

    def _shown_screen(self) -> ConsoleScreen | None:
        if not self.screen_stack:
            return None
        screen = self.screen
        return screen if isinstance(screen, ConsoleScreen) else None

    def _draw_bars(self) -> None:
        screen = self._shown_screen()
        if screen is not None:
            screen.draw_bars()

    def _new_worker(self) -> Worker:
        return Worker(self._hand_over, self._handle_exception)

    def _hand_over(self, call: Callable[[], None]) -> None:
        self.call_later(call)

    def _send(self, sequence: str) -> None:
        """What the terminal has to know before a drawing that refers to it."""
        if self._driver is not None:
            self._driver.write(sequence)

    def _say_from_anywhere(self, outcome: Outcome) -> None:
        self.call_later(self.say, outcome)


def last_words(snapshot: Snapshot, starting: str = "") -> str:
    """What is said on leaving; nothing where no run goes on.

    Args:
        snapshot: the runs.
        starting: what one is just being started of; empty = none is.
    """
    begun = f"{starting} is being started; `inft-tui status latest` tells how that went.\n" if starting else ""
    live = [seen for seen in snapshot.runs if seen.condition is not None and seen.condition.alive]
    if not live:
        return begun
    names = ", ".join(_name(seen) for seen in live[:3])
    more = f" and {len(live) - 3} more" if len(live) > 3 else ""
    first = _name(live[0])
    return begun + (
        f"Training goes on without the console: {names}{more}.\n"
        f"  look again with   inft-tui attach {first}\n"
        f"  stop it with      inft-tui stop {first}\n"
    )


def _name(seen: Seen) -> str:
    return visible(seen.run.run_id)
