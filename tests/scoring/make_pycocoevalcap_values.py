"""Writes `pycocoevalcap.json`: what pycocoevalcap 1.2 says about 540 pairs of captions in ten languages.

Run once, with the wheel of pycocoevalcap 1.2 unpacked somewhere (it needs Java and Stanford's tokeniser only for what
is not used here), and numpy:

    python -P -m tests.scoring.make_pycocoevalcap_values FOLDER

from the project's folder, with PYTHONPATH=. so that `tests` is found. The pairs are the demo corpus's captions beside
what two seeds of `tests.scoring.captions` make of them, segmented as in paper mode; `Cider().compute_score` is asked
about each language by itself and about all rows together.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from inft.scoring.words import words
from tests.scoring.captions import predictions

VALUES = Path(__file__).with_name("pycocoevalcap.json")


def main(folder: str) -> None:
    sys.path.insert(0, folder)
    from pycocoevalcap.cider.cider import Cider

    pairs = [
        [
            one.language,
            " ".join(words(one.generated, one.language, "paper").cider),
            " ".join(words(one.reference, one.language, "paper").cider),
        ]
        for seed in (0, 1)
        for one in predictions(seed=seed)
    ]
    groups = {
        language: [pair for pair in pairs if pair[0] == language] for language in sorted({one[0] for one in pairs})
    }
    values = {}
    for name, chosen in {**groups, "pooled": pairs}.items():
        generated = {number: [pair[1]] for number, pair in enumerate(chosen)}
        expected = {number: [pair[2]] for number, pair in enumerate(chosen)}
        mean, each = Cider().compute_score(expected, generated)
        values[name] = {"mean": float(mean), "each": [round(float(one), 9) for one in each]}
    VALUES.write_text(json.dumps({"pairs": pairs, "values": values}, ensure_ascii=False, indent=0), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
