"""Our parameters in the words of TRL's `SFTConfig`."""

from __future__ import annotations

from pathlib import Path

from trl import SFTConfig

from inft.config import Config
from inft.errors import NotReadyError
from inft.evaluation_figures import more_is_better
from inft.trackers import missing_package


def training_arguments(config: Config, output_dir: Path, *, on_gpu: bool) -> SFTConfig:
    """The trainer's settings.

    Args:
        config: the run's parameters.
        output_dir: where checkpoints go.
        on_gpu: whether the model is on a GPU.
    """
    sft, data = config.sft, config.data
    evaluates = config.evaluates
    by_transformers = sft.gradient_checkpointing and not sft.padding_free  # see `inft.models.recompute`
    arguments = SFTConfig(
        output_dir=str(output_dir),
        num_train_epochs=sft.num_epochs,
        max_steps=sft.max_steps or -1,
        per_device_train_batch_size=data.batch_size,
        per_device_eval_batch_size=sft.inference_batch_size,
        gradient_accumulation_steps=sft.gradient_accumulation_steps,
        learning_rate=sft.lr,
        lr_scheduler_type=sft.lr_scheduler_type,
        # transformers reads a fraction below 1 as a share of all steps.
        warmup_steps=sft.warmup_ratio or sft.warmup_steps,
        optim=sft.optim,
        weight_decay=sft.weight_decay,
        max_grad_norm=sft.max_grad_norm,
        bf16=config.compute_dtype == "bfloat16",
        fp16=config.compute_dtype == "float16",
        gradient_checkpointing=by_transformers,
        gradient_checkpointing_kwargs={"use_reentrant": False} if by_transformers else None,
        logging_strategy="steps",
        logging_steps=sft.logging_steps,
        logging_first_step=True,
        logging_nan_inf_filter=False,  # it would write the last finite loss in the place of a NaN
        save_strategy="steps",
        save_steps=sft.save_steps,
        save_total_limit=None,  # which checkpoints stay is the CheckpointPlan's
        eval_strategy="steps" if evaluates else "no",
        eval_steps=sft.eval_steps if evaluates else None,
        metric_for_best_model=sft.metric_for_best_model if evaluates else None,
        greater_is_better=more_is_better(config) if evaluates else None,
        dataloader_num_workers=data.num_workers,
        dataloader_pin_memory=on_gpu,
        remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,  # the collator keeps to basic.max_length, and never at the caption's cost
        packing=False,
        seed=sft.seed,
        data_seed=sft.seed,  # the order of the rows; stated, so that a resumed run cannot find another
        report_to=sft.report_to,
        use_cpu=not on_gpu,
        disable_tqdm=True,
    )
    # Stated above, it would want save_steps to be a multiple of eval_steps; our trainer saves what is best in any case.
    arguments.load_best_model_at_end = evaluates and sft.load_best_model_at_end
    return arguments


def check_tracker(name: str) -> None:
    """Looks for the package of `sft.report_to`.

    Raises:
        NotReadyError: it is missing.
    """
    package = missing_package(name)
    if package is not None:
        raise NotReadyError(
            f"sft.report_to = {name!r} needs the package {package}, which is not installed.",
            f'Install it (`pip install {package}`), or set sft.report_to = "none".',
        )
