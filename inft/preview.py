"""`inft-tui preview`: one row of the corpus as the model is shown it, token by token, by part.

Only the processor is loaded, and libraries that take seconds to import only once the command line is known to be good.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.text import Text

from inft.edge import Parser, exit_code_of, quieten_libraries, write_json
from inft.errors import ConfigError, DataError
from inft.loading import quick_loading
from inft.params import MUNIChusLoadConfig
from inft.profiles import list_profiles, resolve
from inft.project import project_root
from inft.runs.redact import storable
from inft.runs.visible import visible
from inft.wording import did_you_mean, shown

if TYPE_CHECKING:
    from inft.config import Config
    from inft.data.collators import CaptionCollator
    from inft.data.encoding import EncodedRow, Processor
    from inft.data.munichus import Selection

PartName = Literal["prompt", "image", "caption", "rest"]
"""Caption = what is supervised; rest = what a chat template writes behind the end of the answer."""

COLORS: dict[PartName | Literal["cut"], tuple[str, str]] = {
    "prompt": ("cyan", "bright_cyan"),
    "image": ("magenta", "bright_magenta"),
    "caption": ("green", "bright_green"),
    "rest": ("white", "bright_white"),
    "cut": ("red", "red"),
}
"""Two shades each, taken in turns, so that one can see where a token ends."""

BOUNDARY = "·"
"""Stands between two tokens where there is no colour."""

BROKEN_CHARACTER = "\ufffd"


@dataclass(frozen=True)
class Piece:
    """The least number of tokens that make whole characters; or all of a run of a picture's tokens."""

    text: str
    tokens: int


@dataclass(frozen=True)
class Part:
    """Neighbouring tokens that mean the same to the training."""

    part: PartName
    tokens: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Picture:
    """Its size as the processor gets it, upright, in pixels."""

    width: int
    height: int
    tiles: int


@dataclass(frozen=True)
class Counts:
    """Tokens of each kind; `prompt_tokens` leaves the picture's out."""

    image_tokens: int
    prompt_tokens: int
    supervised_tokens: int
    total_tokens: int
    max_length: int
    article_cut_chars: int


@dataclass(frozen=True)
class RowPreview:
    """One row as the model is shown it.

    Attributes:
        row: its number among the rows that could be chosen, which are `rows`.
        place: where it stands in the corpus.
        parts: all of its tokens, in order.
        cut: the end of its article, which the model is not shown.
    """

    profile: str
    family: str
    split: str
    row: int
    rows: int
    language: str
    language_name: str
    place: str
    picture: Picture
    counts: Counts
    parts: tuple[Part, ...]
    cut: str


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; whatever goes wrong is a sentence on stderr and an exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    quieten_libraries()
    as_json = "--json" in arguments  # known even where the rest of the command line is not understood

    def work() -> None:
        options = _parser().parse_args(arguments)
        _show(_preview(options), as_json=options.json)

    return exit_code_of(work, as_json=as_json)


def parts_of(row: EncodedRow, processor: Processor) -> tuple[Part, ...]:
    """The row's tokens by what they are to the training."""
    ids: list[int] = row.input_ids.tolist()
    image_start, image_end = row.image_span
    # Nothing but the answer is supervised, and it is in one piece.
    answer_end = row.prompt_tokens + int((row.labels >= 0).sum())
    bounds: list[tuple[PartName, int, int]] = [
        ("prompt", 0, image_start),
        ("image", image_start, image_end),
        ("prompt", image_end, row.prompt_tokens),
        ("caption", row.prompt_tokens, answer_end),
        ("rest", answer_end, len(ids)),
    ]

    def decode(some: Sequence[int]) -> str:
        text: str = processor.tokenizer.decode(some, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    return tuple(
        Part(name, end - start, tuple(pieces(ids[start:end], decode, processor.image_token_id)))
        for name, start, end in bounds
        if end > start
    )


def pieces(ids: Sequence[int], decode: Callable[[Sequence[int]], str], image_token_id: int) -> Iterator[Piece]:
    r"""Cuts tokens where characters end, and takes each run of the picture's token as one.

    >>> list(pieces([7, 7, 65, 206, 177], lambda ids: bytes(ids).decode("utf-8", "replace"), 7))
    [Piece(text='\x07', tokens=2), Piece(text='A', tokens=1), Piece(text='α', tokens=2)]
    """
    start = 0
    while start < len(ids):
        end = start + 1
        if ids[start] == image_token_id:
            while end < len(ids) and ids[end] == image_token_id:
                end += 1
            yield Piece(decode(ids[start : start + 1]), end - start)
        else:
            while end < len(ids) and decode(ids[start:end]).endswith(BROKEN_CHARACTER):
                end += 1
            yield Piece(decode(ids[start:end]), end - start)
        start = end


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="inft-tui preview",
        description="Show one row's tokens as the model gets them: picture, prompt, caption and what is cut.",
        allow_abbrev=False,
    )
    parser.add_argument("--profile", metavar="NAME", help="a profile's name, or a .toml file")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="goes before the profile; repeatable"
    )
    parser.add_argument("--row", type=int, default=0, metavar="N", help="row of the selection, from 0 (default: 0)")
    parser.add_argument("--lang", metavar="CODE", help="count the rows of this language only")
    parser.add_argument("--split", metavar="NAME", help="default: the split that is trained on")
    parser.add_argument("--json", action="store_true", help="print it as one line of JSON")
    return parser


def _preview(options: argparse.Namespace) -> RowPreview:
    """What the command line asks for.

    Raises:
        InftError: anything that keeps the row from being shown.
    """
    if options.profile is None:
        names = ", ".join(summary.name for summary in list_profiles()) or "none"
        raise ConfigError(f"--profile is missing. There are: {names}.", "Name one, as in --profile demo_llama.")
    config = resolve(options.profile, options.set).config
    data = config.data if options.lang is None else _of_language(config, options.lang)
    split: str = options.split or config.data.split
    with Console(stderr=True).status("loading libraries", refresh_per_second=4) as status:
        with quick_loading():
            from inft.data.munichus import load_rows

        rows = load_rows(
            data,
            root=project_root(),
            split=split,
            on_open=lambda language, done, total: status.update(f"opening {language}, {done} of {total} done"),
            on_scan=lambda done, total: status.update(f"{done:,} of {total:,} rows"),
        )
        if not 0 <= options.row < len(rows):
            raise ConfigError(
                f"--row {options.row} is not among the {len(rows):,} rows of split {split}"
                + (f" in {options.lang}." if options.lang else "."),
                f"Rows count from 0 to {len(rows) - 1}.",
            )
        status.update("loading the processor")
        collator = _collator(config, rows, lambda done, total: status.update(f"{done:,} bytes fetched"))
    return _row_preview(config, split, collator, rows, options.row)


def _of_language(config: Config, language: str) -> MUNIChusLoadConfig:
    """`config.data` with no other language; a language's share of the rows does not depend on the others."""
    if language not in config.data.languages:
        near = did_you_mean([code for code, name in config.data.language_names.items() if name == language.title()])
        raise ConfigError(
            f"--lang {shown(language)} is none of the languages of profile {config.profile}: "
            f"{', '.join(config.data.languages)}.",
            near or "Choose one of them, or add it to data.languages.",
        )
    return replace(config.data, languages=(language,))


def _collator(config: Config, rows: Selection, progress: Callable[[int, int | None], None]) -> CaptionCollator:
    with quick_loading():
        from inft.data.encoding import EncodingLimits
        from inft.models.checkpoint import load_processor, locate_processor
        from inft.models.registry import FAMILIES

    family = FAMILIES[config.family]
    processor = load_processor(locate_processor(config, family, project_root(), progress), family)
    return family.collator(processor, rows, config.data.language_names, EncodingLimits.of(config))


def _row_preview(config: Config, split: str, collator: CaptionCollator, rows: Selection, number: int) -> RowPreview:
    from inft.data.encoding import RowTooLong
    from inft.data.images import open_image
    from inft.data.rows import UnusableRow

    try:
        row = rows[number]
        image = open_image(row.image)
        encoded = collator.encoder.encode(row, image)
    except RowTooLong as error:
        raise ConfigError(f"{error}.", "Raise basic.max_length; a run would leave this row out.") from error
    except UnusableRow as error:
        raise DataError(f"{error}.", "Mend the row; a run would leave it out.") from error
    parts = parts_of(encoded, collator.encoder.processor)

    def count(name: PartName) -> int:
        return sum(part.tokens for part in parts if part.part == name)

    return RowPreview(
        profile=config.profile,
        family=config.family,
        split=split,
        row=number,
        rows=len(rows),
        language=row.language,
        language_name=config.data.language_names[row.language],
        place=storable(row.place),
        picture=Picture(image.width, image.height, collator.tiles(encoded)),
        counts=Counts(
            image_tokens=count("image"),
            prompt_tokens=count("prompt"),
            supervised_tokens=count("caption"),
            total_tokens=len(encoded.input_ids),
            max_length=config.basic.max_length,
            article_cut_chars=len(encoded.article_cut),
        ),
        parts=parts,
        cut=encoded.article_cut,
    )


def _show(preview: RowPreview, *, as_json: bool) -> None:
    if as_json:
        write_json(asdict(preview))
        return
    in_color = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    # The terminal breaks long lines itself; only it knows how wide its Sinhala is.
    console = Console(highlight=False, soft_wrap=True, no_color=not in_color)
    for line in _lines(preview, in_color=in_color):
        if in_color:
            console.print(line)
        else:
            sys.stdout.write(line.plain + "\n")


def _lines(preview: RowPreview, *, in_color: bool) -> Iterator[Text]:
    counts, picture = preview.counts, preview.picture
    yield Text(
        visible(
            f"{preview.profile}: row {preview.row} of {preview.rows:,} in split {preview.split}, "
            f"{preview.language_name} ({preview.language}), {preview.place}"
        )
    )
    yield Text(f"picture {picture.width}x{picture.height}, {picture.tiles} {_plural('tile', picture.tiles)}")
    for part in preview.parts:
        title = f"{part.part}: {part.tokens:,} {_plural('token', part.tokens)}"
        if part.part == "caption":
            title += ", supervised"
        yield from _section(title, part.part, in_color=in_color)
        yield _token_text(part, in_color=in_color)
    if preview.cut:
        size = len(preview.cut)
        title = f"cut from the article's end: {size:,} {_plural('character', size)}"
        yield from _section(title, "cut", in_color=in_color)
        yield Text(visible(preview.cut), COLORS["cut"][0])
    yield Text()
    yield Text(
        f"image {counts.image_tokens:,} + prompt {counts.prompt_tokens:,} + supervised {counts.supervised_tokens:,} "
        f"= {counts.total_tokens:,} of {counts.max_length:,} tokens; "
        f"article cut by {counts.article_cut_chars:,} {_plural('character', counts.article_cut_chars)}"
    )


def _section(title: str, name: PartName | Literal["cut"], *, in_color: bool) -> Iterator[Text]:
    yield Text()
    yield Text(title if in_color else f"[{title}]", f"bold {COLORS[name][0]}")


def _token_text(part: Part, *, in_color: bool) -> Text:
    """The part's tokens; where several share a character or a run, their number stands behind them."""
    shades = COLORS[part.part]
    text = Text()
    for index, piece in enumerate(part.pieces):
        if index and not in_color:
            text.append(BOUNDARY)
        text.append(visible(piece.text), shades[index % 2])
        if piece.tokens > 1:
            text.append(f" x{piece.tokens} " if in_color else f" x{piece.tokens}", "dim")
    return text


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


if __name__ == "__main__":
    sys.exit(main())
