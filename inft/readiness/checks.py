"""All checks of a machine, and of a profile on it: facts are gathered here, and judged in the modules around."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from inft.config import Config
from inft.errors import ConfigError
from inft.forecast.architecture import Architecture, find_architecture
from inft.forecast.layers import total_parameters
from inft.forecast.lengths import assumed_lengths
from inft.forecast.statistics import cached_statistics
from inft.forecast.weights import checkpoint_bytes, results_bytes
from inft.hub_cache import datasets_cache_dir, hub_cache_dir
from inft.machine.cards import Cards
from inft.machine.room import look_at_disk, look_at_room
from inft.project import cache_dir, inside
from inft.readiness import disk, folders, gpu, host, hub, libraries, options, outlook, rows
from inft.readiness.check import Check, are_red, one_of_each, red
from inft.readiness.child import Child
from inft.readiness.hub_answer import Answer
from inft.readiness.hub_files import KINDS, Repository, is_cached, repositories
from inft.readiness.needs import Needs, needs_of
from inft.runs.directory import logs_folder

# Made here and not where it is used: msgspec 0.22 crashes where two threads meet a type for the first time at once.
_CARDS = msgspec.json.Decoder(Cards)

CARDS = "inft.machine.cards"
FULL_SIZE = Needs(gpu=True, dtype="float16", dtype_key="", workers=0, row_bytes=0)
"""What any model of full size asks of a GPU; every card computes in fp16."""

_NO_WAY_AROUND = (gpu.DRIVER, gpu.GPU)
"""Lights that no other value of a profile turns."""

CARDS_LIMIT_S = 4.0
"""A driver that answers at all does so within a second, also while it wakes a card up."""

MOST_TILES = 13
"""Tiles of a picture where the architecture sets no bound: Aya's twelve and the whole picture in small."""

TINY_MODEL_BYTES = 64 << 20
"""A tiny checkpoint with its processor, made in the cache folder."""

PROCESSOR_BYTES = 32 << 20
"""A processor's files on the hub; the vocabularies of both families take 10 to 20 MB."""

LENGTHS_BYTES = 16 << 20
"""Lengths of the rows, kept in the cache folder: 16 bytes each."""


@dataclass(frozen=True)
class Readiness:
    """How a machine, and a profile on it, stand.

    Attributes:
        checks: in an order that stays the same.
        outlook: what the profile will need of the GPU; None without a profile, or where the model is not known.
        unasked: names of the checks that had nothing to look at here: of a GPU where there is none, of the hub where
            nothing comes from there.
        full_size: whether driver, torch and a GPU are there for a model of full size.
        expects_gpu: whether torch has to see one.
    """

    checks: tuple[Check, ...]
    outlook: outlook.Outlook | None = None
    unasked: frozenset[str] = frozenset()
    full_size: bool = True
    expects_gpu: bool = False


def check_all(config: Config | None, root: Path, *, module: str = CARDS) -> Readiness:
    """Looks at this machine, the hub included where the profile needs something from there.

    Takes a tenth of a second where nobody has to be waited for, and never longer than the limits of hub and driver.

    Args:
        config: the profile; None = the machine alone.
        root: the project's root.
        module: the program that looks at the GPUs.
    """
    looking = _start(module)
    wanted = () if config is None else repositories(config)
    asked = _ask([repository for repository in wanted if not is_cached(repository)])
    architecture, problem = (None, None) if config is None else _architecture(config, root)
    needs = None if config is None else needs_of(config, root, _pixels(architecture))
    room, installed = look_at_room(), libraries.installed_libraries()
    torch = libraries.installed_torch()
    cards = _cards(looking)
    statistics = None if config is None else cached_statistics(config, root)
    seen, unforeseen = None, None
    if config is not None and needs is not None:
        lengths = assumed_lengths(config.family, config.basic.max_length) if statistics is None else statistics.table
        try:
            seen = outlook.outlook(config, architecture, lengths, cards, needs)
        except ConfigError as error:
            unforeseen = red(outlook.NAME, error.message, error.fix)
        if seen is not None:
            needs = needs.of_micro_batch(seen.forecast.choice.micro_batch)
    checks = [
        *_gpu_checks(cards, torch, needs),
        host.judge_cpu(room, needs),
        host.judge_memory(room, needs),
        host.judge_shared(room, needs),
        libraries.judge_libraries(installed),
    ]
    answers = asked()
    expects_gpu = gpu.is_expected(cards, needs)
    full_size = not are_red([check for check in _gpu_checks(cards, torch, FULL_SIZE) if check.name in _NO_WAY_AROUND])
    unasked = set() if cards.chosen is not None else {gpu.BF16, gpu.MEMORY, gpu.HEALTH}
    if config is None or needs is None:
        checks.append(_judge_disks(_machine_destinations(root)))
        return Readiness(tuple(checks), None, _greens(checks, unasked), full_size, expects_gpu)
    checks.append(_judge_disks(list(_destinations(config, root, architecture, answers))))
    checks += _hub_checks(wanted, answers)
    unasked |= {hub.NAMES[kind] for kind in KINDS} - {hub.NAMES[repository.kind] for repository in wanted}
    checks += folders.local_folders(config, root)
    if problem is not None:
        checks.append(problem)
    named = zip((config.output_dir_key, config.best_model_dir_key), _outputs(config, root), strict=True)
    checks.append(folders.judge_output_folders(dict(named)))
    checks += options.judge_options(config, cards)
    checks.append(rows.judge_rows(config, statistics))
    checks.append(unforeseen or outlook.judge(seen, cards, config, needs))
    return Readiness(one_of_each(checks), seen, _greens(checks, unasked), full_size, expects_gpu)


def forecast_text(config: Config, root: Path, *, module: str = CARDS) -> str | None:
    """What a run will do and need, in one line and without asking the hub; None where the model is not known."""
    try:
        seen = outlook_on(look_at_cards(module=module), config, root)
    except ConfigError:
        return None  # no layer has the names that get adapters
    return None if seen is None else outlook.summary(seen, config)


def look_at_cards(*, module: str = CARDS) -> Cards:
    """Looks at the GPUs alone, for `CARDS_LIMIT_S` at the most."""
    return _cards(_start(module))


def outlook_on(cards: Cards, config: Config, root: Path) -> outlook.Outlook | None:
    """What a run will need of GPUs that were looked at before; nothing is asked or started, so it takes milliseconds.

    Returns:
        None where the model is not known.

    Raises:
        ConfigError: no layer has the names that get adapters.
    """
    architecture, _ = _architecture(config, root)
    needs = needs_of(config, root, _pixels(architecture))
    statistics = cached_statistics(config, root)
    lengths = assumed_lengths(config.family, config.basic.max_length) if statistics is None else statistics.table
    return outlook.outlook(config, architecture, lengths, cards, needs)


def _greens(checks: Sequence[Check], names: Iterable[str]) -> frozenset[str]:
    """Those of the names whose checks are all green."""
    return frozenset(names) - {check.name for check in checks if check.status != "green"}


def _ask(repositories: Sequence[Repository]) -> Callable[[], dict[Repository, Answer]]:
    """Begins to ask the hub about them; what is returned waits for its answers."""
    if not repositories:
        return dict
    from inft.readiness.hub_asking import Questions  # 60 ms, which most starts of a run do without

    return Questions(repositories).answers


def _start(module: str) -> Child | OSError:
    try:
        return Child(module)
    except OSError as error:
        return error


def _cards(looking: Child | OSError) -> Cards:
    """What the program that looks at the GPUs has found, or why it has not."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if isinstance(looking, OSError):
        return Cards("error", (looking.strerror or str(looking)).lower(), visible=visible)
    outcome = looking.outcome(CARDS_LIMIT_S)
    if outcome.code is None:
        return Cards("silent", visible=visible)
    try:
        return _CARDS.decode(outcome.stdout)
    except msgspec.DecodeError:
        return Cards("error", outcome.last_words.rstrip(".") or f"it ended with code {outcome.code}", visible=visible)


def _architecture(config: Config, root: Path) -> tuple[Architecture | None, Check | None]:
    """What the model is; or, where that is known to be wrong, a check that says so."""
    try:
        return find_architecture(config, root), None
    except ConfigError as error:
        kind = folders.MODEL if config.basic.model_source == "folder" else hub.NAMES["model"]
        return None, red(kind, error.message, error.fix)


def _pixels(architecture: Architecture | None) -> int:
    """Pixels of a picture with the most tiles; 0 where the model is not known."""
    if architecture is None:
        return 0
    vision = architecture.vision
    return (vision.max_tiles or MOST_TILES) * vision.tile_pixels**2


def _gpu_checks(cards: Cards, torch: libraries.TorchBuild | None, needs: Needs | None) -> Iterator[Check]:
    yield gpu.judge_driver(cards, torch, needs)
    yield gpu.judge_gpu(cards, torch, needs, os.environ.get("CUDA_DEVICE_ORDER"))
    yield gpu.judge_bf16(cards, needs)
    holders = () if cards.chosen is None else cards.chosen.holders
    yield gpu.judge_memory(cards, needs, _process_names([holder.pid for holder in holders]))
    yield gpu.judge_health(cards)


def _process_names(pids: Sequence[int]) -> dict[int, str]:
    """Names of those that can be seen from here."""
    found = {}
    for pid in pids:
        try:
            found[pid] = psutil.Process(pid).name()
        except (psutil.Error, ValueError):
            continue
    return found


def _judge_disks(destinations: Sequence[disk.Destination]) -> Check:
    return disk.judge_disks(
        destinations, {destination.folder: look_at_disk(destination.folder) for destination in destinations}
    )


def _machine_destinations(root: Path) -> list[disk.Destination]:
    return [
        disk.Destination("project", root, None),
        disk.Destination("cache of inft-tui", cache_dir(), None, vital=False),
        disk.Destination("hub cache", hub_cache_dir(), None, vital=False),
    ]


def _destinations(
    config: Config, root: Path, architecture: Architecture | None, answers: Mapping[Repository, Answer]
) -> Iterator[disk.Destination]:
    """What a run of the profile writes, and where."""
    checkpoint, results = _sizes(config, architecture)
    output, best = _outputs(config, root)
    # A checkpoint is written beside those that are kept, before the oldest goes; so are the final adapters.
    kept = None if checkpoint is None else (config.sft.save_total_limit + 1) * checkpoint
    yield disk.Destination("checkpoints", output, kept)
    yield disk.Destination("final adapters", best, None if results is None else 2 * results)
    yield disk.Destination("run's logs", logs_folder(config), disk.LOGS_BYTES)
    tiny = config.basic.model_source == "tiny"
    cached = LENGTHS_BYTES + (TINY_MODEL_BYTES if tiny else 0)
    yield disk.Destination("cache of inft-tui", cache_dir(), cached, vital=tiny)
    fetched = [(repository, answer.need_bytes) for repository, answer in answers.items()]
    if fetched:
        nominal = [_nominal_bytes(repository, architecture) if need is None else need for repository, need in fetched]
        unknown = "the dataset" if any(size is None for size in nominal) else ""
        yield disk.Destination("downloads", hub_cache_dir(), sum(size or 0 for size in nominal), unknown)
    datasets = [need for repository, need in fetched if repository.kind == "dataset"]
    if datasets:
        # `datasets` writes an Arrow copy of every file; pictures, which are nearly all of it, stay as they are.
        unknown = "the prepared dataset" if None in datasets else ""
        yield disk.Destination("prepared dataset", datasets_cache_dir(), sum(need or 0 for need in datasets), unknown)


def _nominal_bytes(repository: Repository, architecture: Architecture | None) -> int | None:
    """What the hub has of a model where it does not say so: two bytes a parameter, and the processor's files."""
    if repository.kind == "dataset" or architecture is None:
        return None
    weights = 2 * total_parameters(architecture) if repository.weights else 0
    return weights + PROCESSOR_BYTES


def _sizes(config: Config, architecture: Architecture | None) -> tuple[int | None, int | None]:
    """Bytes of a checkpoint and of the final adapters; None where the model is not known."""
    if architecture is None:
        return None, None
    try:
        return checkpoint_bytes(config, architecture), results_bytes(config, architecture)
    except ConfigError:
        return None, None  # no layer has the names that get adapters, which the trainer says in full


def _hub_checks(wanted: Sequence[Repository], answers: Mapping[Repository, Answer]) -> Iterator[Check]:
    for kind in KINDS:
        of_kind = [repository for repository in wanted if repository.kind == kind]
        if not of_kind:
            yield hub.judge_unneeded(kind)
        for repository in of_kind:
            yield hub.judge_repository(repository, answers.get(repository))


def _outputs(config: Config, root: Path) -> list[Path]:
    return [
        inside(root, config.output_dir, config.output_dir_key),
        inside(root, config.best_model_dir, config.best_model_dir_key),
    ]
