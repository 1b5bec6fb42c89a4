"""All that is said about a file of captions: scores, intervals, and how they compare with another file's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from inft.scoring.doubts import unsegmented
from inft.scoring.figures import Floats
from inft.scoring.files import PredictionFile
from inft.scoring.measuring import METRICS, Figures, Measured, measure
from inft.scoring.modes import ScoreMode
from inft.scoring.pairs import By, Pair
from inft.scoring.resampling import LEVEL, difference, intervals, significance
from inft.scoring.scores import Scores, report_of


@dataclass(frozen=True)
class Part:
    """The scores of one language, or of all, and what rests on chance about them.

    Attributes:
        scores: the figures.
        interval: the lower and the upper ends of `METRICS`, (2, 3); None where nothing was resampled.
        difference: of the second file, how far the first one is above it, (3,).
        p: of the second file, how likely a difference as large is by chance, (3,); None where nothing was resampled.
    """

    scores: Scores
    interval: Floats | None
    difference: Floats | None = None
    p: Floats | None = None

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        found: dict[str, object] = asdict(self.scores)
        if self.interval is not None:
            low, high = self.interval
            found["ci"] = {name: [float(low[place]), float(high[place])] for place, name in enumerate(METRICS)}
        for key, figures in (("difference", self.difference), ("p", self.p)):
            if figures is not None:
                found[key] = dict(zip(METRICS, map(float, figures), strict=True))
        return found


@dataclass(frozen=True)
class Assessed:
    """One file.

    Attributes:
        path: the file.
        languages: of each language.
        macro: of their mean.
        pooled: of all rows as one corpus.
    """

    path: Path
    languages: dict[str, Part]
    macro: Part
    pooled: Part

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "predictions": str(self.path),
            "languages": {language: part.document() for language, part in self.languages.items()},
            "macro": self.macro.document(),
            "pooled": self.pooled.document(),
        }


@dataclass(frozen=True)
class Assessment:
    """The first file, and what it was compared with.

    Attributes:
        mode: how words were told apart.
        file: the first file.
        signatures: how each figure came about.
        resamples: corpora drawn for each of the figures that rest on chance; 0 if there are none.
        seed: of the draws.
        doubted: languages whose words nothing told apart.
        rival: the second file; None where there is none.
        paired_by: what told which rows belong together.
    """

    mode: ScoreMode
    file: Assessed
    signatures: dict[str, str]
    resamples: int
    seed: int
    doubted: list[str]
    rival: Assessed | None
    paired_by: By | None

    def document(self) -> dict[str, object]:
        """What `score --json` prints."""
        found: dict[str, object] = {
            "mode": self.mode,
            **self.file.document(),
            "signatures": self.signatures,
            "resamples": self.resamples,
            "seed": self.seed,
            "level": LEVEL,
            "not_segmented": self.doubted,
        }
        if self.rival is not None:
            found["against"] = {**self.rival.document(), "paired_by": self.paired_by}
        return found


def assess(
    file: PredictionFile,
    paired: Pair | None,
    mode: ScoreMode,
    resamples: int,
    seed: int,
    on_count: Callable[[int, int], None] = lambda done, total: None,
) -> Assessment:
    """Scores a file.

    Args:
        file: the captions.
        paired: the same file beside another one, which it is to be compared with.
        mode: how words are told apart.
        resamples: corpora drawn for intervals and significance; 0 for neither.
        seed: of the draws.
        on_count: told (rows counted, rows in all) on the way.

    Raises:
        NotReadyError: a library that these languages need is not installed.
    """
    first = len(file.predictions)
    total = first + (0 if paired is None else len(paired.second.predictions))
    measured = measure(file.predictions, mode, on_count=lambda done: on_count(done, total))
    rival = None
    if paired is not None:
        theirs = measure(paired.second.predictions, mode, on_count=lambda done: on_count(first + done, total))
        p = significance(measured, theirs, resamples, seed) if resamples else None
        rival = _assessed(paired.second.path, theirs, resamples, seed, difference(measured, theirs), p)
    return Assessment(
        mode,
        _assessed(file.path, measured, resamples, seed),
        measured.signatures,
        resamples,
        seed,
        unsegmented(file.predictions, mode),
        rival,
        None if paired is None else paired.by,
    )


def _assessed(
    path: Path,
    measured: Measured,
    resamples: int,
    seed: int,
    differences: Figures | None = None,
    p: Figures | None = None,
) -> Assessed:
    report = report_of(measured)
    spans = intervals(measured, resamples, seed) if resamples else None

    def part(scores: Scores, of: Callable[[Figures], Floats]) -> Part:
        return Part(scores, *(None if figures is None else of(figures) for figures in (spans, differences, p)))

    languages = {
        language: part(scores, partial(_of_language, language)) for language, scores in report.languages.items()
    }
    macro = part(report.macro, lambda figures: figures.macro)
    return Assessed(path, languages, macro, part(report.pooled, lambda figures: figures.pooled))


def _of_language(language: str, figures: Figures) -> Floats:
    return figures.languages[language]
