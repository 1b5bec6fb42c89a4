"""Where the project's root, its shipped profiles and its cache are found, and which paths are refused."""

from pathlib import Path

import pytest

import inft
from inft.errors import ConfigError
from inft.project import bundled_profiles_dir, cache_dir, inside, project_root

REPOSITORY = Path(inft.__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INFT_HOME", "INFT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


def make_project(folder: Path, beside: str = "pyproject.toml") -> None:
    (folder / "profiles").mkdir(parents=True)
    (folder / "profiles" / "mine.toml").write_text('family = "aya"\n')
    if beside == "inft":
        (folder / "inft").mkdir()
    else:
        (folder / beside).write_text("")


@pytest.mark.parametrize("beside", ["pyproject.toml", "inft"])
def test_the_root_is_the_nearest_project_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: str) -> None:
    outer, inner = tmp_path / "outer", tmp_path / "outer" / "inner"
    make_project(outer)
    make_project(inner, beside)
    deep = inner / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert project_root() == inner
    monkeypatch.chdir(outer)
    assert project_root() == outer


@pytest.mark.parametrize("missing", ["profiles/mine.toml", "pyproject.toml"])
def test_half_a_project_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    make_project(tmp_path)
    (tmp_path / missing).unlink()
    below = tmp_path / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    assert project_root() == below


def test_inft_home_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("INFT_HOME", str(tmp_path))
    assert project_root() == tmp_path
    monkeypatch.setenv("INFT_HOME", "")
    assert project_root() == tmp_path / "here"


def test_inft_home_must_be_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFT_HOME", str(tmp_path / "gone"))
    with pytest.raises(ConfigError, match=r"INFT_HOME names .*gone, which is not a folder\."):
        project_root()


def test_a_deleted_current_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ConfigError, match="current folder no longer exists"):
        project_root()


def test_a_checkout_ships_the_profiles_beside_the_package() -> None:
    assert bundled_profiles_dir() == REPOSITORY / "profiles"


@pytest.mark.parametrize(
    ("text", "path"),
    [("logs", "logs"), ("./a/../logs/", "logs"), (".", "."), ("a/../../project/logs", "logs"), ("..logs", "..logs")],
)
def test_a_relative_path_starts_at_the_root(tmp_path: Path, text: str, path: str) -> None:
    root = tmp_path / "project"
    assert inside(root, text, "basic.logs_dir") == root / path


@pytest.mark.parametrize("text", ["..", "../logs", "a/../../logs", "../project2", "logs/../.."])
def test_a_relative_path_may_not_leave_the_root(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"basic\.logs_dir = .* leads out of the project's folder") as caught:
        inside(tmp_path / "project", text, "basic.logs_dir")
    assert "absolute path" in caught.value.fix


def test_an_absolute_path_is_the_persons_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert inside(tmp_path, "/data/out", "k") == Path("/data/out")
    assert inside(tmp_path, "~/out", "k") == Path("/home/someone/out")


def test_a_link_inside_the_root_may_lead_to_another_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "outputs").symlink_to(tmp_path / "disk")
    assert inside(tmp_path / "project", "outputs/a", "k") == tmp_path / "project" / "outputs" / "a"


@pytest.mark.parametrize("text", ["a\0b", "~nobody-has-this-name/x"])
def test_what_is_no_path_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"sft\.aya_output_dir"):
        inside(tmp_path, text, "sft.aya_output_dir")


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_dir() == Path("/home/someone/.cache/inft")
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert cache_dir() == Path("/home/someone/.cache/inft")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_dir() == Path("/xdg/inft")
    monkeypatch.setenv("INFT_CACHE", "/fast/cache")
    assert cache_dir() == Path("/fast/cache")
