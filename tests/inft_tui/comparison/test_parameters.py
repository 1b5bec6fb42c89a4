"""In what runs differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from inft.config import Config
from inft.profiles import describe_fields, resolve, to_toml
from inft.runs.directory import RunDirectory, create_run
from inft_tui.comparison.parameters import Stated, compare, read_stated
from tests.runs.conftest import config, project
from tests.runs.pretend import change_record

__all__ = ["config", "project"]


def made(*overrides: str) -> RunDirectory:
    resolved = resolve("small", overrides).config
    return create_run(resolved, to_toml(resolved), argv=["inft-tui"])


def test_only_what_differs_in_the_order_of_a_profile(project: Path) -> None:
    runs = [made(), made("sft.lr=3e-4", "lora.r=8"), made("lora.r=8", "basic.seed=7")]
    found = compare([read_stated(run) for run in runs])
    keys = [row.key for row in found.parameters]
    assert sorted(keys) == ["basic.seed", "lora.r", "sft.lr"]
    order = [info.key for info in describe_fields()]
    assert keys == sorted(keys, key=order.index)
    values = {row.key: row.values for row in found.parameters}
    assert values["lora.r"][1:] == ("8", "8")
    assert values["sft.lr"][1] == "0.0003"
    assert values["basic.seed"] == ("42", "42", "7")


def test_the_same_is_no_difference(project: Path) -> None:
    stated = read_stated(made())
    assert compare([stated, stated]).parameters == ()
    assert compare([stated, stated]).others == ()


def test_a_long_list_tells_what_not_all_have(project: Path) -> None:
    runs = [made('data.languages=["en", "fr", "ja"]'), made('data.languages=["fr", "en"]')]
    (row,) = compare([read_stated(run) for run in runs]).parameters
    assert row.key == "data.languages"
    assert row.values == ("2 shared + ja", "2 shared")


def test_keys_of_another_version_come_last_and_are_safe_to_show() -> None:
    found = compare(
        [
            Stated({"new.key\x1b[31m": "hf_abcdefgh12345", "sft.lr": 0.1}),
            Stated({"sft.lr": 0.2}),
        ]
    )
    assert [row.key for row in found.parameters] == ["sft.lr", "new.key\\x1b[31m"]
    assert found.parameters[1].values == ("hf_***", None)


def test_values_of_another_type_differ_without_harm() -> None:
    (row,) = compare([Stated({"data.languages": ["en"]}), Stated({"data.languages": "all"})]).parameters
    assert row.values == ("en", "all")


@pytest.mark.parametrize("content", [b"", b"x = [", b"\xff\xfe", b"[a]\nb = {}\n", b"a = " + b"[" * 5000])
def test_any_content_is_read_without_harm(content: bytes, config: Config) -> None:
    run = create_run(config, to_toml(config), argv=[])
    run.config_toml.write_bytes(content)
    other = read_stated(made())
    found = compare([read_stated(run), other])
    assert other.values is not None
    assert found.unknown in ((), (0,))


def test_what_is_missing_is_said(tmp_path: Path, project: Path) -> None:
    foreign = tmp_path / "trainer.jsonl"
    foreign.write_text('{"step": 1, "loss": 2}\n', encoding="utf-8")
    stated = [read_stated(RunDirectory(foreign)), read_stated(made()), read_stated(made("sft.lr=7e-5"))]
    assert stated[0].problem == "has no config.toml"
    found = compare(stated)
    assert found.unknown == (0,)
    assert [row.key for row in found.parameters] == ["sft.lr"]
    assert found.parameters[0].values[0] is None


def test_commit_host_and_packages_where_they_differ(project: Path) -> None:
    one, other = made(), made()
    change_record(one, git_commit="a" * 40, host="node1", packages={"torch": "2.8", "trl": "1.0"})
    change_record(other, git_commit="b" * 40, host="node1", packages={"torch": "2.9", "trl": "1.0"})
    found = compare([read_stated(one), read_stated(other)]).others
    assert [(row.key, row.values) for row in found] == [("commit", ("aaaaaaa", "bbbbbbb")), ("torch", ("2.8", "2.9"))]
