"""One training run, top to bottom: `python -m inft.pipeline RUN_DIRECTORY`."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from peft import PeftModel
from transformers import EarlyStoppingCallback, TrainerCallback, set_seed

from inft.config import Config
from inft.data.collators import CaptionCollator
from inft.data.encoding import IGNORE_INDEX, EncodingLimits, RowTooLong
from inft.data.images import open_image
from inft.data.munichus import Selection, load_rows
from inft.data.rows import UnusableRow
from inft.data.skips import SkipLedger
from inft.errors import ConfigError, DiskError, ExitCode, InftError
from inft.models.adapters import TrainableTable, add_adapters, trainable_table
from inft.models.attention import choose_attention
from inft.models.checkpoint import Checkpoint, load_processor, locate
from inft.models.family import Family
from inft.models.quantization import DTYPES, load_base
from inft.models.registry import FAMILIES
from inft.profiles import load_config
from inft.project import inside, project_root
from inft.runs import events
from inft.runs.clock import utc_now
from inft.runs.directory import RunDirectory
from inft.training.arguments import training_arguments
from inft.training.callbacks import GradientGuard, StopRequest, TrainerLoggingCallback
from inft.training.earlier import set_adapters_aside, set_checkpoints_aside
from inft.training.failures import named_cause
from inft.training.meter import StepMeter
from inft.training.precision import Machine, check_precision, this_machine, use_one_gpu
from inft.training.report import Listener, RunReport
from inft.training.samples import evenly_spread, sample_captions
from inft.training.trainer import CaptionTrainer


def train(config: Config, report: RunReport, root: Path, stop: StopRequest) -> ExitCode:
    """Fine-tunes as `config` says; the steps are the guide's.

    Args:
        config: every parameter.
        report: hears of everything.
        root: the project's root, which relative paths start at.
        stop: whether somebody asked for an early end.

    Returns:
        FINISHED, or STOPPED after an early end.

    Raises:
        InftError: what went wrong, by name.
    """
    machine = this_machine()
    announce(report, "hardware", machine.text())
    check_precision(config.compute_dtype, machine)
    family = FAMILIES[config.family]
    attention = choose_attention(
        config.basic.attn_impl, family, on_gpu=machine.on_gpu, recompute=config.sft.gradient_checkpointing
    )
    output_dir = inside(root, config.output_dir, config.output_dir_key)
    best_model_dir = inside(root, config.best_model_dir, config.best_model_dir_key)
    arguments = training_arguments(config, output_dir, on_gpu=machine.on_gpu)
    set_seed(config.basic.seed)
    report.state("loading")

    rows = select(config, report, root, config.data.split)
    held_out = select(config, report, root, config.data.eval_split) if config.data.eval_split else None
    checkpoint = fetch(config, family, report, root)
    collator = build_collator(config, family, checkpoint, rows)
    evaluation = build_collator(config, family, checkpoint, held_out) if held_out is not None else None
    check_supervision(collator)

    model, table = build_model(config, family, checkpoint, machine, attention, report)
    announce(report, "trainable", table.text())

    meter, ledger = StepMeter(), SkipLedger("while training")
    trainer = CaptionTrainer(
        model=model,
        args=arguments,
        collator=collator,
        evaluation=evaluation,
        meter=meter,
        report=report,
        ledger=ledger,
        adapter_dtype=DTYPES[config.lora.adapter_dtype],
        callbacks=[
            GradientGuard(family),
            TrainerLoggingCallback(report, meter, table, on_gpu=machine.on_gpu),
            stop,
            *early_stopping(config),
        ],
    )
    began = utc_now()
    tell_aside(report, set_checkpoints_aside(output_dir, began))
    with stop.deferred():
        trainer.train()
        tell_aside(report, set_adapters_aside(best_model_dir, began))
        save(trainer, collator, best_model_dir, report)
    if ledger.report().too_many():
        announce(report, "saved", f"The adapters as they were trained are in {best_model_dir}.", "warning")
    ledger.check(final=True)
    report_skips(ledger, report)
    end: events.EndState = "finished" if stop.signal is None else "stopped"
    step = trainer.state.global_step
    if end == "finished":
        for record in captions(config, model, evaluation or collator, step):
            report.sample(record)
    report.event(
        events.train_end(state=end, global_step=step, elapsed_sec=meter.elapsed_sec, best_model_dir=str(best_model_dir))
    )
    if stop.signal is None:
        report.finished()
        return ExitCode.FINISHED
    report.stopped(
        f"Stopped by {stop.signal.name} after step {step}.",
        f"Its adapters are in {best_model_dir}, its checkpoint is in {output_dir}.",
    )
    return ExitCode.STOPPED


def announce(report: RunReport, kind: str, text: str, level: events.AlertLevel = "info") -> None:
    """A fact about the run, for `console.log` and for whoever follows its events."""
    print(text, flush=True)
    one_line = "; ".join(" ".join(line.split()) for line in text.splitlines())
    report.event(events.alert(level=level, kind=kind, message=one_line, fix=""))


def tell_aside(report: RunReport, folder: Path | None) -> None:
    """Says where an earlier run's results are now."""
    if folder is not None:
        announce(report, "earlier", f"Results of an earlier run were moved to {folder}.", "warning")


def select(config: Config, report: RunReport, root: Path, split: str) -> Selection:
    """The rows of a split that are used; what is left out is reported."""
    rows = load_rows(
        config.data,
        root=root,
        split=split,
        on_open=lambda language, done, total: report.stage("dataset", done, total, "languages"),
        on_scan=lambda done, total: report.stage("data", done, total, "rows"),
    )
    announce(report, "rows", f"Split {split}: {rows.report.text()}", "warning" if rows.report.total_skipped else "info")
    return rows


def fetch(config: Config, family: Family, report: RunReport, root: Path) -> Checkpoint:
    """The base checkpoint on this machine's disk."""
    return locate(config, family, root, progress=lambda done, total: report.stage("download", done, total, "bytes"))


def build_collator(config: Config, family: Family, checkpoint: Checkpoint, rows: Selection) -> CaptionCollator:
    """What turns numbers of `rows` into the family's batches."""
    processor = load_processor(checkpoint.processor, family)
    return family.collator(processor, rows, config.data.language_names, EncodingLimits.of(config))


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


def early_stopping(config: Config) -> list[TrainerCallback]:
    """The callback that ends a run which no longer improves, if there is an evaluation to tell by."""
    sft = config.sft
    if config.data.eval_split is None or not sft.load_best_model_at_end or sft.early_stopping_patience == 0:
        return []
    return [EarlyStoppingCallback(sft.early_stopping_patience, sft.early_stopping_threshold)]


def save(trainer: CaptionTrainer, collator: CaptionCollator, folder: Path, report: RunReport) -> None:
    """Adapters and processor go into the best-model folder."""
    with report.saving():
        trainer.model.save_pretrained(folder, safe_serialization=True)
        collator.encoder.processor.save_pretrained(folder)


def report_skips(ledger: SkipLedger, report: RunReport) -> None:
    """Rows found unusable while training, if any."""
    skips = ledger.report()
    if skips.total_skipped:
        announce(report, "rows", f"While training: {skips.text()}", "warning")


def captions(config: Config, model: PeftModel, collator: CaptionCollator, step: int) -> Iterable[dict[str, object]]:
    """Sample captions of the trained model, `basic.sample_rows` of them."""
    rows = evenly_spread(config.basic.sample_rows, len(collator.corpus)) if config.basic.sample_rows else []
    return sample_captions(
        model, collator, rows, basic=config.basic, batch_size=config.sft.inference_batch_size, step=step
    )


def run_to_end(run: RunDirectory, listeners: Iterable[Listener] = ()) -> ExitCode:
    """Trains as the run's `config.toml` says and records how that ended; raises nothing."""
    try:
        report = RunReport(run, listeners)
    except InftError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    stop = StopRequest()
    try:
        with stop.listening():
            use_one_gpu()
            return train(load_config(run.config_toml), report, project_root(), stop)
    except KeyboardInterrupt:
        traceback.print_exc()
        report.event(events.train_end(state="stopped", global_step=report.step))
        report.stopped("Stopped outside of training; nothing was under way that could be saved.", "")
        return ExitCode.STOPPED
    except Exception as error:  # noqa: BLE001  # the process's edge: recorded by name, its traceback in console.log
        traceback.print_exc()
        return record_failure(report, named_cause(error, str(run.path)))
    finally:
        report.close()


def record_failure(report: RunReport, cause: InftError) -> ExitCode:
    """Writes down why the run failed, as far as the disk still takes it."""
    with suppress(DiskError):
        report.failed(cause)
    with suppress(DiskError):
        report.event(events.alert(level="error", kind=cause.kind, message=cause.message, fix=cause.fix))
        report.event(events.train_end(state="failed", global_step=report.step))
    return cause.exit_code


def main() -> int:
    """The trainer's process."""
    return int(run_to_end(RunDirectory(Path(sys.argv[1]))))


if __name__ == "__main__":
    sys.exit(main())
