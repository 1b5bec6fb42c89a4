"""What counts as a word in a language, and the signature that says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import version
from types import ModuleType

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from inft.errors import LibraryError, first_line
from inft.scoring.cider import NGRAM_ORDER, SIGMA
from inft.scoring.modes import INSTALL, ScoreMode, Segmenter, Tokenizer, segmenter_of, tokenizer_of

MIXED = "mixed"
"""The tokeniser's name in the signature of several languages' BLEU where they differ."""


@dataclass(frozen=True)
class Words:
    """The words of one text.

    Attributes:
        bleu: those that BLEU counts.
        cider: those that CIDEr counts; the same list in standard mode.
    """

    bleu: list[str]
    cider: list[str]


def words(text: str, language: str, mode: ScoreMode) -> Words:
    """`text` in words.

    Raises:
        LibraryError: what tells them apart cannot be loaded.
    """
    # MeCab's text ends at a NUL, where C's strings do.
    text = text.strip().replace("\0", " ")
    tokenize = _tokenizer(tokenizer_of(language, mode))
    if mode == "standard":
        tokens = tokenize(text).split()
        return Words(tokens, tokens)
    segmenter = segmenter_of(language, mode)
    segmented = _segment(segmenter)(text) if segmenter else text
    return Words(tokenize(segmented).split(), segmented.split())


def bleu_signature(languages: Sequence[str], mode: ScoreMode) -> str:
    """SacreBLEU's signature of BLEU over rows of these languages; ours adds what segmented them before."""
    tokenizers = sorted({tokenizer_of(language, mode) for language in languages})
    segmenters = sorted({name for language in languages if (name := segmenter_of(language, mode))})
    parts = _signature_of_bleu(tokenizers[0]).split("|")
    if len(tokenizers) > 1:
        parts = [f"tok:{MIXED}" if part.startswith("tok:") else part for part in parts]
    if segmenters:
        place = next(number for number, part in enumerate(parts) if part.startswith("tok:"))
        parts.insert(place, "seg:" + "+".join(_named(segmenter) for segmenter in segmenters))
    return "|".join(parts)


def cider_signature(languages: Sequence[str], mode: ScoreMode, documents: int) -> str:
    """What CIDEr was computed with, in the form of sacreBLEU's signatures.

    Args:
        languages: of the rows.
        mode: how words were told apart.
        documents: the number of references among which n-grams were counted.
    """
    names = {_words_of_cider(language, mode) for language in languages}
    tokenizer = names.pop() if len(names) == 1 else MIXED
    return f"nrefs:1|case:mixed|n:{NGRAM_ORDER}|sigma:{SIGMA}|clip:yes|tok:{tokenizer}|docs:{documents}|scale:100"


@cache
def chrf_signature() -> str:
    """SacreBLEU's signature of chrF."""
    metric = CHRF()
    metric.corpus_score([""], [["word"]])  # without it, it does not know the number of references
    return str(metric.get_signature())


def _words_of_cider(language: str, mode: ScoreMode) -> str:
    if mode == "standard":
        return str(_bleu(tokenizer_of(language, mode)).tokenizer_signature)
    segmenter = segmenter_of(language, mode)
    return _named(segmenter) if segmenter else "blanks"


@cache
def _signature_of_bleu(tokenizer: Tokenizer) -> str:
    metric = _bleu(tokenizer)
    metric.corpus_score([""], [["word"]])
    return str(metric.get_signature())


def _tokenizer(name: Tokenizer) -> Callable[[str], str]:
    found: Callable[[str], str] = _bleu(name).tokenizer
    return found


@cache
def _bleu(tokenizer: Tokenizer) -> BLEU:
    try:
        return BLEU(tokenize=tokenizer)
    except (RuntimeError, AssertionError, ImportError) as error:  # of MeCab, or of another dictionary than it wants
        raise _unusable(f"sacreBLEU's tokeniser {tokenizer}", error) from error


def _named(segmenter: Segmenter) -> str:
    if segmenter == "jieba":
        return f"jieba-{version('jieba')}"
    return f"mecab-{version('mecab-python3')}-unidic-lite-{version('unidic-lite')}"


@cache
def _segment(segmenter: Segmenter) -> Callable[[str], str]:
    return _jieba() if segmenter == "jieba" else _mecab()


def _jieba() -> Callable[[str], str]:
    module = _imported("jieba")
    cutter = module.Tokenizer()
    # Left to itself, it loads what any user of this machine may have put into the folder of temporary files.
    cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
    cutter.initialized = True
    return lambda text: " ".join(cutter.cut(text))


def _mecab() -> Callable[[str], str]:
    module, dictionary = _imported("MeCab"), _imported("unidic_lite").DICDIR
    try:
        # With the dictionary named: mecab-python3 would prefer a full UniDic where one is installed, too.
        tagger = module.Tagger(f'-r "{dictionary}/mecabrc" -d "{dictionary}" -Owakati')
    except RuntimeError as error:
        raise _unusable("MeCab with UniDic", error) from error
    return lambda text: str(tagger.parse(text)).strip()


def _imported(module: str) -> ModuleType:
    try:
        return import_module(module)
    except ImportError as error:
        raise _unusable(module, error) from error


def _unusable(what: str, error: BaseException) -> LibraryError:
    return LibraryError(f"Captions cannot be scored here: {what} cannot be loaded: {first_line(error)}.", INSTALL)
