from __future__ import annotations

from importlib import metadata

import pytest

from inft.readiness.libraries import (
    Library,
    TorchBuild,
    installed_libraries,
    installed_torch,
    judge_libraries,
    requirements,
    torch_build,
)

TORCH = Library("torch", ((">=", "2.10"),), "2.11.0+cu130")


def test_those_of_this_installation_are_read_without_importing_them() -> None:
    found = {library.name: library for library in installed_libraries()}
    assert {"torch", "transformers", "peft", "trl", "bitsandbytes", "datasets", "accelerate"} <= set(found)
    assert found["trl"].bounds
    assert found["torch"].installed == metadata.version("torch")
    assert judge_libraries(installed_libraries()).status == "green"


def test_torch_is_what_it_says_itself() -> None:
    import torch

    found = installed_torch()
    assert found is not None
    assert found.version == torch.__version__
    cuda = torch.version.cuda
    assert found.cuda == (None if cuda is None else tuple(int(part) for part in cuda.split(".")[:2]))


@pytest.mark.parametrize(
    ("text", "build"),
    [
        ("__version__ = '2.13.0+cpu'\ndebug = False\ncuda: Optional[str] = None\n", TorchBuild("2.13.0+cpu", None)),
        ("__version__ = '2.4'\ncuda = '12.4'\nhip = None\n", TorchBuild("2.4", (12, 4))),
        (
            "__version__ = '2.9'\ncuda: Optional[str] = None\nhip: Optional[str] = '6.4.4'\n",
            TorchBuild("2.9", None, "6.4.4"),
        ),
        ("cuda = '12.4'\n", None),
        ("", None),
    ],
)
def test_builds_of_torch(text: str, build: TorchBuild | None) -> None:
    assert torch_build(text) == build


def test_requirements_of_one_extra() -> None:
    stated = [
        "msgspec>=0.20",
        "trl<1.17,>=1.16; extra == 'train'",
        'pillow ; extra == "train"',
        "ruff>=1; extra == 'dev'",
        "??",
    ]
    assert list(requirements(stated, "train")) == [("trl", (("<", "1.17"), (">=", "1.16"))), ("pillow", ())]


@pytest.mark.parametrize(
    ("installed", "bounds", "fits"),
    [
        ("2.10", [(">=", "2.10")], True),
        ("2.9.1", [(">=", "2.10")], False),
        ("2.10.0+cu126", [(">=", "2.10")], True),
        ("1.16.0", [(">=", "1.16"), ("<", "1.17")], True),
        ("1.17", [(">=", "1.16"), ("<", "1.17")], False),
        ("1.17.0", [("<=", "1.17")], True),
        ("1.17.0.post1", [("==", "1.17")], True),
        ("1.17", [("!=", "1.17.0")], False),
        ("3", [(">", "2.9")], True),
        (None, [], False),
    ],
)
def test_bounds(installed: str | None, bounds: list[tuple[str, str]], fits: bool) -> None:
    assert Library("x", tuple(bounds), installed).fits is fits


def test_a_missing_one() -> None:
    check = judge_libraries([TORCH, Library("peft", (), None)])
    assert (check.status, check.message) == ("red", "peft is not installed.")
    assert "pip install 'inft-tui[train]'" in check.fix


def test_one_of_another_version() -> None:
    check = judge_libraries([TORCH, Library("trl", (("<", "1.17"), (">=", "1.16")), "1.20.1")])
    assert (check.status, check.message) == ("red", "trl 1.20.1 (<1.17,>=1.16 is needed) does not fit.")
    assert "'trl<1.17,>=1.16'" in check.fix


def test_a_copy_that_is_not_installed() -> None:
    assert judge_libraries([]).status == "amber"
