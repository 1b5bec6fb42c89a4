"""The two ways of scoring, and how each tells the words of a language apart.

`paper` does what the scorer of the MUNIChus paper does, so that figures can be put beside its tables: Chinese and
Cantonese are segmented by jieba and Japanese by MeCab with UniDic; BLEU then tokenises every language as sacreBLEU does
by default, which knows no punctuation but that of Latin script, and CIDEr takes what stands between blanks.

`standard` tokenises each language once, by the tokeniser that sacreBLEU has for it, and counts the words of both BLEU
and CIDEr on those tokens.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Literal, get_args

from inft.errors import NotReadyError
from inft.params import LANGUAGE_NAMES

ScoreMode = Literal["paper", "standard"]
MODES: tuple[ScoreMode, ...] = get_args(ScoreMode)

Tokenizer = Literal["13a", "intl", "zh", "ja-mecab"]
"""Those of sacreBLEU that are used here, by its names."""

DEFAULT_TOKENIZER: Tokenizer = "13a"

_TOKENIZERS: dict[str, Tokenizer] = {
    "zh": "zh",
    "yue": "zh",
    "ja": "ja-mecab",
    # 13a leaves the Arabic comma, the danda and their like at the word before them.
    "ar": "intl",
    "hi": "intl",
    "si": "intl",
    "ur": "intl",
}

Segmenter = Literal["jieba", "mecab"]
"""What stands before sacreBLEU's tokeniser in paper mode."""

_SEGMENTERS: dict[str, Segmenter] = {"zh": "jieba", "yue": "jieba", "ja": "mecab"}

_MODULES_OF_SEGMENTERS = {"jieba": ("jieba",), "mecab": ("MeCab", "unidic_lite")}
_MODULES_OF_TOKENIZERS = {"ja-mecab": ("MeCab", "ipadic")}

_PACKAGES = {
    "sacrebleu": "sacrebleu",
    "numpy": "numpy",
    "jieba": "jieba",
    "MeCab": "mecab-python3",
    "unidic_lite": "unidic-lite",
    "ipadic": "ipadic",
}
"""What a module's package is called where packages are installed from."""

_CODES = {name.casefold(): code for code, name in LANGUAGE_NAMES.items()}

INSTALL = "Install what scoring needs: pip install 'inft-tui[score]'."


def tokenizer_of(language: str, mode: ScoreMode) -> Tokenizer:
    """By which of sacreBLEU's tokenisers BLEU counts words."""
    return DEFAULT_TOKENIZER if mode == "paper" else _TOKENIZERS.get(_script(language), DEFAULT_TOKENIZER)


def segmenter_of(language: str, mode: ScoreMode) -> Segmenter | None:
    """What separates the words of a language that has no blanks, before anything is counted."""
    return _SEGMENTERS.get(_script(language)) if mode == "paper" else None


def require_segmenters(languages: Iterable[str], mode: ScoreMode) -> None:
    """Says so where these languages cannot be scored here.

    Raises:
        NotReadyError: a library is not installed; without its words, a figure would be wrong rather than missing.
    """
    wanted = {"sacrebleu": "any language", "numpy": "any language"}
    for language in languages:
        segmenter = segmenter_of(language, mode)
        modules = _MODULES_OF_SEGMENTERS[segmenter] if segmenter else ()
        for module in (*modules, *_MODULES_OF_TOKENIZERS.get(tokenizer_of(language, mode), ())):
            wanted.setdefault(module, language)
    missing = {_PACKAGES[module]: language for module, language in wanted.items() if find_spec(module) is None}
    if missing:
        names = ", ".join(f"{package} (for {language})" for package, language in missing.items())
        raise NotReadyError(f"Captions cannot be scored here: {names} is not installed.", INSTALL)


def code_of_name(language: str) -> str | None:
    """The code of a language that is called by its English name, where its words are told apart by its code.

    >>> code_of_name("Chinese"), code_of_name("japanese"), code_of_name("zh"), code_of_name("French")
    ('zh', 'ja', None, None)
    """
    code = _CODES.get(language.strip().casefold())
    return code if code in _TOKENIZERS or code in _SEGMENTERS else None


def _script(language: str) -> str:
    """A language without its region or script: zh of zh-Hant."""
    return language.replace("_", "-").partition("-")[0].lower()
