"""One training run, top to bottom; `inft.trainer` is the process around it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import TrainerCallback, set_seed

from inft.captioning.captioner import caption_rows
from inft.captioning.settings import GenerationSettings
from inft.config import Config
from inft.data.cached_lengths import Lengths, find_lengths
from inft.data.collators import CaptionCollator
from inft.data.encoding import IGNORE_INDEX, EncodingLimits, RowTooLong
from inft.data.images import open_image
from inft.data.munichus import Selection
from inft.data.rows import UnusableRow
from inft.data.skips import SkipLedger
from inft.data.spread import evenly_spread
from inft.errors import ConfigError, DiskError, ExitCode, InftError
from inft.evaluation_figures import criterion, full_name
from inft.forecast.architecture import Architecture, read_architecture
from inft.forecast.flops import ModelFlop
from inft.forecast.identity import lengths_key
from inft.forecast.lengths import LengthTable
from inft.forecast.memory import heaviness
from inft.forecast.statistics import check_usable
from inft.models.adapters import TrainableTable, add_adapters, trainable_table
from inft.models.attention import choose_attention
from inft.models.checkpoint import Checkpoint, load_processor, locate
from inft.models.compiled import cache_compiled
from inft.models.family import Family
from inft.models.layers import set_up_layers
from inft.models.quantization import DTYPES, load_base
from inft.models.registry import FAMILIES
from inft.project import cache_dir, inside
from inft.runs import events
from inft.runs.bases import identify
from inft.runs.checkpoints import newest, sweep
from inft.runs.clock import utc_now
from inft.runs.directory import RunDirectory
from inft.runs.find import reference
from inft.runs.lineage import ancestors
from inft.runs.plans import write_plan
from inft.runs.results import Result
from inft.training.announcements import announce, tell_aside, tell_leftovers, tell_skips, tell_unusable
from inft.training.arguments import check_tracker, training_arguments
from inft.training.callbacks import GradientGuard, Requests, TrainerLoggingCallback, early_stopping
from inft.training.choice_of_rows import (
    hold_out,
    require_scoring,
    rows_to_evaluate_on,
    rows_to_train_on,
    tell_shared_articles,
)
from inft.training.control import RunControl
from inft.training.earlier import set_checkpoints_aside
from inft.training.evaluation import check_languages
from inft.training.first_step import FirstStep
from inft.training.fit import Fit, as_given, enforce_limit, fit, notices, this_card
from inft.training.matrix_rate import matrix_rate
from inft.training.meter import StepMeter
from inft.training.order import cost_by_size
from inft.training.origin import starting_point
from inft.training.padding_free import trainer_for
from inft.training.precision import Machine, check_fast_path, check_precision, this_machine, use_one_gpu
from inft.training.report import RunReport
from inft.training.results import put_result, sweep_results
from inft.training.resume_state import fingerprint
from inft.training.resumed import CheckpointPlan
from inft.training.samples import Samples
from inft.training.stopwatch import stopwatch_of
from inft.training.trace import step_trace


def train(run: RunDirectory, config: Config, report: RunReport, root: Path, control: RunControl) -> ExitCode:
    """Fine-tunes as `config` says; the steps are the guide's.

    Args:
        run: whose training it is, and what it continues.
        config: every parameter.
        report: hears of everything, the end included.
        root: the project's root, which relative paths start at.
        control: what the run is asked for on the way.

    Returns:
        FINISHED, or STOPPED after an early end.

    Raises:
        InftError: what went wrong, by name.
        KeyboardInterrupt: somebody asked for an end where nothing is under way that could be saved.
    """
    use_one_gpu()
    cache_compiled(cache_dir() / "compiled")
    machine = this_machine()
    announce(report, "hardware", machine.text())
    check_precision(config.compute_dtype, machine)
    check_fast_path(config, machine)
    rate = matrix_rate(machine.device, DTYPES[config.compute_dtype])
    if rate is not None:
        announce(report, "hardware", f"Matrix products in {config.compute_dtype}: {rate / 1e12:.0f} TFLOP/s")
    family = FAMILIES[config.family]
    attention = choose_attention(
        config.basic.attn_impl,
        family,
        on_gpu=machine.on_gpu,
        # A plan that is yet to be made keeps to what the attention can do.
        recompute=config.sft.gradient_checkpointing and config.sft.fit == "manual",
    )
    check_tracker(config.sft.report_to)
    require_scoring(config)
    output_dir = inside(root, config.output_dir, config.output_dir_key)
    best_model_dir = inside(root, config.best_model_dir, config.best_model_dir_key)
    start = starting_point(run)
    set_seed(config.basic.seed)
    report.state("loading")

    key_before = lengths_key(config, root, config.data.split)
    rows = rows_to_train_on(config, report, root)
    unseen = rows_to_evaluate_on(config, report, root)
    if unseen is not None:
        tell_shared_articles(rows, unseen, report)
    fingerprints = {use: fingerprint(chosen) for use, chosen in (("train", rows), ("evaluation", unseen)) if chosen}
    if start is not None:
        start.check_rows(fingerprints, report)
    checkpoint = fetch(config, family, report, root)
    collator = build_collator(config, family, checkpoint, rows)
    captioned = collator if unseen is None else build_collator(config, family, checkpoint, unseen)
    samples = Samples(captioned.corpus, run.path, report)
    held_out = None if unseen is None else hold_out(config, unseen, captioned, samples)
    check_supervision(collator)
    if held_out is not None:
        check_languages(held_out)
    lengths = measure(config, rows, collator, report, root, key_before=key_before)
    tell_unusable(lengths.statistics, report)
    check_usable(lengths.statistics)
    architecture = read_architecture(config.family, checkpoint.model)
    fitted = settle(run, config, architecture, lengths.statistics.table, machine, report)
    config, plan = fitted.config, fitted.plan

    model, table = build_model(config, family, checkpoint, machine, attention, report)
    announce(report, "trainable", table.text())

    meter = StepMeter(stopwatch_of(machine.device), flop=ModelFlop(config, architecture).total, matrix_rate=rate)
    ledger = SkipLedger("while training")
    lineage = tuple(ancestors(run))
    base = identify(checkpoint.name, checkpoint.model)
    requests = Requests(control, report)
    origin = {} if start is None else start.origin
    trainer = trainer_for(
        config,
        family,
        collator,
        model=model,
        args=training_arguments(config, output_dir, on_gpu=machine.on_gpu),
        lengths=lengths.rows,
        # Without a GPU's memory to fill, rows come in the same order with and without padding.
        cost=partial(heaviness, config, architecture) if machine.on_gpu else cost_by_size,
        rehearses=start is not None and machine.on_gpu,
        held_out=held_out,
        meter=meter,
        plan=CheckpointPlan(output_dir, lineage, config.sft.save_total_limit, fingerprints, base, criterion(config)),
        report=report,
        ledger=ledger,
        is_ending=lambda: control.stop is not None or report.disk_problem is not None,
        adapter_dtype=DTYPES[config.lora.adapter_dtype],
        callbacks=[
            GradientGuard(family),
            TrainerLoggingCallback(
                report,
                meter,
                table,
                on_gpu=machine.on_gpu,
                forecast_bytes=None if plan is None else plan.forecast.peak_bytes,
                origin=origin,
            ),
            requests,
            *first_step(fitted, machine, report),
            *step_trace(config.sft.profile_step, run, report, meter),
            *early_stopping(config, report),
        ],
    )
    began = utc_now()
    control.defer()
    tell_leftovers(report, sweep(output_dir) + sweep_results(best_model_dir))
    before = 0 if start is None else start.checkpoint.step
    tell_aside(report, set_checkpoints_aside(output_dir, began, lineage=lineage, up_to_step=before))
    with report.outliving_the_log():
        trainer.train(resume_from_checkpoint=None if start is None else str(start.checkpoint.path))
    check_log(report, output_dir, lineage)
    cut_short = requests.cut_short or trainer.evaluation_due
    last = trainer.state.global_step
    best = trainer.loaded_best
    result = Result(run.run_id, last if best is None else best, is_best=best is not None, base=base)
    with report.saving():
        aside = put_result(
            best_model_dir,
            result,
            lambda folder: save(model, collator, folder),
            lineage=lineage,
            busy=output_dir,
            at=began,
        )
    tell_aside(report, aside)
    tell_leftovers(report, sweep(output_dir) + sweep_results(best_model_dir))
    if ledger.report().too_many():
        announce(report, "saved", f"The adapters as they were trained are in {best_model_dir}.", "warning")
    ledger.check(final=True)
    tell_skips(ledger, report)
    if not cut_short:
        caption_some(config, model, captioned, samples, result.step, control)
    control.say()
    end: events.EndState = "stopped" if cut_short else "finished"
    kept: dict[str, Any] = (
        {} if best is None else {"best_step": best, "best_by": full_name(config.sft.metric_for_best_model)}
    )
    report.event(
        events.train_end(
            state=end, global_step=last, elapsed_sec=meter.elapsed_sec, best_model_dir=str(best_model_dir), **kept
        )
    )
    if not cut_short:
        report.finished()
        return ExitCode.FINISHED
    report.stopped(
        f"Stopped {control.stop} after step {last}.",
        f"Its adapters are in {best_model_dir}, its checkpoint is in {output_dir}; "
        f"`inft-tui resume {reference(run)}` goes on from there.",
    )
    return ExitCode.STOPPED


def check_log(report: RunReport, output_dir: Path, lineage: Sequence[str]) -> None:
    """Ends a run whose log has no room any more, now that its checkpoint is safe.

    Raises:
        DiskError: it has none.
    """
    problem = report.disk_problem
    if problem is None:
        return
    found = newest(output_dir, lineage)
    saved = "" if found is None else f" The checkpoint of step {found.step} is complete in {found.path}."
    raise DiskError(problem.message, problem.fix + saved)


def fetch(config: Config, family: Family, report: RunReport, root: Path) -> Checkpoint:
    """The base checkpoint on this machine's disk."""
    return locate(config, family, root, progress=lambda done, total: report.stage("download", done, total, "bytes"))


def build_collator(config: Config, family: Family, checkpoint: Checkpoint, rows: Selection) -> CaptionCollator:
    """What turns numbers of `rows` into the family's batches."""
    processor = load_processor(checkpoint.processor, family)
    return family.collator(processor, rows, config.data.language_names, EncodingLimits.of(config))


def measure(
    config: Config,
    rows: Selection,
    collator: CaptionCollator,
    report: RunReport,
    root: Path,
    *,
    key_before: str | None,
) -> Lengths:
    """How long the rows trained on are; known from the cache, or measured now."""
    return find_lengths(
        config,
        root,
        config.data.split,
        rows,
        collator,
        key_before=key_before,
        on_progress=lambda done, total: report.stage("lengths", done, total, "rows"),
        on_problem=lambda error: announce(report, "disk", f"{error.message} Lengths are measured anew.", "warning"),
    )


def settle(
    run: RunDirectory,
    config: Config,
    architecture: Architecture,
    lengths: LengthTable,
    machine: Machine,
    report: RunReport,
) -> Fit:
    """How the run does its steps on this machine's GPU, from the memory that is free now; written down and told.

    Raises:
        NotReadyError: it is to choose for itself, and nothing fits.
    """
    if not machine.on_gpu:
        fitted = as_given(config)
    else:
        card = this_card()
        fitted = fit(config, architecture, lengths, card)
        enforce_limit(config, card)
    write_plan(run, fitted.record)
    for notice in notices(fitted):
        print(notice["message"], notice["fix"], flush=True)
        report.event(notice)
    return fitted


def first_step(fitted: Fit, machine: Machine, report: RunReport) -> list[TrainerCallback]:
    """The callback that has the first step take as much memory as any later one, where that was forecast."""
    if fitted.plan is None:
        return []
    return [
        FirstStep(
            forecast_bytes=fitted.plan.forecast.training_bytes,
            state_bytes=fitted.state_bytes,
            hold=lambda size: torch.empty(size, dtype=torch.uint8, device=machine.device),
            peak=torch.cuda.max_memory_allocated,
            tell=lambda text, level: announce(report, "memory", text, level),
        )
    ]


def build_model(
    config: Config, family: Family, checkpoint: Checkpoint, machine: Machine, attention: str, report: RunReport
) -> tuple[PeftModel, TrainableTable]:
    """The quantised base with fresh adapters, and the table of what is trained.

    Raises:
        InftError: nothing is trainable (the guide's first guard).
    """
    base = load_base(
        config,
        family,
        checkpoint,
        device=machine.device,
        attention=attention,
        progress=lambda done, total: report.stage("weights", done, total, "tensors"),
    )
    model, targets = add_adapters(base, config, family)
    set_up_layers(
        model,
        config,
        family,
        lambda done, total: report.stage("compiling", done, total, "layers"),
        lambda text: announce(report, "compiling", text, "warning"),
    )
    table = trainable_table(model, targets, family)
    if table.trainable == 0:
        raise InftError("No parameter of the model is trainable.", "Check lora.target_modules.")
    return model, table


def check_supervision(collator: CaptionCollator) -> None:
    """The guide's second guard: some token of a real batch is supervised.

    Raises:
        ConfigError: the first usable row leaves no room for its caption.
        InftError: it has room, and still nothing is supervised.
    """
    try:
        row = collator.corpus[0]
        labels = collator.encoder.encode(row, open_image(row.image)).labels
    except RowTooLong as error:
        raise ConfigError(f"{error.place}: {error.reason}.", "Raise basic.max_length.") from error
    except UnusableRow:
        labels = collator([{"row": 0}])["labels"]
    if not (labels != IGNORE_INDEX).any():
        raise InftError("No token of the first batch is supervised.", "Please report this: it is a defect.")


def save(model: PeftModel, collator: CaptionCollator, folder: Path) -> None:
    """Adapters and processor go into `folder`."""
    model.save_pretrained(folder, safe_serialization=True)
    collator.encoder.processor.save_pretrained(folder)


def caption_some(
    config: Config, model: PeftModel, collator: CaptionCollator, samples: Samples, step: int, control: RunControl
) -> None:
    """Captions `basic.sample_rows` rows by the trained model, until somebody wants the run to end."""
    rows = evenly_spread(config.basic.sample_rows, len(collator.corpus))
    settings = GenerationSettings.configured(config.basic, config.basic.seed)
    for captions in caption_rows(model, collator, rows, settings, batch_size=config.sft.inference_batch_size):
        if control.stop is not None:
            return  # everything is saved; only captions to look at are missing
        samples.write(captions, step, final=True)
