"""What the screens are about, which outlives them: the chosen run, the marked ones, and what was read of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from inft.project import project_root
from inft_tui.watched import Watched
from inft_tui.worker import Worker

if TYPE_CHECKING:
    from inft_tui.captions.subject import CaptionsSubject
    from inft_tui.comparison.group import Group
    from inft_tui.launch.preparation import Preparation
    from inft_tui.system.machine import Machine, Questions


class Subjects:
    """Each is made when a screen first asks for it.

    Attributes:
        chosen: the run, or another program's log, that screens about one run are about; None = none yet.
        marked: runs to be compared.

    Args:
        worker: the thread that reads.
        new_worker: makes another, for what may hang.
        hand_over: calls a function where the screen is drawn.
        logs_dir: the folder of runs.
        send: writes to the terminal, beside what is drawn.
        chosen: see there.
    """

    def __init__(
        self,
        worker: Worker,
        new_worker: Callable[[], Worker],
        hand_over: Callable[[Callable[[], None]], None],
        logs_dir: Path,
        send: Callable[[str], None],
        *,
        chosen: Path | None,
    ) -> None:
        self.chosen = chosen
        self.marked: list[Path] = []
        self._worker = worker
        self._new_worker = new_worker
        self._hand_over = hand_over
        self._logs_dir = logs_dir
        self._send = send
        self._watched: Watched | None = None
        self._preparation: Preparation | None = None
        self._machine: Machine | None = None
        self._group: Group | None = None
        self._captions: CaptionsSubject | None = None

    def watched(self, path: Path) -> Watched:
        """A run with its curves, which are read meanwhile."""
        if self._watched is None or self._watched.path != path:
            if self._watched is not None:
                self._watched.close()
                self._watched = None
            self._watched = Watched(path, self._worker)
        return self._watched

    def captions(self, path: Path) -> CaptionsSubject:
        """The captions that a run sampled, with what makes their pictures ready."""
        if self._captions is None:
            from inft_tui.captions.subject import CaptionsSubject

            self._captions = CaptionsSubject(self._worker, self._new_worker(), self._send)
        self._captions.follow(path)
        return self._captions

    def forget_pictures(self) -> None:
        """Has the terminal forget those that it was sent."""
        if self._captions is not None:
            self._captions.gallery.close()

    def comparison(self) -> Group:
        """The runs that are compared."""
        if self._group is None:
            from inft_tui.comparison.group import Group

            self._group = Group(self._worker)
        return self._group

    def machine(self, questions: Questions | None = None) -> Machine:
        """This machine, whose samples go on from when somebody has first looked at it.

        Args:
            questions: at the first call, what is asked of it; None = what it runs on.

        Raises:
            ConfigError: `INFT_HOME` names no folder.
        """
        if self._machine is None:
            from inft_tui.system.machine import Machine, questions_about

            asked = questions or questions_about(project_root(), self._logs_dir)
            self._machine = Machine(self._new_worker, self._worker, asked)
        return self._machine

    def preparation(self, begun: Preparation | None = None) -> Preparation:
        """What is being prepared on Launch.

        Args:
            begun: at the first call, one that knows already how to check; None = a new one.
        """
        if self._preparation is None:
            from inft_tui.launch.preparation import Preparation

            self._preparation = begun or Preparation(self._new_worker(), self._hand_over)
        return self._preparation

    def close(self) -> None:
        """Ends the processes that were started for them."""
        if self._machine is not None:
            self._machine.close()
