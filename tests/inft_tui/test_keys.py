from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from inft.errors import ConfigError
from inft_tui.key_table import TABLE, Place
from inft_tui.keymap import keymap_file, read_keymap
from inft_tui.keys import Keymap, shown_key


def test_no_key_means_two_things_on_one_screen() -> None:
    for place in get_args(Place):
        keys = [key for row in TABLE if row.where == place for key in row.keys]
        assert len(keys) == len(set(keys)), place


def test_ids_are_unique_and_say_where_they_belong() -> None:
    ids = [row.id for row in TABLE]
    assert len(ids) == len(set(ids))
    for row in TABLE:
        assert row.where == "everywhere" or row.id.startswith(f"{row.where}.")


def test_a_screens_own_meaning_goes_before_that_of_everywhere() -> None:
    keymap = Keymap({"runs.stop": ["q"]})
    stop, quit_ = keymap.action("runs", "q"), keymap.action("run", "q")
    assert stop is not None
    assert quit_ is not None
    assert (stop.id, quit_.id) == ("runs.stop", "quit")


def test_readonly_leaves_out_exactly_what_changes_a_run() -> None:
    left_out = {row.id for row in Keymap().rows} - {row.id for row in Keymap(readonly=True).rows}
    of_runs = {f"{place}.{what}" for place in ("runs", "monitor") for what in ("save", "stop", "abort", "resume")}
    assert left_out == of_runs | {"launch.start", "launch.save", "parameters.save"}
    assert Keymap(readonly=True).action("runs", "x") is None


def test_own_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text('runs.stop = "S"\n"runs.up" = ["up", "/", "Ctrl+P"]\nruns.filter = []\n', encoding="utf-8")
    keymap = read_keymap(path, readonly=False)
    assert [row.keys for row in keymap.rows if row.id == "runs.up"] == [("up", "slash", "ctrl+p")]
    assert keymap.action("runs", "x") is None
    for key, name in (("S", "runs.stop"), ("slash", "runs.up")):
        row = keymap.action("runs", key)
        assert row is not None
        assert row.id == name
    assert all(row.id != "runs.filter" for row in keymap.rows)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"runs.stp" = "S"', '"runs.stp" is no command. Did you mean runs.stop'),
        ('runs.up = "hyper+q"', 'runs.up = "hyper+q" is no key'),
        ('runs.up = "upp"', 'runs.up = "upp" is no key'),
        ("runs.up = 3", "runs.up = 3 is neither a key nor a list of keys"),
        ('runs.up = "x"', "x is meant for both runs.up and runs.stop"),
        ("quit = []", "quit needs a key"),
        ("runs.up = ", "is not TOML"),
    ],
)
def test_what_is_wrong_is_refused_by_name(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        read_keymap(path, readonly=False)
    assert message in refused.value.message
    assert str(path) in refused.value.message


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text('nothing = "a"\nruns.up = "upp"\n', encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        read_keymap(path, readonly=False)
    assert len(refused.value.message.splitlines()) == 2


def test_the_projects_keys_go_before_the_persons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, project = tmp_path / "home", tmp_path / "project"
    monkeypatch.setenv("INFT_HOME", str(project))
    project.mkdir()
    assert keymap_file({"HOME": str(home)}) is None
    for folder in (home / ".config" / "inft", home / "xdg" / "inft"):
        folder.mkdir(parents=True)
        (folder / "keys.toml").touch()
    assert keymap_file({"HOME": str(home)}) == home / ".config" / "inft" / "keys.toml"
    assert keymap_file({"HOME": str(home), "XDG_CONFIG_HOME": str(home / "xdg")}) == home / "xdg" / "inft" / "keys.toml"
    (project / ".inft").mkdir()
    (project / ".inft" / "keys.toml").touch()
    assert keymap_file({"HOME": str(home)}) == project / ".inft" / "keys.toml"


def test_every_key_can_be_shown() -> None:
    for key in (key for row in TABLE for key in row.keys):
        assert shown_key(key).isprintable()
        assert len(shown_key(key)) <= 9
