"""One value changed in a profile's text: what a person wrote around it stays, and what comes to it stands well."""

import tomllib

import pytest

from inft.profiles.edits import with_value
from inft.profiles.item_edits import with_items
from inft.profiles.outline import find, outline

LANGUAGES = ("data", "languages")

HEADED = """\
# Why.

family = "aya"
# What is tried.
[sft]
lr = 1e-4
# 2e-4 diverged.

# --- the corpus

[data]
source = "demo"
# By hand:
[data.columns]
image = "photo"  # theirs
"""


@pytest.mark.parametrize(
    ("key", "value", "behind", "line"),
    [
        ("mode", "advanced", 'family = "aya"\n', 'mode = "advanced"\n'),
        ("sft.save_steps", 7, "# 2e-4 diverged.\n", "save_steps = 7\n"),
        ("data.batch_size", 2, 'source = "demo"\n', "batch_size = 2\n"),
        ("data.columns.caption", "text", "# theirs\n", 'caption = "text"\n'),
        ("data.language_names.zh-TW", "Mandarin", 'source = "demo"\n', 'language_names.zh-TW = "Mandarin"\n'),
        ("basic.seed", 1, 'family = "aya"\n', "\n[basic]\nseed = 1\n\n"),
        ("lora.r", 8, 'family = "aya"\n', "\n[lora]\nr = 8\n\n"),
    ],
)
def test_a_new_key_stands_below_the_last_of_its_table(key: str, value: object, behind: str, line: str) -> None:
    assert with_value(HEADED, tuple(key.split(".")), value) == HEADED.replace(behind, behind + line)


@pytest.mark.parametrize(
    ("text", "key", "wanted"),
    [
        ('family = "aya"', "sft.lr", 'family = "aya"\n\n[sft]\nlr = 5\n'),
        ("", "mode", "mode = 5\n"),
        ("[sft]\n", "mode", "mode = 5\n\n[sft]\n"),
        ("# Why\n\n[sft]\n", "mode", "# Why\nmode = 5\n\n[sft]\n"),
        ("# Of it\n[sft]\nlr = 1", "mode", "mode = 5\n\n# Of it\n[sft]\nlr = 1"),
        ("[sft]\n# Nothing yet\n", "sft.lr", "[sft]\n# Nothing yet\nlr = 5\n"),
        ("  [sft]\n  lr = 1 # x\n", "sft.seed", "  [sft]\n  lr = 1 # x\n  seed = 5\n"),
        ("sft.lr = 1\n# Of it\nmode = 2\n", "sft.seed", "sft.lr = 1\nsft.seed = 5\n# Of it\nmode = 2\n"),
        ("[t]\nu.a = 1\nb = 2\n", "t.u.c", "[t]\nu.a = 1\nu.c = 5\nb = 2\n"),
        ("[data.columns]\nimage = 1\n", "data.seed", "[data]\nseed = 5\n\n[data.columns]\nimage = 1\n"),
        ("data = { columns.a = 1 } # x\n", "data.columns.b", "data = { columns.a = 1, columns.b = 5 } # x\n"),
        ("data = {columns = {}} # x\n", "data.columns.a b", 'data = {columns = { "a b" = 5 }} # x\n'),
        ("sft = {lr = [ 1,\n2 ]}", "sft.lr", "sft = {lr = 5}"),
        ("[ sft . 'lr' ]\n\"a\\u0062\" = '''\n# x\n''' # y\n", "sft.lr.ab", "[ sft . 'lr' ]\n\"a\\u0062\" = 5 # y\n"),
    ],
)  # fmt: skip
def test_every_way_to_write_a_table(text: str, key: str, wanted: str) -> None:
    changed = with_value(text, tuple(key.split(".")), 5)
    assert changed == wanted
    tomllib.loads(changed)


LISTED = """\
[data]
languages = [  # in this order
    # the first two
    "en",  # English
    'fr',

    # and then
    "de", "ja",  # both
    "yue"  # last
]  # so much
"""


@pytest.mark.parametrize(
    ("items", "old", "new"),
    [
        ("en fr de ja yue", "", ""),
        ("en fr de ja", '    "yue"  # last\n', ""),
        ("fr de ja yue", '    "en",  # English\n', ""),
        ("en fr ja yue", '"de", "ja"', '"ja"'),
        ("en fr de yue", '"de", "ja",  # both', '"de", # both'),
        ("en fr xx ja yue", '"de"', '"xx"'),
        ("en fr de ja yue xx", '"yue"  # last\n', '"yue",  # last\n    "xx"\n'),
        ("en fr de ja yue xx zz", '"yue"  # last\n', '"yue",  # last\n    "xx",\n    "zz"\n'),
        ("xx en fr de ja yue", '    "en"', '    "xx",\n    "en"'),
        ("en xx fr de ja yue", "# English\n", '# English\n    "xx",\n'),
        ("en fr de xx ja yue", '"de"', '"de", "xx"'),
        ("fr en de ja yue", "    \"en\",  # English\n    'fr',\n", "    'fr',\n    \"en\",  # English\n"),
    ],
)
def test_items_that_stay_keep_their_places_and_comments(items: str, old: str, new: str) -> None:
    # Either of two that change places may be the one that moves.
    changed = with_items(LISTED, LANGUAGES, items.split())
    assert changed.replace('"fr",\n    "en"', "'fr',\n    \"en\"") == (LISTED.replace(old, new) if old else LISTED)
    assert tomllib.loads(changed)["data"]["languages"] == items.split()


@pytest.mark.parametrize(
    "body", ["[]", "[ ]", "[\n  # none\n]", '["a"]', '["a", ]', '[\n"a"\n, "b"\n,\n]', '["a", "b", "c"]']
)
@pytest.mark.parametrize("items", ["", "a", "b", "x a", "a b", "b a", "x y z", "c a b", "a x c y"])
@pytest.mark.parametrize("line", ["data.languages = {}", "data = {{ languages = {}, seed = 1 }}"])
def test_any_array_becomes_any_other(body: str, items: str, line: str) -> None:
    changed = with_items(line.format(body), LANGUAGES, items.split())
    assert tomllib.loads(changed)["data"]["languages"] == items.split()
    assert changed.count("#") == body.count("#")


def test_a_long_array_is_written_on_many_lines() -> None:
    items = [f"module_{number}" for number in range(12)]
    changed = with_items("[lora]\nr = 8\n", ("lora", "targets"), items)
    assert changed.splitlines()[:4] == ["[lora]", "r = 8", "targets = [", '    "module_0",']
    assert tomllib.loads(changed)["lora"]["targets"] == items


@pytest.mark.parametrize("value", ['a "b" \\ \n\t\x7f\x00é', "", None, True, False, -3, 2.5e-7, 1e22, 3.0, ["x", "]"]])
def test_any_value_is_read_as_it_was(value: object) -> None:
    text = with_value("a = 0 # x", ("a",), value)
    assert tomllib.loads(text)["a"] == ("none" if value is None else value)
    assert text.endswith(" # x")


def test_where_things_stand() -> None:
    text = 'a.b = [ 1, { c = "}" } ] # ]\n[t]\n"d e" = 1979-05-27 07:32:00 # x\nf = { g = { h = 1 }, i = 2 }\n[[u]]\n'
    sections = outline(text)
    assert [section.key for section in sections] == [(), ("t",), ("u",)]
    places = {("a", "b"): '[ 1, { c = "}" } ]', ("t", "d e"): "1979-05-27 07:32:00", ("t", "f", "g", "h"): "1"}
    for key, wanted in places.items():
        entry = find(sections, key)
        assert entry is not None
        assert text[entry.value.start : entry.value.end] == wanted
