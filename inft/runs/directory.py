"""The folder of one run, `logs/<run-id>/`: its name, its files, and the two that are written before anything starts."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

import msgspec

from inft.config import Config
from inft.errors import ConfigError, disk_error
from inft.machine.boot import boot_id
from inft.machine.processes import pid_namespace
from inft.project import inside, project_root
from inft.runs import events, provenance
from inft.runs.clock import timestamp, utc_now
from inft.runs.files import replace_file
from inft.runs.jsonl import Record
from inft.runs.redact import redact, storable

SCHEMA_VERSION = 1
"""Of the files of a run; raised when a reader of the old ones would be misled."""

_LONGEST_NAME = 120
"""A file name holds 255 bytes, and date and number still follow."""

_HUB_TOKEN_IN_CONFIG = re.compile(r"hf_[A-Za-z0-9]{30,}")
"""A real token; the shorter pattern of `redact` would also hit a folder called hf_checkpoints, which a run needs."""

_NO_LINKS_HERE = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})
"""What a file system without symbolic links (FAT, some network shares) answers."""


@dataclass(frozen=True)
class RunDirectory:
    """The files of one run. They need not exist yet, except what `create_run` writes."""

    path: Path

    @property
    def run_id(self) -> str:
        """The name of the run."""
        return self.path.name

    @property
    def run_json(self) -> Path:
        """Where the run came from; written once."""
        return self.path / "run.json"

    @property
    def config_toml(self) -> Path:
        """Every parameter; written once, itself a valid profile."""
        return self.path / "config.toml"

    @property
    def plan(self) -> Path:
        """How it does its steps and what memory that was forecast to take; written once by the trainer."""
        return self.path / "plan.json"

    @property
    def status_json(self) -> Path:
        """What the run is doing; replaced as a whole."""
        return self.path / "status.json"

    @property
    def metrics(self) -> Path:
        """The events; appended by the trainer."""
        return self.path / "metrics.jsonl"

    @property
    def samples(self) -> Path:
        """Captions beside references; appended by the trainer."""
        return self.path / "samples.jsonl"

    @property
    def hardware(self) -> Path:
        """Samples of GPU and host; appended by the supervisor."""
        return self.path / "hardware.jsonl"

    def trace(self, step: int) -> Path:
        """What torch's profiler saw of an optimiser step (`sft.profile_step`); written by the trainer."""
        return self.path / f"trace-step-{step}.json.gz"

    @property
    def reserve(self) -> Path:
        """Room on the disk that is given up when it is full, so that the run's end can still be written."""
        return self.path / ".reserve"

    @property
    def console_log(self) -> Path:
        """The trainer's stdout and stderr, tracebacks included."""
        return self.path / "console.log"

    @property
    def control(self) -> Path:
        """The folder of requests to the run."""
        return self.path / "control"


@dataclass(frozen=True)
class RunRecord:
    """The content of `run.json`.

    Attributes:
        schema_version: see `SCHEMA_VERSION`.
        run_id: the name of the folder.
        profile: the profile's name.
        description: the profile's line about itself.
        family: llama32 or aya.
        mode: basic or advanced.
        argv: the command that asked for the run, tokens taken out.
        created: when.
        host: the machine.
        python: its Python.
        git_commit: of the project; None if it is no git checkout.
        packages: versions that a result may depend on; None = not installed.
        resumed_from: the id of the run that this one continues.
        checkpoint: the folder of the checkpoint that it starts from.
        forced: whether it goes on although something that shapes the loss curve has changed since.
        boot_id: this boot of the machine, see `inft.machine.boot`.
        pid_namespace: where its processes' numbers mean something, see `inft.machine.processes`.
        root: the project's folder, from which the configuration's relative paths start.
    """

    schema_version: int
    run_id: str
    profile: str
    description: str
    family: str
    mode: str
    argv: tuple[str, ...]
    created: str
    host: str
    python: str
    git_commit: str | None
    packages: dict[str, str | None]
    resumed_from: str | None
    checkpoint: str | None = None
    forced: bool = False
    boot_id: str | None = None
    pid_namespace: str | None = None
    root: str | None = None


@dataclass(frozen=True)
class Origin:
    """What a run continues.

    Attributes:
        run_id: the run before it.
        checkpoint: the checkpoint of that run, or of one before it, that it starts from.
        forced: whether a changed configuration or corpus is meant.
    """

    run_id: str
    checkpoint: Path
    forced: bool = False


def logs_folder(config: Config) -> Path:
    """The folder of all runs of this configuration.

    Raises:
        ConfigError: `basic.logs_dir` leads out of the project without being absolute.
    """
    return inside(project_root(), config.basic.logs_dir, "basic.logs_dir")


def run_name(profile: str) -> str:
    """The part of a run id that says what ran.

    >>> run_name("aya_adv"), run_name("../my profile"), run_name("...")
    ('aya_adv', 'my-profile', 'run')
    """
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", profile).strip("-.")
    return name[:_LONGEST_NAME] or "run"


def create_run(
    config: Config,
    config_toml_text: str,
    *,
    argv: Sequence[str],
    origin: Origin | None = None,
    at: datetime | None = None,
) -> RunDirectory:
    """Makes the folder of a new run with `run.json`, `config.toml` and an empty `metrics.jsonl`.

    Args:
        config: what will run.
        config_toml_text: the same as TOML.
        argv: the command that asked for it.
        origin: what it continues; None = it starts afresh.
        at: the moment that names it; None = now.

    Raises:
        ConfigError: `basic.logs_dir` leads out of the project, or a value holds an access token.
        DiskError: the folder or a file in it could not be written; then no new folder is left behind.
    """
    if _HUB_TOKEN_IN_CONFIG.search(config_toml_text):
        raise ConfigError(
            f"Profile {config.profile} holds what looks like a Hugging Face access token, which would be copied into "
            "the run's config.toml.",
            "Take it out and log in with `hf auth login`, or set HF_TOKEN in the environment.",
        )
    moment = at or utc_now()
    run = RunDirectory(_make_folder(logs_folder(config), f"{run_name(config.profile)}-{moment:%Y%m%d-%H%M%S}"))
    record = RunRecord(
        schema_version=SCHEMA_VERSION,
        run_id=run.run_id,
        profile=storable(config.profile),
        description=storable(config.description),
        family=config.family,
        mode=config.mode,
        argv=tuple(storable(argument) for argument in argv),
        created=timestamp(moment),
        host=provenance.host_name(),
        python=provenance.python_version(),
        git_commit=provenance.git_commit(project_root()),
        packages=provenance.package_versions(),
        resumed_from=None if origin is None else origin.run_id,
        checkpoint=None if origin is None else str(origin.checkpoint),
        forced=origin is not None and origin.forced,
        boot_id=boot_id(),
        pid_namespace=pid_namespace(),
        root=str(project_root()),
    )
    try:
        replace_file(run.run_json, msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n", durable=True)
        replace_file(run.config_toml, config_toml_text.encode("utf-8"), durable=True)
        _touch(run.metrics)
    except BaseException:
        shutil.rmtree(run.path, ignore_errors=True)
        raise
    return run


def link_latest(logs_dir: Path, task_tag: str, run: RunDirectory) -> Record | None:
    """Points `trainer_<task_tag>.jsonl` at the metrics of `run`, in one step.

    Returns:
        None, or an alert saying why there is no such link: the file system has none, or a file that is no link of
        ours already has the name. The run is the same without it.

    Raises:
        DiskError: the disk is full or does not let us.
    """
    link = logs_dir / f"trainer_{task_tag}.jsonl"
    if link.exists() and not link.is_symlink():
        return _no_link(link, "a file that is not a link already has that name", "Move that file away.")
    temporary = logs_dir / f".{link.name}.{os.getpid()}"
    try:
        temporary.symlink_to(os.path.relpath(run.metrics, logs_dir))
        temporary.replace(link)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in _NO_LINKS_HERE:
            return _no_link(link, "this file system has no symbolic links", f"Follow {run.metrics} instead.")
        raise disk_error(error, link) from error
    return None


def _make_folder(logs_dir: Path, name: str) -> Path:
    try:
        logs_dir.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            path = logs_dir / (name if number == 1 else f"{name}-{number}")
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return path
    except OSError as error:
        raise disk_error(error, logs_dir) from error
    raise AssertionError("count() has no end")


def _touch(path: Path) -> None:
    """So that `tail -f` on the link has a file to open before the trainer writes its first line."""
    try:
        path.touch(exist_ok=False)
    except OSError as error:
        raise disk_error(error, path) from error


def _no_link(link: Path, reason: str, fix: str) -> Record:
    return events.alert(
        level="warning", kind="link", message=redact(f"{link} does not point at this run: {reason}."), fix=redact(fix)
    )
