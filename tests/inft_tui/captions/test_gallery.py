"""Pictures are decoded beside the screen, kept, and taken back from a terminal that was sent them."""

from __future__ import annotations

import queue
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from inft_tui.captions.decoding import Unshown
from inft_tui.captions.gallery import MOST_KEPT, Frame, Gallery, Shown
from inft_tui.captions.mosaic import Canvas
from inft_tui.captions.scores import AT_A_TIME, Scores
from inft_tui.worker import Worker

IN_CELLS = Frame(10, 5, Canvas("truecolor", True, True, True))
BY_KITTY = Frame(10, 5, None)


class Desk:
    """What a worker hands over, done when somebody asks for it."""

    def __init__(self) -> None:
        self._calls: queue.Queue[Callable[[], None]] = queue.Queue()
        self.worker = Worker(self._calls.put, self._fail)
        self.sent: list[str] = []

    def take(self, count: int = 1) -> None:
        for _ in range(count):
            self._calls.get(timeout=10)()

    def _fail(self, error: Exception) -> None:
        raise error


@pytest.fixture
def desk() -> Desk:
    return Desk()


def photo(path: Path) -> Path:
    Image.new("RGB", (40, 40), (20, 90, 200)).save(path)
    return path


def test_a_picture_is_ready_after_a_while_and_stays_so(desk: Desk, tmp_path: Path) -> None:
    gallery, path = Gallery(desk.worker, desk.sent.append), photo(tmp_path / "a.png")
    answers: list[Shown | Unshown] = []
    assert gallery.find([path], IN_CELLS) is None
    gallery.ask([path], IN_CELLS, answers.append)
    assert not answers
    desk.take()
    assert answers == [gallery.find([path], IN_CELLS)]
    assert gallery.find([path], Frame(9, 5, IN_CELLS.canvas)) is None
    gallery.ask([tmp_path / "gone.png"], IN_CELLS, answers.append)
    desk.take()
    assert isinstance(answers[-1], Unshown)
    assert gallery.find([tmp_path / "gone.png"], IN_CELLS) is None, "it may come"
    assert not desk.sent


def test_what_a_terminal_was_sent_is_taken_back(desk: Desk, tmp_path: Path) -> None:
    gallery, path = Gallery(desk.worker, desk.sent.append), photo(tmp_path / "a.png")
    paths = [[path, tmp_path / f"{number}.png"] for number in range(MOST_KEPT + 2)]
    for wanted in paths:
        gallery.ask(wanted, BY_KITTY, lambda _: None)
    desk.take(len(paths))
    shown = [gallery.find(wanted, BY_KITTY) for wanted in paths]
    assert [one is None for one in shown] == [True, True] + [False] * MOST_KEPT
    assert sum("a=T" in one for one in desk.sent) == len(paths)
    assert sum("a=d" in one for one in desk.sent) == 2
    numbers = {one.number for one in shown if one is not None}
    assert len(numbers) == MOST_KEPT
    gallery.close()
    deleted = [one for one in desk.sent if "a=d" in one]
    assert len(deleted) == len(set(deleted)) == len(paths)
    assert gallery.find(paths[-1], BY_KITTY) is None


def test_a_number_is_not_given_again_while_a_picture_has_it(desk: Desk, tmp_path: Path) -> None:
    gallery, first = Gallery(desk.worker, desk.sent.append), photo(tmp_path / "a.png")
    gallery.ask([first], BY_KITTY, lambda _: None)
    desk.take()
    shown = gallery.find([first], BY_KITTY)
    assert shown is not None
    for number in range(300):
        gallery.ask([first, tmp_path / f"{number}.png"], BY_KITTY, lambda _: None)
        desk.take()
        other = gallery.find([first, tmp_path / f"{number}.png"], BY_KITTY)
        assert other is not None
        assert other.number != shown.number
        assert gallery.find([first], BY_KITTY) is shown, "it is looked at, so it is kept"


def test_a_disk_that_hangs_is_not_waited_for_without_end(tmp_path: Path) -> None:
    hanging = Worker(lambda _: None, lambda _: None)
    gallery = Gallery(hanging, lambda _: None)
    answers: list[Shown | Unshown] = []
    for number in range(400):
        gallery.ask([tmp_path / f"{number}.png"], BY_KITTY, answers.append)
        if answers:
            break
    assert answers == [Unshown("the disk has not answered for long")]


def test_scores_are_worked_out_in_turns(desk: Desk) -> None:
    scores = Scores(desk.worker)
    pairs = [(f"caption {number}", "caption 1") for number in range(AT_A_TIME + 5)]
    drawn: list[None] = []
    scores.want(pairs, lambda: drawn.append(None))
    scores.want(pairs, lambda: drawn.append(None))
    desk.take()
    assert len(drawn) == 1
    assert scores.of(pairs[1]) == pytest.approx(100)
    assert scores.of(pairs[-1]) is None
    scores.want(pairs, lambda: drawn.append(None))
    desk.take()
    assert scores.of(pairs[-1]) is not None
    scores.want(pairs, lambda: drawn.append(None))
    assert len(drawn) == 2, "nothing is left to be done"


def test_a_score_is_what_sacrebleu_says(desk: Desk) -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    pairs = [("A road in London", "A street in London"), ("東京の雪", "京都の雪"), ("", "A street"), ("zz", "A street")]
    scores = Scores(desk.worker)
    scores.want(pairs, lambda: None)
    desk.take()
    for caption, reference in pairs:
        assert scores.of((caption, reference)) == pytest.approx(sacrebleu.sentence_chrf(caption, [reference]).score)


def test_where_nothing_can_score_that_is_found_out_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "inft.scoring.figures", None)
    scores = Scores(desk.worker)
    scores.want([("a", "b")], lambda: None)
    desk.take()
    assert not scores.can_score
    assert scores.of(("a", "b")) is None
