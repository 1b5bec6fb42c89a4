"""The Launch screen: which model, mode and profile, what is changed in it, whether it can run here; and starts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events

from inft.config import Config
from inft.runs.directory import logs_folder
from inft.runs.visible import visible
from inft_tui.deeds import Outcome
from inft_tui.display.spans import Line
from inft_tui.key_table import Place
from inft_tui.launch.layout import PARTS, Part, View, picture
from inft_tui.launch.lights import Lights
from inft_tui.launch.notes import Note, refused
from inft_tui.screens.console_screen import Prompt
from inft_tui.screens.preparing import PreparingScreen

if TYPE_CHECKING:
    from inft_tui.app import ConsoleApp
    from inft_tui.launch.draft import Draft

_ANSWERS = 30
"""Columns that the answers to a question take beside it."""


class LaunchScreen(PreparingScreen):
    """Preparing a run."""

    place: ClassVar[Place] = "launch"
    heading: ClassVar[str] = "Launch"
    period_s: ClassVar[float | None] = 1.0

    def __init__(self, console: ConsoleApp) -> None:
        super().__init__(console)
        self._focus: Part = "profile"
        self._light = 0
        self._failure = ""
        self._is_taken = False
        self._question: Prompt | None = None

    def about(self) -> Line:
        """What would be run."""
        entry = self.preparation.entry
        return () if entry is None else ((f"  {visible(entry.summary.name)}", "bar-dim"),)

    def on_mount(self) -> None:
        """Reads the profiles, which somebody may have edited since the last time."""
        super().on_mount()
        self.preparation.load()
        self.preparation.look(anew=True)  # the machine may be another one than when somebody was here last
        self.tick()

    def tick(self) -> None:
        """Begins with what was run last, once the runs were read; looks again when a run has begun or ended."""
        console = self.console_app
        if console.has_looked:
            self.preparation.suggest([seen.profile for seen in console.snapshot.runs])
            self.preparation.follow(console.snapshot)
        if self.preparation.lights.failure != self._failure:
            self.draw()

    def act(self, name: str) -> bool:
        """The keys of this screen."""
        what = name.partition(".")[2]
        draft = self.preparation.draft
        match what:
            case "next" | "previous":
                self._go(1 if what == "next" else -1)
            case "back":
                self.console_app.go("runs")
            case "check":
                self.preparation.note = None
                self.preparation.load()
                self.preparation.look(anew=True)
            case "start":
                self._start(draft)
            case "editor":
                self._open_editor()
            case "all" if draft is None:
                self.preparation.editor.everything = True
            case "up" | "down" if self._focus in ("model", "mode", "profile"):
                self._choose(1 if what == "down" else -1)
            case "up" | "down" | "first" | "last" if self._focus == "lights":
                self._move_light(what)
            case "change" if self._focus != "parameters":
                self._go(1)
            case "choice-before" | "choice-after" if self._focus != "parameters":
                pass
            case _ if draft is not None and name.startswith("launch."):
                if what in ("all", "filter", "reset", "page-up", "page-down", "first", "last"):
                    self._focus = "parameters"
                if not self.act_on_parameters(what, draft):
                    return False
            case _:
                return name.startswith("launch.")
        self.draw()
        return True

    @property
    def note(self) -> Note | None:
        """Why it cannot be started goes on being said for as long as it is so."""
        draft, lights = self.preparation.draft, self.preparation.lights
        self._is_taken = self._is_taken and bool(lights.taken()) and self.preparation.is_checked
        if self._is_taken and draft is not None:
            return Note(f"{visible(draft.name)} cannot be started now", checks=tuple(lights.taken()))
        return super().note

    def close_prompt(self) -> None:
        """Without an answer nothing is forced."""
        self.preparation.forces = self.preparation.starting and self.preparation.forces
        super().close_prompt()

    def on_key(self, event: events.Key) -> None:
        """The key that has asked whether to start does not answer that when it is pressed twice."""
        asked = self.prompt is not None and self.prompt is self._question
        found = self.console_app.keymap.action(self.place, event.key) if asked else None
        if found is not None and found.id == "launch.start":
            event.stop()
            event.prevent_default()
        else:
            super().on_key(event)

    def draw(self) -> None:
        """Draws all of it."""
        columns, rows = self.view.size
        self._failure = self.preparation.lights.failure
        if columns > 0:
            self.view.show(picture(View(self.preparation, self._focus, self._light, self.note), columns, rows))
            self.draw_bars()

    def _go(self, by: int) -> None:
        self._focus = PARTS[(PARTS.index(self._focus) + by) % len(PARTS)]

    def _choose(self, by: int) -> None:
        if self._focus == "model":
            self.preparation.choose_family(by)
        elif self._focus == "mode":
            self.preparation.choose_mode(by)
        else:
            self.preparation.choose_profile(by)

    def _move_light(self, what: str) -> None:
        last = max(0, len(self.preparation.lights.checks) - 1)
        at = {"up": self._light - 1, "down": self._light + 1, "first": 0, "last": last}[what]
        self._light = max(0, min(at, last))

    def _open_editor(self) -> None:
        from inft_tui.screens.parameters import ParametersScreen

        if self.preparation.draft is not None:
            self.console_app.push_screen(ParametersScreen(self.console_app))

    def _start(self, draft: Draft | None) -> None:
        """Asks, and then does what the command does."""
        console, preparation = self.console_app, self.preparation
        config = None if draft is None else draft.config
        if draft is None or config is None:
            why = "Choose a profile first." if draft is None else f"{draft.problems[0].text} {draft.problems[0].fix}"
            console.say(Outcome(why, went_well=False))
            return
        if preparation.starting:
            console.say(Outcome("A start is under way; it is said here when that is done.", went_well=False))
            return
        preparation.note = None
        lights, name = preparation.lights if preparation.is_checked else Lights(), visible(draft.name)
        if lights.taken():
            self._is_taken = True
            preparation.look(anew=True)  # the other one may have ended just now
            console.say(Outcome(f"{name} cannot be started: a folder is taken.", went_well=False))
            return
        refusals = lights.refusals()
        preparation.forces = bool(refusals)
        names = ", ".join(check.name for check in refusals)
        question = f"Not ready: {names}. Start {name} with --force?" if refusals else f"Start {name}?"
        if len(question) > self.view.size.width - _ANSWERS:
            question = "Start it with --force?" if refusals else "Start it?"
        note = Note(f"{name} would be started with --force, in spite of", checks=tuple(refusals)) if refusals else None
        self._question = Prompt(question, lambda _: self._begin(draft, config, force=bool(refusals)))
        self.ask_about(self._question, note)

    def _begin(self, draft: Draft, config: Config, *, force: bool) -> None:
        console, preparation = self.console_app, self.preparation
        preparation.starting, preparation.forces = True, force
        name = visible(draft.name)

        def refuse(complaint: str) -> None:
            console.call_later(self._refused, name, complaint)

        def ended(run_id: str) -> None:
            console.call_later(self._ended, config, run_id)

        console.deeds.start(draft.command(force=force), draft.name, ended, refuse)
        self.draw()

    def _refused(self, name: str, complaint: str) -> None:
        """The command's own words are for the body: one line is too little for them."""
        self.preparation.note = refused(name, complaint)
        if self.console_app.screen is self:
            self.console_app.say(Outcome(f"{name} was not started.", went_well=False))

    def _ended(self, config: Config, run_id: str) -> None:
        """The run is under way, or was refused; it is opened unless somebody has gone elsewhere meanwhile."""
        self.preparation.starting = self.preparation.forces = False
        if not run_id:
            self.preparation.look(anew=True)
            self.draw_if_shown()
        elif self.console_app.screen is self and not self._is_typing():
            self.console_app.open_run(logs_folder(config) / run_id)
        else:
            self.console_app.subjects.chosen = logs_folder(config) / run_id
            key = self.console_app.key_of("monitor")
            where = f" {key} shows it." if key else ""
            self.console_app.say(Outcome(f"Started {visible(run_id)}.{where}", went_well=True))

    def _is_typing(self) -> bool:
        """Whether the next key is meant for a question or a value, and would mean something else elsewhere."""
        return self.prompt is not None or self.preparation.editor.typing is not None
