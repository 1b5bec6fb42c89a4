"""Loading a base checkpoint, its linear layers in 4 bit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit, Params4bit
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoModelForImageTextToText, BitsAndBytesConfig, PreTrainedModel
from transformers.utils import logging as transformers_logging

from inft.config import Config
from inft.errors import ConfigError
from inft.models.checkpoint import Checkpoint, Progress, unreadable
from inft.models.dequantized import hold_dequantized
from inft.models.family import Family
from inft.params import DtypeName, QLoRAParams

DTYPES: dict[DtypeName, torch.dtype] = {
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float32": torch.float32,
}

OUTPUT_HEAD = "lm_head"  # tied to the embedding on Aya, and the most sensitive layer on both


def quantization_config(params: QLoRAParams) -> BitsAndBytesConfig | None:
    """What bitsandbytes is told; None when the base stays in 16 bit."""
    if not params.load_in_4bit:
        return None
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=params.bnb_4bit_quant_type,
        bnb_4bit_use_double_quant=params.bnb_4bit_use_double_quant,
        bnb_4bit_compute_dtype=DTYPES[params.bnb_4bit_compute_dtype],
        # This list replaces the default one, which is why the head has to be named again. A plain name in it would be
        # looked for at either end of a module's path; these expressions find it in the middle too.
        llm_int8_skip_modules=[OUTPUT_HEAD, *(rf"(?:.*\.)?{re.escape(name)}" for name in params.skip_modules)],
    )


def load_base(
    config: Config,
    family: Family,
    checkpoint: Checkpoint,
    *,
    device: torch.device,
    attention: str,
    progress: Progress,
) -> PreTrainedModel:
    """The base model on `device`, quantised and held as `qlora` says, with the family's corrections made.

    Args:
        config: the run's parameters.
        family: the architecture.
        checkpoint: local folders.
        device: one device for the whole model.
        attention: transformers' name of the attention kernels.
        progress: tensors loaded so far.

    Raises:
        ConfigError: the checkpoint cannot be read, or holds not exactly the model's tensors.
    """
    try:
        with _loading_progress(progress):
            loaded: Any = AutoModelForImageTextToText.from_pretrained(
                checkpoint.model,
                quantization_config=quantization_config(config.qlora),
                dtype=DTYPES[config.compute_dtype],
                device_map={"": device},
                attn_implementation=attention,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are listed, and refused below
            )
    except (OSError, ValueError, StrictDataclassError, SafetensorError) as error:
        raise unreadable(checkpoint.model, error) from error
    model: PreTrainedModel
    model, report = loaded
    _check_complete(model, report, checkpoint.model)
    _check_skipped(model, config.qlora, family)
    _keep_layout(model)
    if config.qlora.hold_dequantized:
        hold_dequantized(model)
    family.adjust(model)
    model.config.use_cache = False
    model.name_or_path = checkpoint.name
    return model


def _check_complete(model: PreTrainedModel, report: Mapping[str, Iterable[Any]], folder: Path) -> None:
    """Refuses a checkpoint that transformers has filled up with random numbers, which it does with a mere warning.

    Raises:
        ConfigError: tensors of the model were missing or of another shape.
    """
    wrong = {f"{name} is missing" for name in report["missing_keys"]}
    wrong |= {f"{name} has shape {list(found)}, not {list(due)}" for name, found, due in report["mismatched_keys"]}
    for name, module in model.named_modules():
        if isinstance(module, Linear4bit) and isinstance(module.weight, Params4bit):
            # Shapes of 4-bit layers are not compared while loading.
            found, due = list(module.weight.quant_state.shape), [module.out_features, module.in_features]
            if found != due:
                wrong.add(f"{name}.weight has shape {found}, not {due}")
    if wrong:
        more = f", and {len(wrong) - 1} more tensors are wrong" if len(wrong) > 1 else ""
        raise ConfigError(
            f"The weights in {folder} are not those of the model in its config.json: {min(wrong)}{more}.",
            "Copy or download the whole checkpoint again.",
        )


def _check_skipped(model: PreTrainedModel, params: QLoRAParams, family: Family) -> None:
    """Refuses names in `skip_modules` that skip nothing, which a mistyped one would do unnoticed.

    Raises:
        ConfigError: the model has no module of that name.
    """
    paths = [f".{path}." for path, _ in model.named_modules()]
    unknown = [name for name in params.skip_modules if not any(f".{name}." in path for path in paths)]
    if unknown:
        raise ConfigError(
            f"qlora.skip_modules names {', '.join(unknown)}, and {family.title} has no such module.",
            "`inft-tui modules --profile P` lists the layers there are.",
        )


def _keep_layout(model: PreTrainedModel) -> None:
    """Keeps bitsandbytes from repacking 4-bit layers for inference on CPUs with AVX512-BF16.

    It does so for good at the first evaluation or caption: block scales are rounded to bf16, and the products that
    training needs afterwards have no gradient. As of 0.50.2; elsewhere the attribute changes nothing.
    """
    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False


@contextmanager
def _loading_progress(progress: Progress) -> Iterator[None]:
    """Hear of every tensor that transformers loads, through its own hook for progress bars."""

    def reported(factory: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        bar = factory(*args, **kwargs | {"disable": True})
        return _Reported(bar, args[0], progress) if args and kwargs.get("desc") == "Loading weights" else bar

    previous = transformers_logging.set_tqdm_hook(reported)
    try:
        yield
    finally:
        transformers_logging.set_tqdm_hook(previous)


class _Reported:
    """An iterable that reports how far it has been read; everything else is the bar's."""

    def __init__(self, bar: Any, items: Any, progress: Progress) -> None:
        self._items = items
        self._progress = progress
        self._bar = bar

    def __iter__(self) -> Iterator[Any]:
        total = len(self._items)
        for done, item in enumerate(self._items):
            self._progress(done, total)
            yield item
        self._progress(total, total)

    def __enter__(self) -> _Reported:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()
