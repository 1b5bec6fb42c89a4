"""What it takes to go on with a run: from which checkpoint, with which configuration, and whether that is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inft.config import Config
from inft.errors import ConfigError, InftError
from inft.forecast.choice import Choice, choice_of, describe, with_choice
from inft.profiles import curve_changes, load_config, resolve
from inft.project import project_root
from inft.runs.checkpoints import Checkpoint, incomplete_checkpoints
from inft.runs.condition import Condition, is_out_of_sight
from inft.runs.directory import Origin, RunDirectory, RunRecord
from inft.runs.find import reference
from inft.runs.inspect import inspect
from inft.runs.lineage import successor
from inft.runs.plans import STATE_IT, overrides_of, read_plan
from inft.runs.provenance import package_versions
from inft.runs.quantities import duration
from inft.runs.records import read_record
from inft.runs.saved import checkpoint_folder, home_of, last_sound_checkpoint
from inft.runs.visible import visible

CURVE_PACKAGES = ("torch", "transformers", "peft", "trl", "bitsandbytes")
"""A new version of one of these may compute a slightly other loss."""

PLANNED_KEYS = tuple(text.partition("=")[0] for text in overrides_of(Choice(1, 1, True, False)))
"""What a plan decides; `config.toml` has what was stated instead."""


@dataclass(frozen=True)
class Resumption:
    """A run that can go on.

    Attributes:
        config: of the new run.
        checkpoint: what it starts from.
        origin: the same for its record.
        changed: the keys that differ and shape the loss curve; only ever some where that was forced.
        warnings: what the person should know, a sentence each.
        kept_plan: that it does its steps as the old run had chosen to, in a sentence; empty where nothing was chosen.
        overrides: what the configuration differs in from the old run's own, each "table.key=value".
    """

    config: Config
    checkpoint: Checkpoint
    origin: Origin
    changed: tuple[str, ...]
    warnings: tuple[str, ...]
    kept_plan: str = ""
    overrides: tuple[str, ...] = ()


def prepare(run: RunDirectory, overrides: Sequence[str] = (), *, force: bool = False) -> Resumption:
    """How `run` can go on; nothing is made or started for it.

    Args:
        run: the run, which must have ended.
        overrides: values that differ from then on, each "table.key=value".
        force: allow those that change the loss curve, and take the word of whoever asks that a run of another machine
            is over, which cannot be seen from here.

    Raises:
        ConfigError: it cannot go on: it lives, it is damaged, it has no complete checkpoint, it has nothing left to do,
            or the overrides are wrong or need `force`.
        DiskError: it cannot be read.
    """
    record, condition, name = read_record(run), inspect(run), reference(run)
    if condition.alive and not (force and is_out_of_sight(condition)):
        raise _still_going_on(name, visible(record.host), condition)
    stated = load_config(run.config_toml)
    _refuse_other_project(run, stated)
    plan_anew = any(text.partition("=")[0].strip() == "sft.fit" for text in overrides)
    choice = _planned_choice(run, stated, needed=not plan_anew)
    kept = () if choice is None or plan_anew else overrides_of(choice)
    old = stated if choice is None else with_choice(stated, choice)
    new = resolve(str(run.config_toml), (*kept, *overrides)).config
    changed = curve_changes(old, new)
    planned = "" if choice is None or stated.sft.fit != "auto" else describe(choice)
    refuse_what_is_done(name, condition, anything_new=bool(changed) or (force and bool(overrides)))
    if changed and not force:
        stated_anew = [key for key in changed if key not in PLANNED_KEYS] if planned and plan_anew else changed
        raise _would_bend(stated_anew, old, new) if stated_anew else _would_plan_anew(name, planned)
    checkpoint, problems = last_sound_checkpoint(run)
    if checkpoint is None:
        raise _nothing_to_start_from(run, name, old, problems)
    # At its very last step a run may still be killed before its adapters are written, which is then all that is left.
    is_at_the_end = checkpoint.step == new.sft.max_steps and condition.state != "finished"
    if new.sft.max_steps is not None and checkpoint.step >= new.sft.max_steps and not is_at_the_end:
        raise ConfigError(
            f"The last checkpoint of run {name} is of step {checkpoint.step:,}, and sft.max_steps is "
            f"{new.sft.max_steps:,}: nothing is left to do.",
            "Raise it with --set sft.max_steps=N and add --force.",
        )
    warnings = [
        *version_changes(record.packages, package_versions()),
        *(f"{visible(problem.message)} It is left out." for problem in problems),
        *_about_checkpoints(run, record, old, checkpoint),
    ]
    told = f"Keeps the plan of {name}: {describe(choice_of(new))}." if planned and kept else ""
    if changed:
        warnings.insert(0, f"The loss curve will not be the same, since these changed: {', '.join(changed)}.")
    return Resumption(
        config=new,
        checkpoint=checkpoint,
        origin=Origin(run.run_id, checkpoint.path, force),
        changed=tuple(changed),
        warnings=tuple(warnings),
        kept_plan=told,
        overrides=(*kept, *overrides),
    )


def _still_going_on(name: str, host: str, condition: Condition) -> ConfigError:
    if is_out_of_sight(condition) and condition.stalled_sec is not None:
        return ConfigError(
            f"Run {name} ran on {host}, which cannot be seen from here, and has been silent for "
            f"{duration(condition.stalled_sec)}.",
            "If that machine is gone, or the run there certainly over, add --force.",
        )
    where = f" on {host}" if condition.elsewhere else ""
    return ConfigError(
        f"Run {name} still goes on{where}, so there is nothing to resume.",
        f"Stop it first with `inft-tui stop {name}`, or follow it with `inft-tui tail -f {name}`.",
    )


def refuse_what_is_done(name: str, condition: Condition, *, anything_new: bool) -> None:
    """Says so if a run has finished and would only finish again.

    Raises:
        ConfigError: it would.
    """
    if condition.state != "finished" or anything_new:
        return
    fix = "To train on, raise sft.max_steps or sft.num_epochs with --set and add --force."
    if condition.max_steps is not None and condition.step < condition.max_steps:
        fix = "It stopped early since it no longer improved; --set sft.early_stopping_patience=0 --force trains on."
    raise ConfigError(f"Run {name} has finished, so nothing is left to do.", fix)


def version_changes(then: Mapping[str, str | None], now: Mapping[str, str | None]) -> list[str]:
    """A sentence about the packages that differ and that the loss depends on; nothing if none does.

    >>> version_changes({"torch": "2.12.0"}, {"torch": "2.13.0"})
    ['Since then these changed, and the curve may with them: torch 2.12.0 -> 2.13.0.']
    """
    moved = [
        f"{package} {then.get(package) or 'none'} -> {now.get(package) or 'none'}"
        for package in CURVE_PACKAGES
        if package in then and then[package] != now.get(package)
    ]
    return (
        [f"Since then these changed, and the curve may with them: {', '.join(map(visible, moved))}."] if moved else []
    )


def _refuse_other_project(run: RunDirectory, config: Config) -> None:
    """A relative folder of the run would mean another one here."""
    home = home_of(run, config)
    if home.resolve() != project_root().resolve():
        raise ConfigError(
            f"{visible(str(run.path))} belongs to the project in {visible(str(home))}, not to this one.",
            f"Go there, or set INFT_HOME={visible(str(home))}.",
        )


def _planned_choice(run: RunDirectory, config: Config, *, needed: bool) -> Choice | None:
    """How the run did its steps; None = as `config` says.

    Raises:
        ConfigError: it is needed, and what the run had chosen is lost.
        DiskError: it cannot be read.
    """
    try:
        plan = read_plan(run)
    except ConfigError:
        if needed and config.sft.fit == "auto":
            raise
        return None
    if plan is None and needed and config.sft.fit == "auto":
        raise ConfigError(f"{visible(str(run.plan))} is missing, which said how the run did its steps.", STATE_IT)
    if plan is not None and plan.choice.micro_batch * plan.choice.accumulation != config.effective_batch:
        raise ConfigError(
            f"{visible(str(run.plan))} is not this run's: its effective batch is "
            f"{plan.choice.micro_batch * plan.choice.accumulation}, not {config.effective_batch}.",
            STATE_IT,
        )
    return None if plan is None else plan.choice


def _would_bend(changed: Sequence[str], old: Config, new: Config) -> ConfigError:
    from inft.wording import shown

    def value(config: Config, key: str) -> str:
        table, _, name = key.rpartition(".")
        return shown(vars(vars(config)[table] if table else config)[name])

    listed = ", ".join(f"{key} ({value(old, key)} -> {value(new, key)})" for key in changed)
    return ConfigError(
        f"These shape the loss curve, so the run would not go on as it was: {listed}.",
        "Leave them as they were, or add --force.",
    )


def _would_plan_anew(name: str, planned: str) -> ConfigError:
    return ConfigError(
        f"Run {name} goes on as planned when it started: {planned}; a new plan may choose another micro-batch, and "
        "the run would not go on as it was.",
        "Leave sft.fit out to keep that plan, or plan anew with --set sft.fit=auto --force.",
    )


def _nothing_to_start_from(run: RunDirectory, name: str, config: Config, problems: Sequence[InftError]) -> ConfigError:
    later = successor(run)
    if later is not None:
        return ConfigError(
            f"Run {name} has no complete checkpoint any more; {visible(later.run_id)} already goes on from it.",
            f"Resume that one: `inft-tui resume {reference(later)}`.",
        )
    if problems:
        told = " ".join(visible(problem.message) for problem in problems)
        return ConfigError(f"Run {name} has no sound checkpoint. {told}", "Start it again from the beginning.")
    folder = visible(str(checkpoint_folder(run, config)))
    return ConfigError(f"Run {name} has no complete checkpoint in {folder}.", "Start it again from the beginning.")


def _about_checkpoints(run: RunDirectory, record: RunRecord, config: Config, chosen: Checkpoint) -> list[str]:
    warnings = []
    if chosen.run_id != run.run_id:
        warnings.append(
            f"The run had saved nothing itself, so it goes on from a checkpoint of {visible(chosen.run_id)}."
        )
    try:
        broken = [path.name for path in incomplete_checkpoints(checkpoint_folder(run, config))]
        later = successor(run)
    except InftError:
        return warnings  # the checkpoint that counts could be read
    newer = [name for name in broken if _step(name) > chosen.step]
    if newer:
        warnings.append(f"Not complete, and therefore left out: {', '.join(map(visible, newer))}.")
    if later is not None:
        warnings.append(f"{visible(later.run_id)} already continues this run; this starts a second continuation.")
    return warnings


def _step(name: str) -> int:
    digits = name.rpartition("-")[2]
    return int(digits) if digits.isascii() and digits.isdecimal() else 0
