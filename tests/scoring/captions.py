"""Captions to score: those of the demo corpus, and what a model might have made of them."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from inft.project import demo_folder
from inft.scoring.predictions import Prediction


@cache
def references() -> tuple[tuple[str, str], ...]:
    """(language, caption) of every row of the demo corpus."""
    lines = [line for name in ("train", "test") for line in (demo_folder() / f"{name}.jsonl").open(encoding="utf-8")]
    return tuple((record["language"], record["caption"]) for record in map(json.loads, lines))


def spoilt(caption: str, others: Sequence[str], chance: random.Random) -> str:
    """A caption with some of its characters or words gone, moved or another's; at times all of them."""
    kind = chance.randrange(8)
    if kind == 0:
        return chance.choice(others)
    if kind == 1:
        return caption
    if kind == 2 and chance.random() < 0.3:
        return ""
    parts = caption.split(" ") if " " in caption else list(caption)
    start = chance.randrange(len(parts))
    if kind <= 4:
        parts = parts[:start] + parts[start + chance.randint(1, 3) :]
    elif kind == 5:
        parts = parts[start:] + parts[:start]
    elif kind == 6:
        parts = parts + parts[: chance.randint(1, 6)]
    else:
        parts = [part for part in parts if chance.random() < 0.8]
    return (" " if " " in caption else "").join(parts)


@cache
def predictions(copies: int = 1, seed: int = 0) -> tuple[Prediction, ...]:
    """A prediction for every row of the demo corpus, `copies` times, numbered over all languages as a selection is."""
    chance = random.Random(seed)
    by_language: dict[str, list[str]] = {}
    for language, caption in references():
        by_language.setdefault(language, []).append(caption)
    found: list[Prediction] = []
    for language, captions in sorted(by_language.items()):
        for _ in range(copies):
            for caption in captions:
                found.append(Prediction(language, caption, spoilt(caption, captions, chance), len(found)))
    return tuple(found)


def record(prediction: Prediction) -> dict[str, object]:
    """As `score --model` writes it."""
    return {
        "language": prediction.language,
        "row": prediction.row,
        "reference_caption": prediction.reference,
        "generated_caption": prediction.generated,
        "failure": prediction.failure,
    }


def write(path: Path, chosen: Sequence[Prediction]) -> Path:
    """A file of predictions."""
    lines = [json.dumps(record(one), ensure_ascii=False) + "\n" for one in chosen]
    path.write_text("".join(lines), encoding="utf-8")
    return path
