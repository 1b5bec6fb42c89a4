"""What is being prepared, kept while other screens are looked at: the choice, the changes, the checks of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from inft.config import Config
from inft.machine.cards import Cards
from inft.project import project_root
from inft.readiness.outlook import Outlook
from inft_tui.launch.catalogue import FAMILIES, MODES, Catalogue, Entry, read_catalogue
from inft_tui.launch.draft import Draft
from inft_tui.launch.editor import ParameterEditor
from inft_tui.launch.lights import Lights, lights_of
from inft_tui.launch.newest import Newest
from inft_tui.launch.notes import Note
from inft_tui.listing import Snapshot
from inft_tui.worker import Worker

if TYPE_CHECKING:  # what the checks import takes a fifth of a second, which their threads can take
    from inft.machine.cards import Cards
    from inft.readiness.checks import Readiness
    from inft.readiness.outlook import Outlook

FORECAST_S, CHECKS_S = 0.1, 0.5
"""How long nothing else has to be typed before these are done: one is arithmetic, the other asks driver and hub."""


class Preparation:
    """What would be run, and what is known of it.

    Attributes:
        catalogue: the profiles; None while they are being read.
        family, mode: what is chosen.
        editor: where somebody is in the list of parameters.
        changed: told when something has come; a screen that is shown puts itself here.
        starting: whether a start is under way.
        forces: whether the start that is asked about, or under way, is one in spite of red lights.
        note: what was said of it and is to be read in full; None = nothing.

    Args:
        worker: the thread that reads files.
        hand_over: calls a function where the screen is drawn; safe from any thread.
        check: gives the lights of a configuration; may take long.
        foresee: gives the GPUs, those that are known or else looked at, and what a configuration needs of them.
    """

    def __init__(
        self,
        worker: Worker,
        hand_over: Callable[[Callable[[], None]], None],
        *,
        check: Callable[[Config], Readiness] | None = None,
        foresee: Callable[[Config, Cards | None], tuple[Cards, Outlook | None]] | None = None,
    ) -> None:
        self.catalogue: Catalogue | None = None
        self.family: str = FAMILIES[0]
        self.mode: str = MODES[0]
        self.editor = ParameterEditor()
        self.changed: Callable[[], None] = _nothing
        self.starting = self.forces = False
        self.note: Note | None = None
        self._worker = worker
        self._check = check or _check
        self._foresee = foresee or _foresee
        self._recent: tuple[str, ...] = ()
        self._has_suggested = self._is_chosen = False
        self._names: dict[tuple[str, str], str] = {}
        self._drafts: dict[str, Draft] = {}
        self._cards: Cards | None = None
        self._forecasts: Newest[tuple[Cards, Outlook | None]] = Newest(hand_over, delay_s=FORECAST_S)
        self._checks: Newest[Readiness] = Newest(hand_over, delay_s=CHECKS_S)
        self._foreseen: tuple[Config, Outlook | Exception | None] | None = None
        self._found: tuple[Config, Readiness | Exception] | None = None
        self._wanted: Config | None = None
        self._runs: frozenset[tuple[Path, bool]] | None = None

    # What is chosen

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The profiles of the chosen kind."""
        return () if self.catalogue is None else self.catalogue.of(self.family, self.mode)

    @property
    def entry(self) -> Entry | None:
        """The chosen profile; None where there is none of this kind."""
        name = self._names.get((self.family, self.mode), "")
        entries = self.entries
        return next((entry for entry in entries if entry.summary.name == name), entries[0] if entries else None)

    @property
    def draft(self) -> Draft | None:
        """What would be run; None where nothing that can be is chosen."""
        entry = self.entry
        if entry is None or entry.opened is None:
            return None
        name = entry.summary.name
        if name not in self._drafts:
            self._drafts[name] = Draft(name, entry.opened)
        return self._drafts[name]

    def load(self, chosen: str = "") -> None:
        """Reads the profiles, at first and again: somebody may have edited one.

        Args:
            chosen: the one to choose; empty = as before.
        """
        self._worker.ask(read_catalogue, lambda catalogue: self._take(catalogue, chosen))

    def suggest(self, recent: Sequence[str]) -> None:
        """Chooses what was run last, as long as nobody has chosen anything.

        Args:
            recent: names of profiles that were run, the newest first.
        """
        if not self._has_suggested:
            self._has_suggested, self._recent = True, tuple(recent)
            if self.catalogue is not None:
                self._choose_first(self.catalogue)
                self.look()
                self.changed()

    def choose_family(self, by: int) -> None:
        """The next model in that direction."""
        self.family, self._is_chosen, self.note = _moved(FAMILIES, self.family, by), True, None
        self.look()

    def choose_mode(self, by: int) -> None:
        """The next mode in that direction."""
        self.mode, self._is_chosen, self.note = _moved(MODES, self.mode, by), True, None
        self.look()

    def choose_profile(self, by: int) -> None:
        """The next profile in that direction."""
        entries, self._is_chosen, self.note = self.entries, True, None
        if self.entry is not None:
            at = max(0, min(entries.index(self.entry) + by, len(entries) - 1))
            self._names[self.family, self.mode] = entries[at].summary.name
            self.look()

    def put(self, draft: Draft) -> None:
        """The chosen profile, changed."""
        self._drafts[draft.name], self._is_chosen, self.note = draft, True, None
        self.look()

    # What is known of it

    @property
    def lights(self) -> Lights:
        """Whether it can be started; the lights of what was chosen before do for as long as these are on their way."""
        found = None if self._found is None else self._found[1]
        return lights_of(found, checking=self._checks.is_busy, stuck=self._checks.is_stuck)

    @property
    def is_checked(self) -> bool:
        """Whether the lights are about just what is chosen."""
        draft = self.draft
        return draft is not None and self._found is not None and self._found[0] == draft.config

    @property
    def outlook(self) -> Outlook | Exception | None:
        """The memory that it will need; None = not known, or not yet."""
        return None if self._foreseen is None else self._foreseen[1]

    @property
    def is_foreseen(self) -> bool:
        """Whether that was computed at least once."""
        return self._foreseen is not None

    def look(self, *, anew: bool = False) -> None:
        """Has the forecast and the lights made for what is chosen, unless they are.

        Args:
            anew: in any case, and the GPUs looked at again.
        """
        draft = self.draft
        if draft is None or draft.config is None:
            return
        config = draft.config
        self.foresee(config, anew=anew)
        if anew or config != self._wanted:
            self._wanted = config
            self._checks.ask(
                lambda: self._check(config), lambda found: self._checked(config, found), at_once=self._found is None
            )

    def follow(self, snapshot: Snapshot) -> None:
        """Looks at the machine again when a run has begun, its trainer has, or it has ended: folders and memory."""
        if not snapshot.done:
            return
        live = frozenset(
            (seen.run.path, seen.condition.training)
            for seen in snapshot.runs
            if seen.condition is not None and seen.condition.alive
        )
        before, self._runs = self._runs, live
        if before is not None and live != before:
            self.look(anew=True)

    def foresee(self, config: Config, *, anew: bool = False) -> None:
        """Has the forecast made for what may only be typed so far."""
        cards = None if anew else self._cards
        self._forecasts.ask(
            lambda: self._foresee(config, cards),
            lambda seen: self._foresaw(config, seen),
            at_once=self._foreseen is None,
        )

    def _foresaw(self, config: Config, seen: tuple[Cards, Outlook | None] | Exception) -> None:
        if isinstance(seen, Exception):
            self._foreseen = (config, seen)
        else:
            self._cards = seen[0]
            self._foreseen = (config, seen[1])
        self.changed()

    def _checked(self, config: Config, found: Readiness | Exception) -> None:
        self._found = (config, found)
        self.changed()

    def _take(self, catalogue: Catalogue, chosen: str) -> None:
        is_first, self.catalogue = self.catalogue is None, catalogue
        for name, draft in list(self._drafts.items()):
            entry = catalogue.named(name)
            if entry is None or entry.opened is None:
                del self._drafts[name]
            elif entry.opened != draft.opened:
                self._drafts[name] = draft.on(entry.opened)
        if chosen:
            self._choose(catalogue.named(chosen))
        elif is_first:
            self._choose_first(catalogue)
        self.look()
        self.changed()

    def _choose_first(self, catalogue: Catalogue) -> None:
        if not self._is_chosen:
            self._choose(catalogue.first(self._recent))

    def _choose(self, entry: Entry | None) -> None:
        if entry is not None and entry.opened is not None:
            summary = entry.summary
            self.family, self.mode = summary.family, summary.mode
            self._names[summary.family, summary.mode] = summary.name


def _check(config: Config) -> Readiness:
    from inft.readiness.checks import check_all

    return check_all(config, project_root())


def _foresee(config: Config, cards: Cards | None) -> tuple[Cards, Outlook | None]:
    from inft.readiness.checks import look_at_cards, outlook_on

    known = look_at_cards() if cards is None else cards
    return known, outlook_on(known, config, project_root())


def _moved(choices: Sequence[str], at: str, by: int) -> str:
    return choices[max(0, min(choices.index(at) + by, len(choices) - 1))]


def _nothing() -> None:
    """Nobody wants to know."""
