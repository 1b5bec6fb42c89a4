"""`score`: how good captions are, those of a file or those that a model makes for it first."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from inft.captioning.progress import Progress
from inft.errors import ConfigError, ExitCode
from inft.params import MUNIChusLoadConfig
from inft.scoring.files import PredictionFile, read_predictions
from inft.scoring.modes import MODES, ScoreMode, code_of_name, require_segmenters
from inft.scoring.pairs import Pair, pair
from inft.wording import shown
from inft_tui.commands.captioning import Captioning, Terminated, generate, look_up
from inft_tui.styled_lines import put_lines
from inft_tui.terminal import out_json

if TYPE_CHECKING:
    pass

WIDTH = 80

MOST_RESAMPLES = 100_000
"""More would tell nothing more, and take gigabytes: every drawn corpus of every language is kept."""


@dataclass(frozen=True)
class Request:
    """What is to be scored, and how.

    Attributes:
        predictions: the file of captions; None to make them by `captioning`.
        captioning: what makes them.
        against: a second file, which the first one is compared with.
        mode: one of `MODES`.
        languages: those that are scored; None for all that are there.
        resamples: corpora drawn for intervals and significance; 0 for neither.
        seed: of those draws.
        as_json: print one line of JSON.
    """

    predictions: Path | None
    captioning: Captioning | None
    against: Path | None
    mode: str
    languages: str | None
    resamples: int
    seed: int
    as_json: bool


def run(request: Request) -> int:
    """Scores and prints.

    Returns:
        The exit code of making the captions where that failed, which has said why.

    Raises:
        ConfigError: options that contradict each other, or values that cannot be used.
        DataError: a file's captions cannot be scored.
        NotReadyError: a library is not installed.
    """
    if (request.predictions is None) == (request.captioning is None):
        raise ConfigError(
            "Either --predictions or --model says what is scored.",
            "Name a file of captions, or the model that is to make them.",
        )
    mode = _mode(request.mode)
    languages = _languages(request.languages)
    if not 0 <= request.resamples <= MOST_RESAMPLES:
        raise ConfigError(
            f"--resamples {request.resamples} cannot be used.", f"Name a number from 0 to {MOST_RESAMPLES:,}."
        )
    if request.seed < 0:
        raise ConfigError(f"--seed {request.seed} cannot be used.", "Name a number from 0 on.")
    with _stopped_by_sigterm():
        return _run(request, mode, languages)


def _run(request: Request, mode: ScoreMode, languages: Sequence[str] | None) -> int:
    other = None if request.against is None else read_predictions(request.against)
    path = request.predictions
    if request.captioning is not None:
        # Said before hours of generating, not after them.
        model = look_up(request.captioning)
        data = MUNIChusLoadConfig() if model.config is None else model.config.data
        for language in languages or data.languages:
            _check_code(language)
        require_segmenters(languages or data.languages, mode)
        code, path = generate(request.captioning, model, languages)
        if code != ExitCode.FINISHED:
            return code
    assert path is not None
    file = _chosen(read_predictions(path), languages)
    paired = None if other is None else pair(file, _chosen(other, languages))
    require_segmenters(file.languages, mode)
    _score(file, paired, mode, request)
    return ExitCode.FINISHED


def _score(file: PredictionFile, paired: Pair | None, mode: ScoreMode, request: Request) -> None:
    # These load numpy and sacreBLEU, which an installation of the console alone has not.
    from inft.scoring.assessment import assess
    from inft_tui import score_table

    progress = Progress(at_once=False)

    def counted(done: int, total: int) -> None:
        progress.say(f"counting {done:,} of {total:,} rows")

    try:
        found = assess(file, paired, mode, request.resamples, request.seed, counted)
    finally:
        progress.end()
    if request.as_json:
        out_json(json.dumps(found.document(), ensure_ascii=False))
        return
    width = max(score_table.NARROWEST, min(shutil.get_terminal_size((WIDTH, 24)).columns, score_table.WIDEST))
    put_lines(list(score_table.lines(found, width)))


def _chosen(file: PredictionFile, languages: Sequence[str] | None) -> PredictionFile:
    chosen = file if languages is None else file.of_languages(languages)
    chosen.require_complete()
    return chosen


def _mode(name: str) -> ScoreMode:
    for mode in MODES:
        if name == mode:
            return mode
    raise ConfigError(f"--mode {shown(name)} is not known.", f"There are: {', '.join(MODES)}.")


def _languages(names: str | None) -> list[str] | None:
    """The languages of "en, zh", each once."""
    if names is None:
        return None
    languages = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if not languages:
        raise ConfigError("--languages names none.", "Name some, as in --languages en,zh, or leave it out for all.")
    for language in languages:
        _check_code(language)
    return languages


def _check_code(language: str) -> None:
    code = code_of_name(language)
    if code is not None:
        raise ConfigError(
            f"{shown(language)} is a language's name, by which its words are not told apart.",
            f"Its code is {code}.",
        )


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Has a SIGTERM end the command as a Ctrl-C does, unless this process was started to ignore it."""

    def end(number: int, frame: object) -> NoReturn:
        raise Terminated

    before = signal.getsignal(signal.SIGTERM)
    if before != signal.SIG_IGN:
        signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
