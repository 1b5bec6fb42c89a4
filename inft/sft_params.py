"""The knobs of the training loop, a table of `inft.params`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from inft.param_types import Seed, Text


@dataclass(frozen=True)
class SFTParams:
    """The training loop and where its results go. Relative folders start at the project's root."""

    num_epochs: Annotated[
        float, Meta(gt=0, le=10000, description="Passes over the training rows.", extra={"unit": "epochs"})
    ] = 1.0
    max_steps: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="Stop after so many optimiser steps; none = after num_epochs.", extra={"unit": "steps"}),
    ] = None
    lr: Annotated[float, Meta(gt=0, le=1, description="Peak learning rate.")] = 1.5e-4
    lr_scheduler_type: Annotated[
        Literal["cosine", "linear", "constant", "constant_with_warmup"], Meta(description="Shape of the schedule.")
    ] = "cosine"
    warmup_ratio: Annotated[
        float, Meta(ge=0, lt=1, description="Share of all steps that the learning rate rises over.")
    ] = 0.03
    warmup_steps: Annotated[
        int,
        Meta(
            ge=0, description="Steps that the learning rate rises over when warmup_ratio is 0.", extra={"unit": "steps"}
        ),
    ] = 100
    optim: Annotated[
        Literal["adamw_torch_fused", "adamw_torch", "adamw_bnb_8bit", "paged_adamw_8bit"],
        Meta(description="Optimiser."),
    ] = "adamw_torch_fused"
    weight_decay: Annotated[float, Meta(ge=0, le=1, description="Decoupled weight decay.")] = 1e-6
    max_grad_norm: Annotated[float, Meta(gt=0, description="Gradients are clipped to this norm.")] = 0.3
    gradient_accumulation_steps: Annotated[
        int,
        Meta(ge=1, le=65536, description="Micro-batches per optimiser step; times data.batch_size = effective batch."),
    ] = 16
    fit: Annotated[
        Literal["manual", "auto"],
        Meta(
            description="manual: data.batch_size, gradient_accumulation_steps, gradient_checkpointing, "
            "activation_budget and qlora.hold_dequantized as given; auto: chosen for the GPU's free memory, the "
            "effective batch kept."
        ),
    ] = "manual"
    memory_limit_gib: Annotated[
        Annotated[float, Meta(gt=0, le=4096)] | None,
        Meta(
            description="Most GPU memory that the run may take; none = what is free.",
            extra={"unit": "GiB", "curve": False},
        ),
    ] = None
    gradient_checkpointing: Annotated[
        bool,
        Meta(
            description="Recompute activations in the backward pass: less memory, about a third slower.",
            extra={"curve": False},
        ),
    ] = True
    padding_free: Annotated[
        bool,
        Meta(
            description="Lay the rows of a micro-batch end to end instead of padding them to the longest, attend "
            "within each, and compute the loss where it is supervised: the same mathematics, faster, less memory.",
        ),
    ] = False
    torch_compile: Annotated[
        bool,
        Meta(
            description="Compile each layer with torch.compile, for sft.padding_free only: faster and less memory, "
            "after a minute or two before a machine's first run.",
        ),
    ] = False
    activation_budget: Annotated[
        float,
        Meta(
            gt=0,
            le=1,
            description="Share of what compiled layers would keep for the backward pass; what is cheapest to recompute "
            "is left out first. 1 = all is kept.",
            extra={"unit": "share", "curve": False},
        ),
    ] = 1.0
    profile_step: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="Optimiser step whose every kernel is written to trace-step-N.json.gz in the run directory; "
            "none = no step's.",
            extra={"unit": "step", "curve": False},
        ),
    ] = None
    logging_steps: Annotated[
        int, Meta(ge=1, description="Optimiser steps between log lines.", extra={"unit": "steps", "curve": False})
    ] = 50
    save_steps: Annotated[
        int,
        Meta(
            ge=1,
            description="Optimiser steps between checkpoints; with load_best_model_at_end, each evaluation that is "
            "the best so far has one, too.",
            extra={"unit": "steps", "curve": False},
        ),
    ] = 500
    save_total_limit: Annotated[
        int,
        Meta(
            ge=1, description="Checkpoints kept; older ones are deleted.", extra={"unit": "checkpoints", "curve": False}
        ),
    ] = 2
    eval_steps: Annotated[
        int,
        Meta(
            ge=1,
            description="Optimiser steps between evaluations, when there are rows to evaluate on (data.eval_fraction, "
            "data.eval_split).",
            extra={"unit": "steps", "curve": False},
        ),
    ] = 500
    load_best_model_at_end: Annotated[
        bool,
        Meta(
            description="End with the checkpoint that evaluated best; without an evaluation the last one is kept.",
            extra={"curve": False},
        ),
    ] = True
    metric_for_best_model: Annotated[
        Text,
        Meta(
            description="The evaluation's figure that decides what is best: eval_loss, eval_loss_en, eval_cider, "
            "eval_chrf_zh, ...",
            extra={"curve": False},
        ),
    ] = "eval_loss"
    greater_is_better: Annotated[
        bool | None,
        Meta(description="Whether more of that figure is better; none = as of its kind.", extra={"curve": False}),
    ] = None
    early_stopping_patience: Annotated[
        int,
        Meta(
            ge=0,
            description="Evaluations without improvement until the run ends; 0 = never.",
            extra={"unit": "evaluations", "curve": False},
        ),
    ] = 3
    early_stopping_threshold: Annotated[
        float,
        Meta(ge=0, description="A smaller change of the figure does not count as improvement.", extra={"curve": False}),
    ] = 0.01
    seed: Annotated[Seed, Meta(description="Seeds the order of the rows and the adapters' dropout.")] = 42
    inference_batch_size: Annotated[
        int,
        Meta(
            ge=1, le=1024, description="Rows evaluated or captioned at a time.", extra={"unit": "rows", "curve": False}
        ),
    ] = 1
    report_to: Annotated[
        Literal["none", "wandb", "mlflow", "tensorboard", "comet_ml", "trackio", "swanlab"],
        Meta(
            description="Tracking service that the figures also go to; its package and login must be there.",
            extra={"curve": False},
        ),
    ] = "none"
    llama_32_output_dir: Annotated[
        Text, Meta(description="Checkpoints of Llama, basic.", extra={"unit": "path", "curve": False})
    ] = "outputs/llama32/basic/checkpoints"
    llama32_best_model_dir: Annotated[
        Text, Meta(description="Final adapters of Llama, basic.", extra={"unit": "path", "curve": False})
    ] = "outputs/llama32/basic/best"
    llama32_adv_output_dir: Annotated[
        Text, Meta(description="Checkpoints of Llama, advanced.", extra={"unit": "path", "curve": False})
    ] = "outputs/llama32/advanced/checkpoints"
    llama32_adv_best_model_dir: Annotated[
        Text, Meta(description="Final adapters of Llama, advanced.", extra={"unit": "path", "curve": False})
    ] = "outputs/llama32/advanced/best"
    aya_output_dir: Annotated[
        Text, Meta(description="Checkpoints of Aya, basic.", extra={"unit": "path", "curve": False})
    ] = "outputs/aya/basic/checkpoints"
    aya_best_model_dir: Annotated[
        Text, Meta(description="Final adapters of Aya, basic.", extra={"unit": "path", "curve": False})
    ] = "outputs/aya/basic/best"
    aya_adv_output_dir: Annotated[
        Text, Meta(description="Checkpoints of Aya, advanced.", extra={"unit": "path", "curve": False})
    ] = "outputs/aya/advanced/checkpoints"
    aya_adv_best_model_dir: Annotated[
        Text, Meta(description="Final adapters of Aya, advanced.", extra={"unit": "path", "curve": False})
    ] = "outputs/aya/advanced/best"
