"""A profile saved under a new name: comments kept, nothing overwritten, and what was meant is what is read again."""

import tomllib
from pathlib import Path

import pytest

from inft.errors import ConfigError, DiskError
from inft.profiles import OpenProfile, open_profile, resolve
from inft.profiles.saving import save_as

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
    assert text.replace("0.00002", "2e-5").replace("2e-05", "2e-5") == wanted + 'languages = ["en", "fr"]\n'
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
    saved, wanted = vars(resolve("yours").config), vars(mine.resolve(overrides).config)
    named = any(text.startswith("profile=") for text in overrides)
    assert saved | {"profile": ""} == wanted | {"profile": ""}
    assert saved["profile"] == ("run-name" if named else "yours")


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
