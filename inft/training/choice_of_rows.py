"""Which rows a run trains on and which it evaluates on, and what it says of them."""

from __future__ import annotations

from pathlib import Path

from inft.captioning.settings import GenerationSettings
from inft.config import Config
from inft.data.collators import CaptionCollator
from inft.data.munichus import Selection, load_evaluation_rows, load_rows
from inft.scoring.modes import require_segmenters
from inft.training.announcements import announce
from inft.training.evaluation import HeldOut
from inft.training.report import RunReport
from inft.training.samples import Samples


def rows_to_train_on(config: Config, report: RunReport, root: Path) -> Selection:
    """The rows trained on; what is left out is reported."""
    rows = load_rows(
        config.data,
        root=root,
        split=config.data.split,
        on_open=lambda language, done, total: report.stage("dataset", done, total, "languages"),
        on_scan=lambda done, total: report.stage("data", done, total, "rows"),
    )
    _tell(f"Split {config.data.split}", rows, report)
    return rows


def rows_to_evaluate_on(config: Config, report: RunReport, root: Path) -> Selection | None:
    """The rows evaluated on, if any; what is left out is reported."""
    rows = load_evaluation_rows(
        config.data,
        root=root,
        on_open=lambda language, done, total: report.stage("dataset", done, total, "languages"),
        on_scan=lambda done, total: report.stage("data", done, total, "rows"),
    )
    if rows is not None:
        held_out = "" if config.data.eval_fraction is None else ", held out to evaluate on"
        _tell(f"Split {config.data.evaluation_split}{held_out}", rows, report)
    return rows


def tell_shared_articles(trained: Selection, evaluated: Selection, report: RunReport) -> None:
    """Says how many of the rows evaluated on have an article that is trained on."""
    seen = set(trained.articles) - {0}
    shared = sum(article in seen for article in evaluated.articles)
    if shared:
        announce(
            report,
            "rows",
            f"{shared:,} of the {len(evaluated):,} rows evaluated on have an article that is trained on, too, so the "
            "evaluation looks better than it is; data.eval_fraction holds out whole articles.",
            "warning",
        )


def _tell(name: str, rows: Selection, report: RunReport) -> None:
    """Which rows of a split are used, and what was left out."""
    announce(report, "rows", f"{name}: {rows.report.text()}", "warning" if rows.report.total_skipped else "info")


def require_scoring(config: Config) -> None:
    """Makes sure that the captions of the run's evaluations can be scored, if there are any.

    Raises:
        NotReadyError: something is not installed that this takes for the run's languages.
        LibraryError: it is, and cannot be loaded.
    """
    if config.evaluates and config.basic.eval_captions:
        require_segmenters(config.data.languages, "standard")
        # Whoever scores nothing needs nothing that scores.
        from inft.training.caption_scores import check_tokenisers

        check_tokenisers(config.data.languages)


def hold_out(config: Config, rows: Selection, collator: CaptionCollator, samples: Samples) -> HeldOut:
    """What is evaluated on, and how."""
    if not config.basic.eval_captions:
        return HeldOut(collator, rows.languages)
    from inft.training.caption_scores import CaptionScores, drawn_rows

    captions = CaptionScores(
        collator,
        drawn_rows(rows.languages, config.basic.eval_captions, config.data.seed),
        GenerationSettings.greedy(config.basic),
        batch_size=config.sft.inference_batch_size,
        write=samples.write,
    )
    return HeldOut(collator, rows.languages, captions)
