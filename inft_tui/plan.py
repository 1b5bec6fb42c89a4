"""What a configuration would run, as data: the dry run prints it, and nothing is made or loaded for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from inft.config import Config
from inft.evaluation_figures import full_name, more_is_better
from inft.profiles import Resolved, describe_fields
from inft.project import inside, project_root
from inft.runs.directory import logs_folder, run_name


@dataclass(frozen=True)
class Difference:
    """A value that is not the default.

    Attributes:
        key: dotted name.
        value: what it is.
        default: what it would be.
        origin: where it was stated.
    """

    key: str
    value: object
    default: object
    origin: str


@dataclass(frozen=True)
class Plan:
    """One run before it starts.

    Attributes:
        model: which weights, in words.
        data: which rows, in words.
        evaluation: on which rows, how often, and what becomes of it, in words.
        micro_batch, effective_batch: rows per forward pass and per optimiser step.
        checkpoints, adapters: the folders that the run fills.
        run_directory: with the moment of the start still open.
        log_link: the guide's log of the newest run of this kind.
    """

    profile: str
    description: str
    family: str
    mode: str
    model: str
    data: str
    evaluation: str
    compute_dtype: str
    attention: str
    micro_batch: int
    effective_batch: int
    checkpoints: str
    adapters: str
    run_directory: str
    log_link: str
    differs: tuple[Difference, ...]


def plan(resolved: Resolved) -> Plan:
    """What `resolved` would run.

    Raises:
        ConfigError: a folder leads out of the project without being absolute.
    """
    config, root, logs = resolved.config, project_root(), logs_folder(resolved.config)
    return Plan(
        profile=config.profile,
        description=config.description,
        family=config.family,
        mode=config.mode,
        model=_model(config, root),
        data=_data(config, root),
        evaluation=_evaluation(config),
        compute_dtype=config.compute_dtype,
        attention=config.basic.attn_impl,
        micro_batch=config.data.batch_size,
        effective_batch=config.effective_batch,
        checkpoints=str(inside(root, config.output_dir, config.output_dir_key)),
        adapters=str(inside(root, config.best_model_dir, config.best_model_dir_key)),
        run_directory=str(logs / f"{run_name(config.profile)}-<YYYYMMDD-HHMMSS>"),
        log_link=str(logs / f"trainer_{config.task_tag}.jsonl"),
        differs=tuple(_differences(resolved)),
    )


def _model(config: Config, root: Path) -> str:
    basic = config.basic
    weights = "4-bit" if config.qlora.load_in_4bit else basic.dtype
    match basic.model_source:
        case "hub":
            name = config.model_name if basic.revision is None else f"{config.model_name} at {basic.revision}"
            return f"{name} from the hub, {weights}"
        case "folder":
            return f"{inside(root, basic.model_path or '', 'basic.model_path')}, {weights}"
        case "tiny":
            return f"a small random {config.family} checkpoint, {weights}"


def _data(config: Config, root: Path) -> str:
    data = config.data
    match data.source:
        case "hub":
            source = f"{data.dataset_id} from the hub"
        case "demo":
            source = "the bundled corpus"
        case _:
            source = f"{inside(root, data.path or '', 'data.path')} ({data.source})"
    words = f"{source}, split {data.split}, {', '.join(data.languages)}"
    if data.max_rows_per_lang is not None:
        words += f", at most {data.max_rows_per_lang:,} rows each"
    return words


def _evaluation(config: Config) -> str:
    """What is evaluated, and what it decides."""
    data, sft = config.data, config.sft
    if data.eval_fraction is not None:
        rows = f"{100 * data.eval_fraction:g} % of each language's articles, held out of split {data.split}"
    elif data.eval_split is not None:
        rows = f"split {data.eval_split}"
    else:
        return "none; the last step's adapters are kept"
    if data.eval_rows_per_lang is not None:
        rows += f", at most {data.eval_rows_per_lang:,} rows each"
    count = config.basic.eval_captions
    captions = f", with {count:,} caption{'s' if count > 1 else ''} of each language" if count else ""
    words = f"every {sft.eval_steps:,} steps and at the end on {rows}{captions}"
    metric = full_name(sft.metric_for_best_model)
    if sft.load_best_model_at_end:
        best = "highest" if more_is_better(config) else "lowest"
        words += f"; the checkpoint with the {best} {metric} is kept"
    else:
        words += "; the last step's adapters are kept"
    patience = sft.early_stopping_patience
    return f"{words}, and {patience} without a better {metric} end the run" if patience else words


def _differences(resolved: Resolved) -> list[Difference]:
    found: list[Difference] = []
    for info in describe_fields():
        if not info.table:
            continue  # family, mode, name and description are told anyway
        value = vars(vars(resolved.config)[info.table])[info.name]
        if value != info.default:
            found.append(Difference(info.key, value, info.default, resolved.origins[info.key]))
    return found
