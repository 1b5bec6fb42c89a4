"""BLEU and chrF beside sacreBLEU's own command; languages, their mean and all rows; captions that are not there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import jieba
import MeCab
import pytest

from inft.errors import DataError, NotReadyError
from inft.scoring import modes
from inft.scoring.assessment import assess
from inft.scoring.files import read_predictions
from inft.scoring.measuring import frequencies_among
from inft.scoring.modes import MODES, ScoreMode
from inft.scoring.pairs import pair
from inft.scoring.predictions import Prediction
from inft.scoring.scores import ScoreReport, score_predictions
from tests.scoring.captions import predictions, write

FIGURES = ("bleu4", "chrf", "cider")


@cache
def scored(mode: ScoreMode) -> ScoreReport:
    return score_predictions(predictions(), mode)


def of(language: str) -> list[Prediction]:
    return [one for one in predictions() if one.language == language]


def test_rows_are_told_of_while_they_are_counted(tmp_path: Path) -> None:
    file, other = (read_predictions(write(tmp_path / name, of("en"))) for name in ("a", "b"))
    told: list[tuple[int, int]] = []
    assess(file, pair(file, other), "standard", 0, 0, lambda done, total: told.append((done, total)))
    assert told[-1] == (54, 54)
    assert told == sorted(told)
    assert {done for done, _ in told} == set(range(55))


def sacrebleu(
    folder: Path, generated: Sequence[str], references: Sequence[str], *options: str
) -> dict[str, dict[str, object]]:
    """What the command says, by its names of the metrics."""
    for name, lines in (("generated", generated), ("references", references)):
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "sacrebleu", folder / "references", "-i", folder / "generated", "-w", "9", *options],
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    return {one["name"]: one for one in (answer if isinstance(answer, list) else [answer])}


@pytest.mark.parametrize(("language", "tokenizer"), [("fr", "13a"), ("hi", "intl"), ("yue", "zh"), ("ja", "ja-mecab")])
def test_standard_figures_are_sacrebleus(language: str, tokenizer: str, tmp_path: Path) -> None:
    rows, report = of(language), scored("standard")
    generated, references = [one.generated for one in rows], [one.reference for one in rows]
    found = sacrebleu(tmp_path, generated, references, "-m", "bleu", "chrf", "-tok", tokenizer)
    assert report.languages[language].bleu4 == pytest.approx(found["BLEU"]["score"], abs=1e-8)
    assert report.languages[language].chrf == pytest.approx(found["chrF2"]["score"], abs=1e-8)
    assert report.signatures[f"bleu4_{language}"] == found["BLEU"]["signature"]
    assert report.signatures["chrf"] == found["chrF2"]["signature"]
    assert 0 < report.languages[language].bleu4 < 100


def segmented(one: Prediction, text: str) -> str:
    """As the paper's scorer prepares a text."""
    if one.language in ("zh", "yue"):
        return " ".join(jieba.cut(text.strip()))
    return MeCab.Tagger("-Owakati").parse(text.strip()).strip() if one.language == "ja" else text.strip()


def test_paper_figures_are_sacrebleus_on_segmented_text(tmp_path: Path) -> None:
    report = scored("paper")
    rows = predictions()
    pairs = [(segmented(one, one.generated), segmented(one, one.reference)) for one in rows]
    for language in ("ar", "ja", "zh"):
        chosen = [pair for one, pair in zip(rows, pairs, strict=True) if one.language == language]
        found = sacrebleu(tmp_path, [one for one, _ in chosen], [other for _, other in chosen])
        assert report.languages[language].bleu4 == pytest.approx(found["BLEU"]["score"], abs=1e-8)
        assert report.languages[language].chrf == scored("standard").languages[language].chrf
    found = sacrebleu(tmp_path, [one for one, _ in pairs], [other for _, other in pairs])
    assert report.pooled.bleu4 == pytest.approx(found["BLEU"]["score"], abs=1e-8)
    found = sacrebleu(tmp_path, [one.generated for one in rows], [one.reference for one in rows], "-m", "chrf")
    assert report.pooled.chrf == pytest.approx(found["chrF2"]["score"], abs=1e-8)
    assert "|seg:jieba-" in report.signatures["bleu4_yue"]
    assert "|seg:mecab-" in report.signatures["bleu4_ja"]
    assert "seg:" not in report.signatures["bleu4_ar"]


@pytest.mark.parametrize("mode", MODES)
def test_macro_is_the_mean_and_pooled_is_not(mode: ScoreMode) -> None:
    report = scored(mode)
    for figure in FIGURES:
        each = [getattr(scores, figure) for scores in report.languages.values()]
        assert getattr(report.macro, figure) == pytest.approx(sum(each) / 10)
        assert getattr(report.pooled, figure) != pytest.approx(getattr(report.macro, figure), rel=1e-4)
    assert report.macro.rows == report.pooled.rows == sum(one.rows for one in report.languages.values()) == 270
    assert report.macro.failures == report.pooled.failures == sum(not one.generated for one in predictions()) > 0


def test_of_one_language_all_three_are_the_same() -> None:
    report = score_predictions(of("si"), "standard")
    assert report.languages["si"] == report.macro == report.pooled == scored("standard").languages["si"]


def test_the_order_of_rows_changes_nothing() -> None:
    backwards = score_predictions(predictions()[::-1], "standard")
    assert list(backwards.languages) == list(scored("standard").languages) == sorted(backwards.languages)
    for figure in FIGURES:
        assert getattr(backwards.pooled, figure) == pytest.approx(getattr(scored("standard").pooled, figure), rel=1e-12)


def test_a_failed_row_is_an_empty_caption_whatever_it_says() -> None:
    rows = of("en")
    empty = [replace(rows[0], generated="  "), *rows[1:]]
    failed = [replace(rows[0], generated=rows[0].reference, failure="out of memory"), *rows[1:]]
    assert score_predictions(failed, "paper") == score_predictions(empty, "paper")
    assert score_predictions(failed, "paper").pooled.failures == sum(not one.generated for one in rows[1:]) + 1
    left_out = score_predictions(rows[1:], "paper").pooled
    assert score_predictions(failed, "paper").pooled.bleu4 < left_out.bleu4


def test_empty_captions_alone_score_nothing() -> None:
    scores = score_predictions([Prediction("en", "A dog.", ""), Prediction("en", "A cat.", "")], "standard").pooled
    assert (scores.bleu4, scores.chrf, scores.cider, scores.failures) == (0, 0, 0, 2)


def test_rare_is_what_is_rare_among_the_references_given() -> None:
    """Among two captions every word is rare; among all, the article is not."""
    rows = [Prediction("en", "The dog", "The cat", 0), Prediction("en", "A bird", "A bird", 1)]
    alone = score_predictions(rows, "standard")
    captions = ["The dog", "A bird", "The sun", "The sea"]
    among = score_predictions(rows, "standard", documents={"en": frequencies_among(captions, "en", "standard")})
    assert among.languages["en"].cider < alone.languages["en"].cider
    assert among.languages["en"].bleu4 == alone.languages["en"].bleu4
    assert "docs:4" in among.signatures["cider_en"]
    assert "docs:2" in alone.signatures["cider_en"]


def test_characters_that_end_a_c_string_end_no_caption() -> None:
    rows = [
        Prediction("ja", "東京で会議が開かれた。", "東京で\0会議が\n開かれた。"),
        Prediction("ja", "猫が寝る。", "猫が寝る。"),
    ]
    for mode in MODES:
        assert score_predictions(rows, mode).pooled.bleu4 > 50


def test_nothing_to_score_is_said() -> None:
    with pytest.raises(DataError, match="nothing to score"):
        score_predictions([], "standard")


@pytest.mark.parametrize(
    ("mode", "module", "language", "package"),
    [
        ("paper", "jieba", "yue", "jieba (for yue)"),
        ("paper", "unidic_lite", "ja", "unidic-lite (for ja)"),
        ("paper", "MeCab", "ja", "mecab-python3 (for ja)"),
        ("standard", "ipadic", "ja", "ipadic (for ja)"),
        ("standard", "sacrebleu", "en", "sacrebleu (for any language)"),
    ],
)
def test_a_missing_segmenter_is_an_error(
    mode: ScoreMode, module: str, language: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modes, "find_spec", lambda name: None if name == module else object())
    with pytest.raises(NotReadyError) as caught:
        score_predictions([Prediction(language, "a", "a")], mode)
    assert package in caught.value.message
    assert caught.value.fix == "Install what scoring needs: pip install 'inft-tui[score]'."


def test_nobody_needs_the_segmenter_of_another_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modes, "find_spec", lambda name: object() if name in ("sacrebleu", "numpy") else None)
    modes.require_segmenters(["en", "ar"], "paper")
    modes.require_segmenters(["zh"], "standard")
    with pytest.raises(NotReadyError, match="jieba"):
        modes.require_segmenters(["en", "zh-Hant"], "paper")
