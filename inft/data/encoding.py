"""One row and its picture -> token ids, labels and the model's other inputs.

Only the article gives way when a row is too long: picture and caption are always whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import torch
from PIL.Image import Image
from transformers import AyaVisionProcessor, BatchEncoding, MllamaProcessor

from inft.config import Config
from inft.data.prompt import PromptParts, SpecialTokenGuard
from inft.data.rows import Row, UnusableRow
from inft.errors import ConfigError

IGNORE_INDEX = -100

Processor: TypeAlias = MllamaProcessor | AyaVisionProcessor

TileCount: TypeAlias = Callable[[Processor, int, int], int]
"""How many tiles a family's processor cuts a picture of a width and a height in pixels into."""

ImageText: TypeAlias = Callable[[Processor, int], str]
"""What it writes into the text for a picture of so many tiles."""


@dataclass(frozen=True)
class EncodingLimits:
    """How much of a row the model is shown; `None` = no limit of its own."""

    max_length: int
    """Tokens of the whole row, the picture's included."""
    article_chars: int | None
    article_tokens: int | None
    include_title: bool

    @classmethod
    def of(cls, config: Config) -> EncodingLimits:
        """Those that a configuration sets."""
        return cls(
            max_length=config.basic.max_length,
            article_chars=config.data.article_chars,
            article_tokens=config.data.article_tokens,
            include_title=config.data.include_title,
        )


@dataclass(frozen=True)
class EncodedRow:
    """One row as the model sees it; T tokens.

    `labels` is -100 but on the caption and the tokens that end it. `extra` holds the processor's other tensors, each
    with a leading batch dimension of 1 (Aya's `pixel_values`: of L tiles).
    """

    input_ids: torch.Tensor  # (T,) int64
    labels: torch.Tensor  # (T,) int64
    extra: Mapping[str, torch.Tensor]
    prompt_tokens: int
    image_span: tuple[int, int]
    """First token of the picture and the one behind its last."""
    article_cut: str
    """The end of the article, which the model is not shown."""


class RowLength(NamedTuple):
    """What `RowEncoder.encode` would make of a row, counted."""

    tokens: int
    tiles: int
    supervised: int
    article_cut: int
    """Characters of the article that the model is not shown."""


@dataclass(frozen=True)
class _Picture:
    """What stands for a picture in the text."""

    tiles: int
    text: str
    tokens: int
    stands_apart: bool
    """Whether the text takes as many tokens in its place as alone, so that its thousands need not be made anew."""


@dataclass(frozen=True)
class _LaidOut:
    """A row that fits."""

    parts: PromptParts
    text: str
    """As the template renders it, with one token for the picture."""
    encoding: BatchEncoding
    """Of `text`, or where `expanded` of the text with all that stands for the picture."""
    tokens: int
    expanded: bool


class RowTooLong(UnusableRow):
    """A row whose picture, instruction and caption alone exceed the limit.

    Attributes:
        needed: tokens that these take.
    """

    cause = "too_long"

    def __init__(self, place: str, needed: int, max_length: int) -> None:
        super().__init__(
            place, f"picture, instruction and caption take {needed} tokens, basic.max_length is {max_length}"
        )
        self.needed = needed


class RowEncoder:
    """Lays a row out with the checkpoint's chat template and runs its processor once.

    Args:
        processor: the checkpoint's own processor.
        tile_count: how many tiles the family has for a picture.
        image_text: its text for them (`<|image|>`, or Aya's tiles).
        language_names: English name of each language.
        limits: what is shortened, and to what.
    """

    def __init__(
        self,
        processor: Processor,
        tile_count: TileCount,
        image_text: ImageText,
        language_names: Mapping[str, str],
        limits: EncodingLimits,
    ) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self._tile_count = tile_count
        self._image_text = image_text
        self._language_names = language_names
        self._limits = limits
        # Cohere's tokenizers declare some of their control tokens (`<|USER_TOKEN|>`) as not special.
        added = [token.content for token in self.tokenizer.added_tokens_decoder.values()]
        self._guard = SpecialTokenGuard([processor.image_token, *self.tokenizer.all_special_tokens, *added])
        # Where one of these stands, a tokenizer begins anew: what is before and behind does not see each other.
        self._walls = tuple(
            token.content
            for token in self.tokenizer.added_tokens_decoder.values()
            if not (token.normalized or token.lstrip or token.rstrip or token.single_word)
        )
        self._tiles: dict[tuple[int, int], int] = {}
        self._pictures: dict[int, _Picture] = {}

    def encode(self, row: Row, image: Image) -> EncodedRow:
        """The row with its caption.

        Args:
            row: texts in any script; its caption is not empty.
            image: RGB, upright.

        Raises:
            RowTooLong: the row does not fit even without its article.
            ConfigError: the chat template does not render prompt and caption one behind the other.
        """
        picture = self._picture(image.width, image.height)
        whole = self._parts(row)
        fitting = self._fit(whole, picture, row.place)
        shown, text, prompt = fitting.parts, fitting.text, self._render(fitting.parts, with_caption=False)
        inputs = self._process(text, image)
        ids = inputs.pop("input_ids")[0]
        prompt_ids = self._tokenize(self._expand(prompt, picture.text))
        # A template that leaves the answer's header out of the prompt would have the model learn the header.
        caption_follows = text[len(prompt) :].lstrip().startswith(shown.caption)
        if ids[: len(prompt_ids)].tolist() != prompt_ids or not caption_follows:
            raise ConfigError(
                "The checkpoint's chat template does not render the prompt as the beginning of prompt and caption, so "
                "where the caption starts cannot be told.",
                "Use the released checkpoint's own chat template.",
            )
        return EncodedRow(
            input_ids=ids,
            labels=self._labels(ids, len(prompt_ids)),
            extra=inputs,
            prompt_tokens=len(prompt_ids),
            image_span=self._image_span(text, picture.text),
            article_cut=whole.article[len(shown.article) :],
        )

    def encode_prompt(self, row: Row, image: Image) -> EncodedRow:
        """The row up to where the model answers, for generation; nothing is supervised.

        Raises:
            RowTooLong: as `encode`; the reference caption keeps its room, so that both are shown the same article.
        """
        picture = self._picture(image.width, image.height)
        whole = self._parts(row)
        shown = self._fit(whole, picture, row.place).parts
        text = self._render(shown, with_caption=False)
        inputs = self._process(text, image)
        ids = inputs.pop("input_ids")[0]
        return EncodedRow(
            input_ids=ids,
            labels=torch.full_like(ids, IGNORE_INDEX),
            extra=inputs,
            prompt_tokens=len(ids),
            image_span=self._image_span(text, picture.text),
            article_cut=whole.article[len(shown.article) :],
        )

    def measure(self, row: Row, width: int, height: int) -> RowLength:
        """How long `encode` would make the row, for a picture of which only the size is known.

        Args:
            row: as in `encode`.
            width: of the upright picture, in pixels.
            height: likewise.

        Raises:
            RowTooLong: as `encode`.
            ConfigError: the chat template does not end an answer; that it renders prompt and caption one behind the
                other is not checked here.
        """
        picture = self._picture(width, height)
        whole = self._parts(row)
        fitting = self._fit(whole, picture, row.place)
        prompt = self._render(fitting.parts, with_caption=False)
        if fitting.expanded:
            prompt = self._expand(prompt, picture.text)
        answer = fitting.encoding.char_to_token(len(prompt))
        if answer is None:
            answer = len(self._tokenize(prompt))
        ids: list[int] = fitting.encoding["input_ids"]
        end = next((place for place in range(len(ids), answer, -1) if ids[place - 1] == self._eos), None)
        if end is None:
            raise self._endless_answer()
        return RowLength(
            tokens=fitting.tokens,
            tiles=picture.tiles,
            supervised=end - answer,
            article_cut=len(whole.article) - len(fitting.parts.article),
        )

    @property
    def _eos(self) -> int:
        eos: int = self.tokenizer.eos_token_id
        return eos

    def _parts(self, row: Row) -> PromptParts:
        disarm = self._guard.disarm
        return PromptParts(
            language_name=self._language_names[row.language],
            title=disarm(row.title.strip()) if self._limits.include_title else "",
            article=disarm(row.content.strip()),
            caption=disarm(row.caption.strip()),
        )

    def _fit(self, parts: PromptParts, picture: _Picture, place: str) -> _LaidOut:
        """`parts` laid out with as much of its article as the limits leave room for."""
        limits = self._limits
        if limits.article_chars is not None:
            parts = replace(parts, article=parts.article[: limits.article_chars])
        if limits.article_tokens is not None:
            parts = replace(parts, article=self._first_tokens(parts.article, limits.article_tokens))
        fitting = self._lay_out(parts, picture)
        budget = len(self._tokenize(parts.article)) if fitting.tokens > limits.max_length else 0
        while fitting.tokens > limits.max_length:
            if not parts.article:
                raise RowTooLong(place, fitting.tokens, limits.max_length)
            # A shortened article can take a token more in its place than alone, hence the loop.
            budget = max(0, budget - (fitting.tokens - limits.max_length))
            parts = replace(parts, article=self._first_tokens(parts.article, budget))
            fitting = self._lay_out(parts, picture)
        return fitting

    def _first_tokens(self, text: str, count: int) -> str:
        """The longest beginning of `text` that ends where one of its first `count` tokens does."""
        if count == 0:
            return ""
        offsets = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        if len(offsets) <= count:
            return text
        # The bytes of one character may be spread over tokens; a character of which a part is over the limit goes.
        end: int = min(offsets[count - 1][1], offsets[count][0])
        return text[:end]

    def _lay_out(self, parts: PromptParts, picture: _Picture) -> _LaidOut:
        text = self._render(parts, with_caption=True)
        expanded = not picture.stands_apart
        encoding = self.tokenizer(self._expand(text, picture.text) if expanded else text, add_special_tokens=False)
        tokens = len(encoding["input_ids"]) + (0 if expanded else picture.tokens - 1)
        return _LaidOut(parts, text, encoding, tokens, expanded)

    def _picture(self, width: int, height: int) -> _Picture:
        tiles = self._tiles.get((width, height))
        if tiles is None:  # a processor takes as long over this as over the rest of a row's layout
            tiles = self._tiles[width, height] = self._tile_count(self.processor, width, height)
        picture = self._pictures.get(tiles)
        if picture is None:
            text = self._image_text(self.processor, tiles)
            apart = self.processor.image_token in self._walls and text.startswith(self._walls)
            apart = apart and text.endswith(self._walls)
            picture = self._pictures[tiles] = _Picture(tiles, text, len(self._tokenize(text)), apart)
        return picture

    def _render(self, parts: PromptParts, *, with_caption: bool) -> str:
        messages = parts.full_messages() if with_caption else parts.prompt_messages()
        rendered: str = self.processor.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=not with_caption
        )
        return rendered

    def _expand(self, text: str, image_text: str) -> str:
        return text.replace(self.processor.image_token, image_text, 1)

    def _tokenize(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _process(self, text: str, image: Image) -> dict[str, torch.Tensor]:
        # The template has written the BOS already. Pictures are decoded as H x W x C, and saying so keeps one of
        # three pixels' height from being taken for C x H x W.
        inputs: Mapping[str, Any] = self.processor(
            images=[image],
            text=[text],
            add_special_tokens=False,
            input_data_format="channels_last",
            return_tensors="pt",
        )
        return {name: tensor for name, tensor in inputs.items() if name != "attention_mask"}

    def _labels(self, ids: torch.Tensor, prompt_tokens: int) -> torch.Tensor:
        """`ids` from the answer's first token through its end-of-turn token, -100 elsewhere."""
        ends = (ids[prompt_tokens:] == self._eos).nonzero()
        if len(ends) == 0:
            raise self._endless_answer()
        end = prompt_tokens + int(ends[-1]) + 1
        labels = torch.full_like(ids, IGNORE_INDEX)
        labels[prompt_tokens:end] = ids[prompt_tokens:end]
        return labels

    def _endless_answer(self) -> ConfigError:
        return ConfigError(
            f"The checkpoint's chat template does not end an answer with {self.tokenizer.eos_token!r}, so the "
            "model would never learn to stop.",
            "Use the released checkpoint's own chat template and tokenizer.",
        )

    def _image_span(self, text: str, image_text: str) -> tuple[int, int]:
        start_char = text.index(self.processor.image_token)
        before = len(self._tokenize(text[:start_char]))
        return before, before + len(self._tokenize(image_text))
