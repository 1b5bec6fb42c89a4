"""The training libraries that are installed, against what this package says it needs; none of them is imported."""

from __future__ import annotations

import importlib.metadata as metadata
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from inft.readiness.check import Check, amber, green, listed, red

NAME = "libraries"
OURS = "inft-tui"
EXTRA = "train"

_TOLD = ("bitsandbytes", "peft", "torch", "transformers", "trl")
"""Libraries whose versions decide most about a run."""

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*([^;]*?)\s*(?:;\s*(.*))?")
_EXTRAS = re.compile(r"\[([\w.,\s-]+)\]")
_BOUND = re.compile(r"\s*(>=|<=|==|!=|<|>)\s*([\w.!+*-]+)\s*")
_TORCH_LINE = re.compile(r"^(__version__|cuda|hip)\b[^=\n]*=\s*(?:'([^']*)'|\"([^\"]*)\"|None)", re.MULTILINE)


@dataclass(frozen=True)
class TorchBuild:
    """The installed torch.

    Attributes:
        version: as it calls itself, for instance 2.11.0+cu130.
        cuda: the CUDA that it is built for, (major, minor); None = none.
        rocm: the ROCm that it is built for.
    """

    version: str
    cuda: tuple[int, int] | None
    rocm: str | None = None


@dataclass(frozen=True)
class Library:
    """One that training needs.

    Attributes:
        name: of the distribution.
        bounds: versions that will do, each as (operator, version).
        installed: the version there is; None = it is missing.
    """

    name: str
    bounds: tuple[tuple[str, str], ...]
    installed: str | None

    @property
    def fits(self) -> bool:
        """Whether the installed version will do."""
        return self.installed is not None and all(_holds(self.installed, *bound) for bound in self.bounds)


def installed_libraries() -> tuple[Library, ...]:
    """Each library that the extra `train` of our own package names; empty where the package is not installed."""
    try:
        stated = metadata.requires(OURS) or []
    except metadata.PackageNotFoundError:
        return ()
    return tuple(Library(name, bounds, _installed(name)) for name, bounds in requirements(stated, EXTRA))


def installed_torch() -> TorchBuild | None:
    """The installed torch, by what its file `version.py` says; None if it is not there or says nothing."""
    try:
        path = Path(str(metadata.distribution("torch").locate_file("torch/version.py")))
        return torch_build(path.read_text(encoding="utf-8"))
    except (metadata.PackageNotFoundError, OSError, UnicodeDecodeError):
        return None


def torch_build(text: str) -> TorchBuild | None:
    r"""What torch's `version.py` says.

    >>> torch_build("__version__ = '2.11.0+cu130'\ncuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n")
    TorchBuild(version='2.11.0+cu130', cuda=(13, 0), rocm=None)
    """
    found = {name: single or double or None for name, single, double in _TORCH_LINE.findall(text)}
    version = found.get("__version__")
    if version is None:
        return None
    numbers = re.match(r"(\d+)\.(\d+)", found.get("cuda") or "")
    return TorchBuild(version, (int(numbers[1]), int(numbers[2])) if numbers else None, found.get("hip"))


def requirements(stated: Sequence[str], extra: str) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    """Name and bounds of each requirement that an extra brings, those of our own extras among it included.

    >>> list(requirements(["rich>=14", "trl<1.17,>=1.16; extra == 'train'"], "train"))
    [('trl', (('<', '1.17'), ('>=', '1.16')))]
    >>> list(requirements(["inft-tui[score]; extra == 'train'", "jieba>=0.42; extra == 'score'"], "train"))
    [('jieba', (('>=', '0.42'),))]
    """
    for line in stated:
        match = _REQUIREMENT.fullmatch(line)
        if match is None or not re.search(rf"extra\s*==\s*['\"]{re.escape(extra)}['\"]", match[3] or ""):
            continue
        own = _EXTRAS.fullmatch(match[2].strip())
        if match[1] == OURS and own is not None:
            for name in own[1].split(","):
                yield from requirements(stated, name.strip())
            continue
        bounds = (_BOUND.fullmatch(part) for part in match[2].strip("()").split(",") if part)
        yield match[1], tuple((bound[1], bound[2]) for bound in bounds if bound is not None)


def judge_libraries(libraries: Sequence[Library]) -> Check:
    """Whether training can load what it needs."""
    if not libraries:
        return amber(
            NAME,
            "This copy of inft-tui runs without being installed, so which versions it needs is not known.",
            "Install it: pip install -e '.[train]'.",
        )
    missing = [library.name for library in libraries if library.installed is None]
    if missing:
        words = "is" if len(missing) == 1 else "are"
        return red(NAME, f"{listed(missing)} {words} not installed.", "Install: pip install 'inft-tui[train]'.")
    unfit = [library for library in libraries if not library.fits]
    if unfit:
        told = listed([f"{library.name} {library.installed} ({_range(library)} is needed)" for library in unfit])
        wanted = " ".join(f"'{library.name}{_range(library)}'" for library in unfit)
        return red(NAME, f"{told} {'does' if len(unfit) == 1 else 'do'} not fit.", f"Install: pip install {wanted}.")
    told = listed([f"{library.name} {library.installed}" for library in libraries if library.name in _TOLD])
    return green(NAME, f"All {len(libraries)} fit, among them {told}.")


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _range(library: Library) -> str:
    return ",".join(f"{operator}{version}" for operator, version in library.bounds)


def _holds(installed: str, operator: str, version: str) -> bool:
    """Whether a version keeps to a bound, by the numbers before any letter; `2.11.0+cu130` counts as 2.11.0.

    Enough for the bounds of one package, our own; what a pre-release sorts before is not decided here.
    """
    ours, bound = _numbers(installed), _numbers(version)
    width = max(len(ours), len(bound))
    left, right = ours + (0,) * (width - len(ours)), bound + (0,) * (width - len(bound))
    match operator:
        case ">=":
            return left >= right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case "<":
            return left < right
        case "!=":
            return left != right
        case _:
            return left == right


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()
