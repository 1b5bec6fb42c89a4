"""A profile saved under a new name: comments kept, nothing overwritten, and what was meant is what is read again."""

import os
import random
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from inft.errors import ConfigError, DiskError
from inft.profiles import FieldInfo, OpenProfile, describe_fields, open_profile, resolve, saving
from inft.profiles.saving import changed_text, save_as
from inft.project import bundled_profiles_dir
from inft_tui.launch.draft import value_of
from inft_tui.launch.raw import raw_text
from tests.test_new_file import no_space

TEXT = """\
# inft-tui --headless --profile mine
# Why this profile is there.

family = "aya"  # the smaller one

[sft]
# Found by trying.
lr = 1e-4  # 2e-4 diverged
save_steps = 100

[data]
source = "demo"
"""


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INFT_HOME", str(tmp_path))
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "mine.toml").write_text(TEXT, encoding="utf-8")
    return folder


@pytest.fixture
def mine(profiles: Path) -> OpenProfile:
    return open_profile(profiles / "mine.toml")


def test_comments_stay_and_values_change_in_their_places(mine: OpenProfile, profiles: Path) -> None:
    assert save_as(mine, "yours", ["sft.lr=2e-5", "data.languages=en,fr"]) == profiles / "yours.toml"
    text = (profiles / "yours.toml").read_text(encoding="utf-8")
    wanted = TEXT.replace("--profile mine", "--profile yours").replace("lr = 1e-4", "lr = 2e-5")
    assert text == wanted + 'languages = ["en", "fr"]\n'
    assert (profiles / "mine.toml").read_text(encoding="utf-8") == TEXT


@pytest.mark.parametrize(
    "overrides",
    [
        ["lora.r=8"],
        ["mode=advanced", 'description=a "quoted" one', "profile=run-name"],
        ["data.columns.image=photo", 'data.language_names={yue = "Yue"}'],
        ["basic.revision=none", "sft.max_steps=3", "sft.max_steps=4"],
        ["qlora.skip_modules=[]", "qlora.load_in_4bit=false", "sft.fit=auto"],
    ],
)
def test_it_resolves_to_what_was_changed(mine: OpenProfile, overrides: list[str]) -> None:
    save_as(mine, "yours", overrides)
    named = any(text.startswith("profile=") for text in overrides)
    assert resolve("yours").config == replace(mine.resolve(overrides).config, profile="run-name" if named else "yours")


RICH = """\
# inft-tui --headless --profile mine

family = "aya"
description = '''
# Not a remark: --profile mine
'''
mode = 'advanced'  # a mode

# Where from.
[basic]
  revision = "none"  # the newest
  gen_top_p = 0.90

[lora]
target_modules = [  # the attention's
  # all of it
  "q_proj",  # queries
  "v_proj",  # values
]  # no more

# Found by trying.
[sft]
lr = 1.50e-4  # not 2e-4
max_steps = 1_000
load_best_model_at_end = false

# ---

[data]
languages = [
  "en",  # English
  "fr",
]
language_names.en = "British"  # not American
source = "demo"

[data.columns]  # theirs
# The photographs
image = "photo"
"""

OF_ITEMS = {"  # queries", "  # values", "  # English"}
"""They go where the items go."""

TRIES = {
    "bool": ("true", "false"),
    "int": ("1", "2", "3", "17", "0x20", "4096"),
    "float": ("0.5", "1e-3", "2", "0.25"),
    "text": ("some text", '"a \\"quoted\\" # one"', "run-2"),
    "list": ("[]", "en", "fr,en", "en,yue,ar", "q_proj,o_proj,v_proj", '["v_proj"]'),
    "table": ('{image = "scene"}', '{caption = "text", en = "English"}'),
}


def tries(info: FieldInfo) -> list[str]:
    """What may be typed for a key; some of it is refused."""
    return [*(info.choices or TRIES[info.kind]), *(["none"] if info.optional else [])]


@pytest.mark.parametrize("name", ["mine", *(path.stem for path in bundled_profiles_dir().glob("*.toml"))])
def test_without_a_change_every_character_stays(profiles: Path, name: str) -> None:
    (profiles / "mine.toml").write_text(RICH, encoding="utf-8")
    opened = open_profile((profiles if name == "mine" else bundled_profiles_dir()) / f"{name}.toml")
    text = opened.path.read_text(encoding="utf-8")
    config = opened.resolve().config
    same = [
        f"{info.key}={raw_text(info, value_of(config, info))}" for info in describe_fields() if info.key != "profile"
    ]
    assert changed_text(opened, []) == changed_text(opened, same) == text
    assert save_as(opened, "yours", []).read_text(encoding="utf-8") == text.replace(
        f"profile {name}\n", "profile yours\n", 1
    )


@pytest.mark.parametrize("name", ["mine", *(path.stem for path in bundled_profiles_dir().glob("*.toml"))])
@pytest.mark.parametrize("seed", range(4))
def test_any_changes_resolve_to_what_was_shown(profiles: Path, name: str, seed: int) -> None:
    (profiles / "mine.toml").write_text(RICH, encoding="utf-8")
    opened = open_profile((profiles if name == "mine" else bundled_profiles_dir()) / f"{name}.toml")
    chance = random.Random(f"{name} {seed}")
    overrides: list[str] = []
    for info in chance.sample(describe_fields(), 20):
        more = [*overrides, f"{info.key}={chance.choice(tries(info))}"]
        overrides = overrides if opened.examine(more).problems else more
    assert len(overrides) > 5
    path = save_as(opened, "yours", overrides)
    wanted = opened.resolve(overrides).config
    stated = any(text.startswith("profile=") for text in overrides)
    assert resolve("yours").config == (wanted if stated else replace(wanted, profile="yours"))
    new = path.read_text(encoding="utf-8")
    if name == "mine":
        remarks = set(re.findall("  # .*|^# .*", RICH, re.M)[2:]) - OF_ITEMS
        assert [remark for remark in remarks if remark not in new] == []
    else:
        lost = [line for line in opened.path.read_text(encoding="utf-8").splitlines()[1:] if f"{line}\n" not in new]
        keys = {text.partition("=")[0].rpartition(".")[2] for text in overrides}
        assert {line.partition(" =")[0] for line in lost} <= keys


@pytest.mark.parametrize(
    ("override", "old", "new"),
    [
        ("sft.lr=1.5e-4", "", ""),
        ("basic.seed=42", "", ""),
        ("sft.max_steps=2_000", "1_000", "2_000"),
        ("sft.max_steps=none", "1_000", '"none"'),
        ("sft.load_best_model_at_end=true", "= false", "= true"),
        ("basic.gen_top_p=1.0", "0.90", "1.0"),
        ("basic.revision=v1", '"none"', '"v1"'),
        ("mode=basic", "'advanced'", '"basic"'),
        ("data.columns.image=scene", '"photo"', '"scene"'),
        ("data.language_names.en=English", '"British"', '"English"'),
        ("data.languages=en,yue", '"fr"', '"yue"'),
        ("lora.target_modules=q_proj", '  "v_proj",  # values\n', ""),
        ("family=llama32", '"aya"', '"llama32"'),
    ],
)
def test_one_change_alters_only_its_line(profiles: Path, override: str, old: str, new: str) -> None:
    (profiles / "mine.toml").write_text(RICH, encoding="utf-8")
    opened = open_profile(profiles / "mine.toml")
    assert RICH.count(old) == 1 or not old
    assert changed_text(opened, [override]) == (RICH.replace(old, new) if old else RICH)


def test_the_way_an_editor_left_the_file_stays(profiles: Path) -> None:
    before = b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode()
    (profiles / "mine.toml").write_bytes(before)
    saved = save_as(open_profile(profiles / "mine.toml"), "yours", ["sft.save_steps=7"])
    assert saved.read_bytes() == before.replace(b"= 100", b"= 7").replace(b"--profile mine", b"--profile yours")


@pytest.mark.parametrize("text", ['family = "aya"\nsft.lr = 1e-3 # why\n', 'family = "aya"\nsft = {lr = 1e-3}\n'])
def test_other_ways_to_write_a_table(profiles: Path, text: str) -> None:
    (profiles / "mine.toml").write_text(text, encoding="utf-8")
    save_as(open_profile(profiles / "mine.toml"), "yours", ["sft.lr=2e-3", "sft.save_steps=7"])
    sft = resolve("yours").config.sft
    assert (sft.lr, sft.save_steps) == (2e-3, 7)


@pytest.mark.parametrize("name", ["mine", "aya_adv"])
def test_nothing_is_overwritten_or_hidden(mine: OpenProfile, profiles: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="already"):
        save_as(mine, name, ["lora.r=8"])
    assert [path.name for path in profiles.iterdir()] == ["mine.toml"]


@pytest.mark.parametrize("name", ["", "../x", "a b", ".hidden", "x.toml", "x" * 81, "a/b", "ü\n"])
def test_a_name_has_to_be_one(mine: OpenProfile, profiles: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the name"):
        save_as(mine, name, [])
    assert [path.name for path in profiles.iterdir()] == ["mine.toml"]


def test_a_file_that_was_changed_meanwhile_is_not_guessed_about(mine: OpenProfile, profiles: Path) -> None:
    (profiles / "mine.toml").write_text(TEXT.replace("save_steps = 100", "save_steps = 200"), encoding="utf-8")
    with pytest.raises(ConfigError, match="meanwhile"):
        save_as(mine, "yours", ["lora.r=8"])
    assert not (profiles / "yours.toml").exists()


def test_a_text_that_did_not_come_out_right_is_not_saved(mine: OpenProfile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "with_value", lambda text, *_: text)
    with pytest.raises(ConfigError, match="in place"):
        changed_text(mine, ["lora.r=8"])


def test_after_a_full_disk_the_name_is_free(mine: OpenProfile, profiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", no_space)
        with pytest.raises(DiskError, match=r"yours\.toml: no space left"):
            save_as(mine, "yours", [])
    assert [path.name for path in profiles.iterdir()] == ["mine.toml"]
    save_as(mine, "yours", [])


def test_a_folder_that_cannot_be_written_is_said(mine: OpenProfile, profiles: Path) -> None:
    mine = OpenProfile(mine.path, mine.source, profiles / "mine.toml")
    with pytest.raises(DiskError):
        save_as(mine, "yours", [])


def test_an_open_profile_says_all_that_is_wrong_with_values(mine: OpenProfile) -> None:
    examined = mine.examine(["sft.lr=7", "data.path=x", "lora.r=8"])
    assert [problem.keys for problem in examined.problems] == [("sft.lr",), ("data.source", "data.path")]
    assert tomllib.loads(TEXT)["sft"]["lr"] == examined.resolved.config.sft.lr
    assert examined.resolved.config.lora.r == 8
    with pytest.raises(ConfigError, match="2 problems"):
        mine.resolve(["sft.lr=7", "data.path=x"])
