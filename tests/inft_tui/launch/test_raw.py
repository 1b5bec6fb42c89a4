"""Values as they are typed: what is shown for one reads as just that one, in the editor and behind `--set`."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from inft.profiles import FieldInfo, describe_fields, resolve
from inft.profiles.knobs import fields_by_key
from inft_tui.launch.draft import value_of
from inft_tui.launch.raw import number_text, raw_text, read, refusal

AWKWARD = (
    "a",
    "en",
    "true",
    "1e5",
    "none of them",
    'a "b"',
    " x ",
    "it's",
    "a,b",
    "[x]",
    "{y}",
    "日本",
    "\x7f\t\\",
    "#",
)


def any_value(info: FieldInfo, dice: random.Random) -> object:
    """One that the key can have."""
    if info.optional and dice.random() < 0.2:
        return None
    match info.kind:
        case "bool":
            return dice.random() < 0.5
        case "choice":
            return dice.choice(info.choices)
        case "int":
            return _within(info, dice, [dice.randrange(0, 5), dice.randrange(1, 2000), 40, 64])
        case "float":
            return _within(info, dice, [dice.random(), float(dice.randrange(1, 900)), 10.0 ** -dice.randrange(1, 9)])
        case "list":
            return tuple(dice.choice(AWKWARD) for _ in range(dice.randrange(1, 4)))
        case "table":
            return {key: dice.choice(AWKWARD) for key in dice.sample(("image", "en", "a.b", 'q"'), 2)}
        case "text":
            return "small" if info.key == "profile" else dice.choice(AWKWARD)


def _within(info: FieldInfo, dice: random.Random, values: list[int] | list[float]) -> object:
    dice.shuffle(values)
    for value in (*values, info.default, 0.5):
        try:
            return msgspec.convert(value, info.annotation)
        except msgspec.ValidationError:
            continue
    raise AssertionError(info.key)


@pytest.mark.parametrize("seed", range(5))
def test_every_value_of_every_key_reads_as_itself(seed: int) -> None:
    dice = random.Random(seed)
    for info in describe_fields():
        value = any_value(info, dice)
        if value == "none" and info.optional:
            continue
        assert read(info, raw_text(info, value)) == value, info.key
        assert refusal(info, raw_text(info, value)) == ""


def test_set_reads_it_just_so(project: Path) -> None:
    dice = random.Random(3)
    keys = ("sft.lr", "basic.aya_model_name", "data.max_rows_per_lang", "data.split")
    infos = [
        fields_by_key()[key] for key in (*keys, "qlora.skip_modules", "lora.target_modules", "sft.save_total_limit")
    ]
    for _ in range(20):
        wanted = {info.key: any_value(info, dice) for info in infos}
        wanted["basic.aya_model_name"] = "owner/name"
        config = resolve("small", [f"{info.key}={raw_text(info, wanted[info.key])}" for info in infos]).config
        assert {info.key: value_of(config, info) for info in infos} == wanted


def test_as_few_quotes_as_that_allows() -> None:
    def shown(key: str, value: object) -> str:
        return raw_text(fields_by_key()[key], value)

    assert shown("data.languages", ("en", "fr")) == "en, fr"
    assert shown("data.languages", ("en fr", "x")) == '["en fr", "x"]'
    assert shown("qlora.skip_modules", ()) == "[]"
    assert shown("basic.revision", "main") == "main"
    assert shown("basic.revision", ' "x"') == '" \\"x\\""'
    assert shown("sft.max_steps", None) == "none"


def test_numbers_lose_nothing() -> None:
    dice = random.Random(1)
    for _ in range(500):
        value = dice.random() * 10.0 ** dice.randrange(-12, 12)
        assert float(number_text(value)) == value


@pytest.mark.parametrize(
    ("key", "raw", "words"),
    [
        ("sft.lr", "abc", "It must be a number above 0 and at most 1."),
        ("sft.lr", "2", "It must be a number above 0 and at most 1."),
        ("lora.r", "8.5", "It must be a whole number from 1 to 1024."),
        ("basic.attn_impl", "sdp", "Did you mean sdpa?"),
        ("data.languages", "", "a list of texts with at least 1"),
        ("sft.max_steps", "", 'or "none"'),
        ("sft.lr", "nan", "It must be a number"),
    ],
)
def test_what_is_no_value_is_refused_in_a_sentence(key: str, raw: str, words: str) -> None:
    assert words in refusal(fields_by_key()[key], raw)
