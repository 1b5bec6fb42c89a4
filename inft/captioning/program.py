"""Captions of a whole split by a model, into a file of predictions that any interruption may cut short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from inft.adapters.files import adapters_digest
from inft.captioning.captioner import Caption, caption_batches
from inft.captioning.chosen import Bits, ChosenModel, choose_model
from inft.captioning.job import Job, check_same, forget_job, job_path, read_job
from inft.captioning.loading import check_adapters, check_base, load_model
from inft.captioning.order import batches_of, order_of
from inft.captioning.predictions import PredictionsFile
from inft.captioning.progress import Pace, Progress
from inft.captioning.room import ON_CPU, can_hold, fitting_batch, row_bytes
from inft.captioning.settings import GenerationSettings
from inft.config import Config
from inft.data.collators import CaptionCollator
from inft.data.encoding import EncodingLimits
from inft.data.lengths import measure_rows
from inft.data.munichus import Selection, load_evaluation_rows, load_rows
from inft.data.rows import UnusableRow
from inft.errors import ConfigError, DataError, OutOfMemoryError, UnknownSplitError
from inft.forecast.architecture import read_architecture
from inft.forecast.row_lengths import RowLengths
from inft.models.checkpoint import Checkpoint, load_processor, locate
from inft.models.registry import FAMILIES
from inft.runs.bases import identify
from inft.runs.jsonl import Record
from inft.training.precision import Machine, check_precision, this_machine, use_one_gpu
from inft.training.resume_state import fingerprint
from inft.wording import shown


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Attributes:
        model: see `choose_model`, as are profile, overrides and bits.
        output: the file of predictions.
        split: of the corpus; None = the rows that the model's run evaluates on.
        languages: of the rows; None = those of the configuration.
        max_rows_per_lang: None = as configured.
        sample_seed: None = nothing is drawn.
        batch_size: None = by the memory there is.
        force: begin the file anew, whatever is in it.
    """

    model: str
    output: Path
    split: str | None
    languages: tuple[str, ...] | None
    max_rows_per_lang: int | None
    profile: str | None
    overrides: tuple[str, ...]
    bits: Bits | None
    sample_seed: int | None
    batch_size: int | None
    force: bool


HELD_OUT = "held-out"
"""What a job calls the rows that a run evaluates on."""


def caption_split(request: Request, progress: Progress) -> None:
    """Writes the captions that are not in the file yet.

    Raises:
        InftError: something keeps them from being made.
        KeyboardInterrupt: somebody asked for an end; what is in the file stays.
    """
    use_one_gpu()

    def fetched(done: int, total: int | None) -> None:
        progress.say(f"{done:,} of {total:,} bytes fetched" if total else f"{done:,} bytes fetched")

    chosen = choose_model(
        request.model, profile=request.profile, overrides=request.overrides, bits=request.bits, progress=fetched
    )
    chosen = replace(chosen, config=_of_request(chosen.config, request))
    config, family = chosen.config, FAMILIES[chosen.config.family]
    machine = this_machine()
    check_precision(config.compute_dtype, machine)
    checkpoint = locate(config, family, chosen.root, fetched)
    check_adapters(chosen, family)
    base = identify(checkpoint.name, checkpoint.model)
    check_base(chosen, base)
    rows = _rows(chosen, request, progress)
    processor = load_processor(checkpoint.processor, family)
    collator = family.collator(processor, rows, config.data.language_names, EncodingLimits.of(config))
    settings = _settings(config, request)
    facts = _facts(chosen, asdict(base), rows, request, settings)
    with PredictionsFile(request.output) as file:
        before = _begun(file, request, facts)
        lengths = measure_rows(
            collator,
            sorted(set(config.data.languages)),
            workers=config.data.num_workers,
            on_progress=lambda done, total: progress.say(f"measuring {done:,} of {total:,} rows"),
        )
        job = before or _job(facts, chosen, checkpoint, lengths, request, settings, machine)
        batches = batches_of(order_of(lengths), job.batch_size)
        done = file.resume(batches)
        if before is None:
            job.write(job_path(request.output))
        if done < len(batches):
            chosen = replace(chosen, config=_holding(config, job.hold_dequantized))
            _caption(chosen, checkpoint, collator, batches, done, job, settings, machine, file, progress)
        progress.end()
        failures = file.failures()
    without = f", {failures:,} of them without a caption" if failures else ""
    progress.note(f"{len(rows):,} rows in {request.output}{without}.")


def _rows(chosen: ChosenModel, request: Request, progress: Progress) -> Selection:
    """Those of the split, what a run holds out of it with them, or those that the run evaluates on alone."""

    def opening(language: str, done: int, total: int) -> None:
        progress.say(f"opening {language}, {done} of {total} done")

    def reading(done: int, total: int) -> None:
        progress.say(f"reading {done:,} of {total:,} rows")

    data, root = chosen.config.data, chosen.root
    if request.split is None:
        held_out = load_evaluation_rows(data, root=root, without_picture=True, on_open=opening, on_scan=reading)
        if held_out is None:
            raise ConfigError(
                f"{shown(chosen.name)} was trained without an evaluation, so no rows are held out.",
                "Name a --split, or add --set data.eval_fraction=0.1, say, or --set data.eval_split=NAME.",
            )
        rows = held_out
    else:
        whole = replace(data, eval_fraction=None)
        try:
            rows = load_rows(
                whole, root=root, split=request.split, without_picture=True, on_open=opening, on_scan=reading
            )
        except UnknownSplitError as error:
            raise DataError(error.message, "Name one of these with --split.") from error
    if rows.report.total_skipped:
        progress.note(f"{_split(request)[0].upper()}{_split(request)[1:]}: {rows.report.text()}")
    return rows


def _split(request: Request) -> str:
    return "held-out rows" if request.split is None else f"split {request.split}"


def _caption(
    chosen: ChosenModel,
    checkpoint: Checkpoint,
    collator: CaptionCollator,
    batches: Sequence[Sequence[int]],
    done: int,
    job: Job,
    settings: GenerationSettings,
    machine: Machine,
    file: PredictionsFile,
    progress: Progress,
) -> None:
    model = load_model(
        chosen,
        FAMILIES[chosen.config.family],
        checkpoint,
        device=machine.device,
        progress=lambda done, total: progress.say(f"loading {done:,} of {total or 0:,} tensors"),
    )
    total = sum(map(len, batches))
    written = sum(map(len, batches[:done]))
    again = f", {written:,} of them done before" if written else ""
    progress.note(f"{total:,} rows{again}, {job.batch_size} at a time")
    pace = Pace(total, written)
    try:
        for captions in caption_batches(
            model,
            collator,
            batches[done:],
            settings,
            workers=chosen.config.data.num_workers,
            at_most=job.at_most,
            on_fewer=lambda rows: replace(job, at_most=rows).write(job_path(file.path)),
        ):
            file.append(list(_records(collator, captions)))
            written += len(captions)
            progress.say(pace.text(written))
    except KeyboardInterrupt:
        progress.note(f"{written:,} of {total:,} rows are in {file.path}; the same command goes on from there.")
        raise
    except torch.OutOfMemoryError as error:
        raise OutOfMemoryError(
            "The GPU has no room for the captions of a single row.",
            "Free its memory, load the base in 4 bit (--in-4bit), or lower basic.gen_num_beams or basic.max_length.",
        ) from error


def _records(collator: CaptionCollator, captions: Sequence[Caption]) -> Iterator[Record]:
    for caption in captions:
        try:
            row = collator.corpus[caption.row]
        except UnusableRow as error:
            raise DataError(f"{error}.", "It could be read before: do not change the corpus meanwhile.") from error
        source = row.image.source
        yield {
            "language": row.language,
            "row": caption.row,
            "place": row.place,
            "image": str(source) if isinstance(source, Path) else None,
            "reference_caption": row.caption.strip(),
            "generated_caption": caption.text,
            "failure": caption.failure,
        }


def _of_request(config: Config, request: Request) -> Config:
    data = config.data
    if request.languages is not None:
        unknown = [language for language in request.languages if language not in data.language_names]
        if unknown:
            raise ConfigError(
                f"--languages names {shown(unknown[0])}, and data.language_names has no such language.",
                f"Choose among {', '.join(data.language_names)}, or add its English name there.",
            )
        data = replace(data, languages=request.languages)
    if request.max_rows_per_lang is not None:
        data = replace(data, max_rows_per_lang=request.max_rows_per_lang, eval_rows_per_lang=request.max_rows_per_lang)
    return replace(config, data=data)


def _settings(config: Config, request: Request) -> GenerationSettings:
    if request.sample_seed is None:
        return GenerationSettings.greedy(config.basic)
    return GenerationSettings.sampled(config.basic, request.sample_seed)


def _facts(
    chosen: ChosenModel, base: Record, rows: Selection, request: Request, settings: GenerationSettings
) -> Record:
    config = chosen.config
    numbers: dict[str, list[int]] = {language: list(part) for language, part in rows.languages.items()}
    four_bit = config.qlora.load_in_4bit
    return {
        "model": chosen.name,
        "run_id": chosen.run_id,
        "family": config.family,
        "base": base["weights"],
        "base_name": base["name"],
        "base_commit": base["commit"],
        "adapters": None if chosen.adapters is None else adapters_digest(chosen.adapters),
        "split": request.split or HELD_OUT,
        "languages": sorted(rows.languages),
        "settings": asdict(settings),
        "precision": {
            "compute": config.compute_dtype,
            "adapters": config.lora.adapter_dtype,
            "quantization": asdict(replace(config.qlora, hold_dequantized=False)) if four_bit else None,
        },
        "prompt": {
            **asdict(EncodingLimits.of(config)),
            "language_names": {language: config.data.language_names[language] for language in sorted(rows.languages)},
        },
        "rows": numbers,
        "corpus": fingerprint(rows).digest,
    }


def _begun(file: PredictionsFile, request: Request, facts: Record) -> Job | None:
    """The job that the file is of, if it is begun and this is the same.

    Raises:
        ConfigError: it is another one, or the file is not of this command at all.
    """
    if request.force:
        forget_job(file.path)  # first: the former job beside an empty file would keep this one from going on with it
        file.clear()
        return None
    if file.path.stat().st_size == 0:
        return None
    job = read_job(file.path)
    if job is None:
        raise ConfigError(
            f"{file.path} is there, and nothing beside it says what it is the result of.",
            "Name another --output, or begin the file anew with --force.",
        )
    check_same(job, facts, file.path)
    if request.batch_size not in (None, job.batch_size):
        raise ConfigError(
            f"{file.path} was begun with --batch-size {job.batch_size}.",
            "Leave the option out, or begin the file anew with --force.",
        )
    return job


def _job(
    facts: Record,
    chosen: ChosenModel,
    checkpoint: Checkpoint,
    lengths: RowLengths,
    request: Request,
    settings: GenerationSettings,
    machine: Machine,
) -> Job:
    """A new job, as large a batch as this machine takes."""
    if not machine.on_gpu:
        return Job(facts, request.batch_size or ON_CPU, chosen.config.qlora.hold_dequantized)
    free, _ = torch.cuda.mem_get_info(machine.device)
    # Checkpoints hold 16 bits a weight, as do the values that are held.
    weights = sum(path.stat().st_size for path in checkpoint.model.glob("*.safetensors"))
    in_4bit = chosen.config.qlora.load_in_4bit
    hold = in_4bit and can_hold(free, weights)
    architecture = read_architecture(chosen.config.family, checkpoint.model)
    longest = max(lengths.usable(), key=lambda row: lengths.tokens[row] - lengths.supervised[row])
    row = row_bytes(
        architecture,
        lengths.tokens[longest] - lengths.supervised[longest],
        max(lengths.tiles),
        settings.max_new_tokens,
        settings.num_beams,
    )
    batch = fitting_batch(free, weights if hold or not in_4bit else weights // 3, row)
    return Job(facts, request.batch_size or batch, hold)


def _holding(config: Config, hold: bool) -> Config:
    return replace(config, qlora=replace(config.qlora, hold_dequantized=hold))
