"""Rows become tokens: the caption and its end are supervised, the article gives way, pictures are seen upright."""

from __future__ import annotations

import io
import random
import re
import unicodedata
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers.processors import TemplateProcessing

from inft.data.encoding import IGNORE_INDEX, EncodedRow, RowTooLong
from inft.data.images import open_image
from inft.data.prompt import ZERO_WIDTH_SPACE
from inft.data.rows import ImageRef, Row
from inft.errors import ConfigError
from inft.params import FamilyName
from tests.processors import (
    BOTH,
    HEADERS,
    ROOMY,
    blank,
    collator,
    decode,
    demo_rows,
    fresh_processor,
    processor,
    some_row,
    supervised_text,
)

pytestmark = pytest.mark.parametrize("family", BOTH)

BROKEN_CHARACTER = "\ufffd"

CAPTIONS = {
    "plain": "President Anura Kumara Dissanayake in Colombo.",
    "braces": "{a} {{b}} {language} {0} }{ %s %(x)d $HOME",
    "quotes": "'single' \"double\" “curly” «guillemets» `tick`",
    "backslashes": "C:\\temp\\new \\n \\u0041 \\\\",
    "tabs and newlines": "one\ttwo\nthree\r\nfour\n\n\nfive   six",
    "Arabic": "الرئيس في القاهرة، يوم ٢٠٢٤ — «نعم»",
    "Urdu with marks": "وزیرِ اعظم نے کہا: \u200fلاہور\u200e میں۔",
    "emoji": "👩🏽\u200d🚀 🇱🇰 👨\u200d👩\u200d👧\u200d👦 ❤\ufe0f ☕",
    "Sinhala conjuncts": "ශ්\u200dරී ලංකාවේ ප්\u200dරජාතන්ත්\u200dරවාදී ක්\u200dෂේත්\u200dරය",
    "Hindi": "प्रधानमंत्री ने दिल्ली में कहा, क्ष त्र ज्ञ",
    "Chinese": "香港特別行政區行政長官李家超",
    "no break and zero width": "a\u00a0b\u2009c\u200bd\ufeffe",
    "begins like the template": "\u200b\u2029assistant\n\nx",
    "white space around": "  \n A caption in white space. \t\n",
    "one character": "x",
    "a broken character of the corpus": "caf\ufffd in Paris",
    "control characters": "bell \x07 escape \x1b[31m null \x00 end",
    "decomposed": "Cafe\u0301 क\u093cलम",
}


def as_tokenized(family: FamilyName, text: str) -> str:
    """Cohere's tokenizer composes characters before anything else; Llama's leaves them."""
    return unicodedata.normalize("NFC", text) if family == "aya" else text


def article_of(row: Row, encoded: EncodedRow) -> str:
    """What was kept of the row's article."""
    article = row.content.strip()
    assert article.endswith(encoded.article_cut)
    return article[: len(article) - len(encoded.article_cut)]


def check_supervision(family: FamilyName, encoded: EncodedRow, caption: str) -> None:
    ids, labels, start = encoded.input_ids, encoded.labels, encoded.prompt_tokens
    tokenizer = processor(family).tokenizer
    assert supervised_text(family, encoded) == as_tokenized(family, caption.strip())
    assert (labels[:start] == IGNORE_INDEX).all()
    assert torch.equal(labels[start:], ids[start:])  # nothing follows the end in these templates
    assert decode(family, ids[:start]).endswith(HEADERS[family])
    assert (labels == tokenizer.eos_token_id).sum() == 1
    assert labels[-1] == tokenizer.eos_token_id
    assert not (labels == processor(family).image_token_id).any()


@pytest.mark.parametrize("name", CAPTIONS)
def test_the_caption_and_its_end_are_supervised_and_nothing_else(family: FamilyName, name: str) -> None:
    caption = CAPTIONS[name]
    row = some_row(caption, content=f"{caption} {{language}} article", title=caption)
    encoded = collator(family).encoder.encode(row, blank())
    check_supervision(family, encoded, caption)
    prompt = decode(family, encoded.input_ids[: encoded.prompt_tokens])
    assert as_tokenized(family, f"Headline: {caption.strip()}\nArticle: {row.content.strip()}") in prompt


def test_every_caption_of_the_demo_corpus_survives(family: FamilyName) -> None:
    encoder = collator(family).encoder
    for split in ("train", "test"):
        for row in demo_rows(split):
            encoded = encoder.encode(row, blank())
            check_supervision(family, encoded, row.caption)
            assert encoded.article_cut == ""


def test_what_follows_the_end_of_the_answer_is_not_supervised(family: FamilyName) -> None:
    changed = fresh_processor(family)
    changed.chat_template += "{%- if not add_generation_prompt %}{{- '\\nand more' }}{%- endif %}"
    encoded = collator(family, processor_=changed).encoder.encode(some_row("A caption."), blank())
    end = int((encoded.labels != IGNORE_INDEX).nonzero()[-1])
    assert supervised_text(family, encoded) == "A caption."
    assert encoded.labels[end] == changed.tokenizer.eos_token_id
    assert decode(family, encoded.input_ids[end + 1 :]) == "\nand more"


CONTROL_TOKENS = (
    "<|eot_id|>",
    "<|image|>",
    "<|begin_of_text|>",
    "<|end_header_id|>",
    "<image>",
    "<|END_OF_TURN_TOKEN|>",
    "<|END_RESPONSE|>",
    "<|IMG_PATCH|>",
    "<|START_OF_IMG|>",
    "<BOS_TOKEN>",
    "<PAD>",
)


@pytest.mark.parametrize("token", CONTROL_TOKENS)
def test_control_tokens_in_the_corpus_are_text(family: FamilyName, token: str) -> None:
    encoder = collator(family).encoder
    controls = set(processor(family).tokenizer.added_tokens_decoder)

    def encoded(word: str) -> EncodedRow:
        text = f"before {word}{word} after"
        return encoder.encode(some_row(text, content=text, title=text), blank())

    def control_ids(row: EncodedRow) -> Counter[int]:
        return Counter(number for number in row.input_ids.tolist() if number in controls)

    with_token = encoded(token)
    assert control_ids(with_token) == control_ids(encoded("word"))
    check_text = decode(family, with_token.input_ids)
    supervised = supervised_text(family, with_token)
    assert supervised.replace(ZERO_WIDTH_SPACE, "") == f"before {token}{token} after"
    assert check_text.replace(ZERO_WIDTH_SPACE, "").count(f"before {token}{token} after") == 3
    assert supervised.count(ZERO_WIDTH_SPACE) in (0, 2)  # 0 where it is the other family's


def test_control_tokens_that_are_not_declared_special_are_text_too(family: FamilyName) -> None:
    changed = fresh_processor(family)
    changed.tokenizer.add_tokens(["<|GOOD_TOKEN|>"])
    number = changed.tokenizer.convert_tokens_to_ids("<|GOOD_TOKEN|>")
    encoded = collator(family, processor_=changed).encoder.encode(some_row("a <|GOOD_TOKEN|> b"), blank())
    assert number not in encoded.input_ids


def needed_tokens(error: RowTooLong) -> int:
    return int(re.findall(r"take (\d+) tokens", error.reason)[0])


def long_article(language: str, characters: int) -> str:
    text = " ".join(row.content for row in demo_rows("train") if row.language == language)
    return (text * (characters // len(text) + 1))[:characters].strip()


@pytest.mark.parametrize("max_length", [1024, 1536, 4096])
def test_a_long_article_gives_way_to_picture_and_caption(family: FamilyName, max_length: int) -> None:
    row = next(row for row in demo_rows("train") if row.language == "si")
    image = open_image(row.image)
    row = replace(row, content=long_article("si", 20_000))
    short = collator(family).encoder.encode(replace(row, content=""), image)
    encoded = collator(family, limits=replace(ROOMY, max_length=max_length)).encoder.encode(row, image)

    assert 0.95 * max_length <= len(encoded.input_ids) <= max_length
    check_supervision(family, encoded, row.caption)
    last = encoded.image_span[1]
    assert encoded.image_span == short.image_span
    assert torch.equal(encoded.input_ids[:last], short.input_ids[:last])
    assert (encoded.input_ids == processor(family).image_token_id).sum() > 0
    assert all(torch.equal(encoded.extra[name], short.extra[name]) for name in encoded.extra if "cross" not in name)
    kept, text = article_of(row, encoded), decode(family, encoded.input_ids)
    assert kept
    assert encoded.article_cut
    assert BROKEN_CHARACTER not in text
    turn_ends = processor(family).tokenizer.eos_token
    assert f"Article: {as_tokenized(family, kept)}{turn_ends}" in text


def test_an_article_that_just_fits_is_whole(family: FamilyName) -> None:
    row = some_row(content=long_article("hi", 3_000))
    length = len(collator(family).encoder.encode(row, blank()).input_ids)
    for max_length, whole in ((length, True), (length - 1, False)):
        encoded = collator(family, limits=replace(ROOMY, max_length=max_length)).encoder.encode(row, blank())
        assert (encoded.article_cut == "") == whole
        assert len(encoded.input_ids) <= max_length


def test_any_article_is_cut_between_characters(family: FamilyName) -> None:
    rng = random.Random(20)
    words = [word for row in demo_rows("train") for word in row.content.split()]
    words += ["👩🏽\u200d🚀", "ශ්\u200dරී", "e\u0301", "{x}", "<image>", "\n", "𐎀", "\u200b", "\\"]
    refused = []
    for _ in range(150):
        row = some_row(
            " ".join(rng.sample(words, rng.randint(1, 30))),
            content=" ".join(rng.choices(words, k=rng.randint(0, 400))),
            title=" ".join(rng.sample(words, rng.randint(0, 8))),
            language=rng.choice(["si", "ur", "zh"]),
        )
        max_length = rng.randint(200, 1200)
        limits = replace(
            ROOMY,
            max_length=max_length,
            article_chars=rng.choice([None, rng.randint(0, 2000)]),
            article_tokens=rng.choice([None, None, rng.randint(0, 500)]),
            include_title=rng.random() < 0.5,
        )
        encoder = collator(family, limits=limits).encoder
        try:
            encoded = encoder.encode(row, blank())
        except RowTooLong as error:
            refused.append((needed_tokens(error), max_length))
            continue
        assert len(encoded.input_ids) <= max_length
        text = decode(family, encoded.input_ids)
        assert BROKEN_CHARACTER not in text
        supervised = supervised_text(family, encoded).replace(ZERO_WIDTH_SPACE, "")
        assert supervised == as_tokenized(family, row.caption.strip()).replace(ZERO_WIDTH_SPACE, "")
        if encoded.article_cut and limits.article_chars is None and limits.article_tokens is None:
            assert len(encoded.input_ids) >= max_length - 12
        prompt = encoder.encode_prompt(row, blank())
        assert torch.equal(prompt.input_ids, encoded.input_ids[: encoded.prompt_tokens])
    assert 0 < len(refused) < 50
    assert all(needed > max_length for needed, max_length in refused)


@pytest.mark.parametrize("count", [0, 1, 2, 17, 100, 1_000])
@pytest.mark.parametrize("language", ["en", "si", "yue"])
def test_article_tokens_is_honoured(family: FamilyName, count: int, language: str) -> None:
    row = some_row(content=long_article(language, 5_000), language=language)
    encoded = collator(family, limits=replace(ROOMY, article_tokens=count)).encoder.encode(row, blank())
    kept = article_of(row, encoded)
    tokens = len(processor(family).tokenizer(kept, add_special_tokens=False)["input_ids"])
    # A character of which the last token holds a part goes as a whole.
    assert tokens == count if language == "en" else count - 3 <= tokens <= count
    assert ("Article:" in decode(family, encoded.input_ids)) == bool(kept)


@pytest.mark.parametrize("count", [0, 1, 30, 1_200, 5_000, 9_999])
def test_article_chars_is_honoured(family: FamilyName, count: int) -> None:
    row = some_row(content=long_article("ar", 5_000), language="ar")
    encoded = collator(family, limits=replace(ROOMY, article_chars=count)).encoder.encode(row, blank())
    assert article_of(row, encoded) == row.content[:count]
    assert ("Article:" in decode(family, encoded.input_ids)) == (count > 0)


def test_the_stricter_of_the_two_limits_counts(family: FamilyName) -> None:
    row = some_row(content=long_article("en", 5_000))

    def kept(**limits: Any) -> str:
        return article_of(row, collator(family, limits=replace(ROOMY, **limits)).encoder.encode(row, blank()))

    assert kept(article_chars=100, article_tokens=1_000) == kept(article_chars=100)
    assert kept(article_chars=4_000, article_tokens=10) == kept(article_tokens=10)


def test_the_title_is_left_out_on_request(family: FamilyName) -> None:
    encoder = collator(family, limits=replace(ROOMY, include_title=False)).encoder
    assert "Headline" not in decode(family, encoder.encode(some_row(), blank()).input_ids)


def test_a_row_that_cannot_fit_names_what_it_needs(family: FamilyName) -> None:
    row = some_row("A long caption. " * 30, content="Some article. " * 100)
    with pytest.raises(RowTooLong, match=r"take \d+ tokens, basic\.max_length is 90$") as caught:
        collator(family, limits=replace(ROOMY, max_length=90)).encoder.encode(row, blank())
    assert (caught.value.cause, caught.value.place) == ("too_long", row.place)
    needed = needed_tokens(caught.value)

    encoded = collator(family, limits=replace(ROOMY, max_length=needed)).encoder.encode(row, blank())
    assert len(encoded.input_ids) == needed
    assert encoded.article_cut == row.content.strip()
    check_supervision(family, encoded, row.caption)
    for method in ("encode", "encode_prompt"):
        encoder = collator(family, limits=replace(ROOMY, max_length=needed - 1)).encoder
        with pytest.raises(RowTooLong, match=f"take {needed} tokens"):
            {"encode": encoder.encode, "encode_prompt": encoder.encode_prompt}[method](row, blank())


GENERATION_PROMPT = {
    "llama32": "{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}\n{%- endif %}",
    "aya": "{{- '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_RESPONSE|>' }}\n{%- endif %}",
}
TURN_END = {"llama32": "{{- '<|eot_id|>' }}", "aya": "{{- '<|END_OF_TURN_TOKEN|>' }}"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(("generation", "{{- 'x' }}{%- endif %}"), "the beginning of prompt", id="another opening"),
        pytest.param(("generation", "{%- endif %}"), "the beginning of prompt", id="no opening: header in the answer"),
        pytest.param(("text", "{{- part['text'] | upper }}"), "the beginning of prompt", id="another caption"),
        pytest.param(("end", ""), "does not end an answer", id="no end"),
    ],
)
def test_a_template_that_cannot_be_trained_on_is_refused(
    family: FamilyName, change: tuple[str, str], message: str
) -> None:
    where, replacement = change
    old = {"generation": GENERATION_PROMPT[family], "text": "{{- part['text'] }}", "end": TURN_END[family]}[where]
    changed = fresh_processor(family)
    assert changed.chat_template.count(old) == 1
    changed.chat_template = changed.chat_template.replace(old, replacement)
    with pytest.raises(ConfigError, match=message):
        collator(family, processor_=changed).encoder.encode(some_row(), blank())


def test_a_caption_that_would_merge_with_its_header_is_refused(family: FamilyName) -> None:
    changed = fresh_processor(family)
    # A space before a word is part of the word's first token in either tokenizer.
    answer, opening = ("message['role'] == 'assistant'", "add_generation_prompt")
    changed.chat_template = (
        "{{- bos_token }}{%- for message in messages %}{%- if " + answer + " %}{{- 'Answer: ' }}{%- endif %}"
        "{%- for part in message['content'] %}{{- part['text'] if part['type'] == 'text' else '"
        + changed.image_token
        + "' }}{%- endfor %}{{- eos_token }}{%- endfor %}{%- if "
        + opening
        + " %}{{- 'Answer: ' }}{%- endif %}"
    )
    with pytest.raises(ConfigError, match="the beginning of prompt"):
        collator(family, processor_=changed).encoder.encode(some_row("the people"), blank())


def test_a_tokenizer_that_begins_every_text_adds_nothing_to_the_templates_own(family: FamilyName) -> None:
    changed = fresh_processor(family)
    begin, number = changed.tokenizer.bos_token, changed.tokenizer.bos_token_id
    changed.tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{begin} $A", special_tokens=[(begin, number)]
    )
    assert changed.tokenizer("x")["input_ids"][0] == number
    for method in ("encode", "encode_prompt"):
        ours, usual = (
            {"encode": encoder.encode, "encode_prompt": encoder.encode_prompt}[method](some_row(), blank())
            for encoder in (collator(family, processor_=changed).encoder, collator(family).encoder)
        )
        assert torch.equal(ours.input_ids, usual.input_ids)
        assert (ours.image_span, ours.prompt_tokens) == (usual.image_span, usual.prompt_tokens)


def photograph(width: int = 96, height: int = 64) -> Image.Image:
    """Noise, so that no transposition looks like another."""
    pixels = np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels, "RGB")


def file_of(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned() -> tuple[bytes, Image.Image]:
    exif = Image.Exif()
    exif[0x0112] = 6
    return file_of(photograph().transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif), photograph()


def converted(mode: str, kind: str = "PNG") -> tuple[bytes, Image.Image]:
    image = photograph().convert(mode)
    return file_of(image, kind), image.convert("RGB")


PICTURES = {
    "turned by EXIF": turned(),
    "L": converted("L"),
    "RGBA": converted("RGBA"),
    "CMYK": converted("CMYK", "TIFF"),
    "P": converted("P"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_reach_the_processor_upright_and_in_rgb(family: FamilyName, name: str) -> None:
    data, expected = PICTURES[name]
    encoder = collator(family).encoder
    image = open_image(ImageRef(data, "here"))
    ours, reference = encoder.encode(some_row(), image), encoder.encode(some_row(), expected)
    assert torch.equal(ours.input_ids, reference.input_ids)
    for key in reference.extra:
        assert torch.equal(ours.extra[key], reference.extra[key])


@pytest.mark.parametrize("size", [(40, 3), (3, 40), (3, 3), (1, 1), (200, 1)])
def test_a_picture_of_few_pixels_is_not_taken_for_its_channels(family: FamilyName, size: tuple[int, int]) -> None:
    image = photograph(*size)
    encoded = collator(family).encoder.encode(some_row(), image)
    expected = processor(family)(
        images=[np.asarray(image).transpose(2, 0, 1)],
        text=["<|image|>" if family == "llama32" else "<image>"],
        input_data_format="channels_first",
        return_tensors="pt",
    )
    assert torch.equal(encoded.extra["pixel_values"], expected["pixel_values"])


@pytest.mark.parametrize("size", [(976, 549), (549, 976), (800, 600), (300, 300), (1500, 200)])
def test_the_text_holds_the_tokens_of_all_tiles(family: FamilyName, size: tuple[int, int]) -> None:
    encoded = collator(family).encoder.encode(some_row(), blank(*size))
    first, last = encoded.image_span
    ids = encoded.input_ids
    image_token_id = processor(family).image_token_id
    if family == "llama32":
        assert ids[first:last].tolist() == [image_token_id]
        assert (encoded.extra["cross_attention_mask"][0, :first] == 0).all()
        assert (
            encoded.extra["cross_attention_mask"][0, first:].sum(dim=(1, 2)) == collator(family).tiles(encoded)
        ).all()
    else:
        per_tile = (56 // 28) ** 2
        tiles = len(encoded.extra["pixel_values"])
        assert tiles == collator(family).tiles(encoded)
        assert (ids == image_token_id).sum() == (ids[first:last] == image_token_id).sum() == tiles * per_tile
        assert decode(family, ids[first : first + 1]) == "<|START_OF_IMG|>"
        assert decode(family, ids[last - 1 : last]) == "<|END_OF_IMG|>"


def test_tiles_are_counted_as_the_processor_cuts_them_whatever_the_image_processor_says(family: FamilyName) -> None:
    changed = fresh_processor(family)
    changed.image_processor.crop_to_patches = False  # the class's default, in a preprocessor_config.json without it
    encoded = collator(family, processor_=changed).encoder.encode(some_row(), blank(976, 549))
    assert torch.equal(encoded.input_ids, collator(family).encoder.encode(some_row(), blank(976, 549)).input_ids)


def test_the_processor_runs_once_per_row(family: FamilyName) -> None:
    counted = fresh_processor(family)
    calls: Counter[str] = Counter()

    def counting(part: Any, name: str) -> None:
        cls = type(part)

        class Counting(cls):
            def __call__(self, *args: Any, **kwargs: Any) -> Any:
                calls[name] += 1
                return super().__call__(*args, **kwargs)

        part.__class__ = Counting

    counting(counted, "processor")
    counting(counted.image_processor, "image processor")
    limits = replace(ROOMY, max_length=400, article_tokens=2_000)
    encoder = collator(family, limits=limits, processor_=counted).encoder
    encoded = encoder.encode(some_row(content=long_article("si", 20_000)), blank())
    assert encoded.article_cut
    assert calls == {"processor": 1, "image processor": 1}
    encoder.encode_prompt(some_row(), blank())
    assert calls == {"processor": 2, "image processor": 2}
