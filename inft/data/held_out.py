"""Which articles are kept from training, to evaluate on.

By article and never by row: the other photograph of an article that was trained on would not be new to the model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Set


def held_out_articles(articles: Mapping[str, Iterable[int]], fraction: float, seed: int) -> Set[int]:
    """A share of each language's articles, drawn by their text and the seed alone.

    So a corpus that grows keeps nearly all of them where they were. At least one article of each language is held out,
    and at least one is not. What one language holds out no other keeps, should two of them share an article.

    Args:
        articles: the keys of each language's articles, in any order and number (`inft.data.rows.article_key`).
        fraction: the share, between 0 and 1.
        seed: of the draw.
    """
    held: set[int] = set()
    for keys in articles.values():
        drawn = sorted(set(keys), key=lambda key: _lot(key, seed))
        held.update(drawn[: min(max(1, round(fraction * len(drawn))), len(drawn) - 1)])
    return held


def _lot(article: int, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed} {article}".encode(), digest_size=8).digest()
