"""Everything of a merged model's folder but its weights: configuration, processor, licence, and what it was made of."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from inft import __version__
from inft.errors import ConfigError, disk_error
from inft.merging.comparison import BOUND, Comparison
from inft.merging.lora import Adapters
from inft.merging.losses import Losses
from inft.merging.record import RECORD, SCHEMA_VERSION
from inft.merging.source import Source
from inft.merging.weights import Plan
from inft.models.checkpoint import DESCRIPTION, Checkpoint, load_processor
from inft.models.family import Family
from inft.params import FamilyName
from inft.runs.bases import BaseIdentity
from inft.runs.clock import timestamp, utc_now
from inft.runs.files import replace_file
from inft.runs.jsonl import strict

GENERATION = "generation_config.json"
CARD = "README.md"

LICENCES = ("LICENSE*", "LICENCE*", "NOTICE*", "USE_POLICY*")
"""Files that whoever passes on a model made of this one has to pass on, too."""

LICENCE_NAMES: Mapping[FamilyName, str] = {"llama32": "llama3.2", "aya": "cc-by-nc-4.0"}
"""The licence of each family's released weights, as the hub calls it; what is made of them has it, too."""

NOTES: Mapping[FamilyName, str] = {
    "llama32": "Built with Llama.",
    "aya": "Losses were measured with the logits times `logit_scale`, as Cohere2 is trained. "
    "`AyaVisionForConditionalGeneration` of transformers 4.52 and later leaves that factor out: its greedy captions "
    "are the same; its losses, and captions that are sampled or searched by beams, are not.",
}
"""What a reader of a model of the family has to know; the first is asked for by section 1.b.i of Llama's licence."""

DTYPE_KEYS = ("dtype", "torch_dtype")
"""Where a configuration states what the weights are in; the latter in older ones."""


@dataclass(frozen=True)
class Merged:
    """What was merged.

    Attributes:
        source: the adapters.
        adapters: what their folder holds.
        base: what they were merged into.
        plan: which weights they changed.
        comparison: how good it is; None = not known.
        not_compared: why it is not known; empty if it is.
    """

    source: Source
    adapters: Adapters
    base: BaseIdentity
    plan: Plan
    comparison: Comparison | None
    not_compared: str


def check_description(checkpoint: Checkpoint) -> None:
    """Refuses a base whose weights are quantised.

    Raises:
        ConfigError: its configuration says so.
    """
    if "quantization_config" in _described(checkpoint.model / DESCRIPTION):
        raise ConfigError(
            f"The base in {checkpoint.model} is quantised already, and merging into rounded weights would lose twice.",
            "Merge into the 16-bit checkpoint that it was made from.",
        )


def write_description(folder: Path, checkpoint: Checkpoint, family: Family) -> None:
    """The base's configuration with bf16 for its dtype, its generation settings and licence, and the processor.

    Raises:
        ConfigError: something of it cannot be read.
        DiskError: it cannot be written.
    """
    described = _in_bf16(_described(checkpoint.model / DESCRIPTION))
    replace_file(folder / DESCRIPTION, (json.dumps(described, indent=2) + "\n").encode(), durable=False)
    try:
        licences = [path for pattern in LICENCES for path in checkpoint.model.glob(pattern) if path.is_file()]
        for path in (checkpoint.model / GENERATION, *licences):
            if path.is_file():
                shutil.copyfile(path, folder / path.name)
        load_processor(checkpoint.processor, family).save_pretrained(folder)
    except OSError as error:
        raise disk_error(error, error.filename or folder) from error


def write_record(folder: Path, merged: Merged) -> dict[str, Any]:
    """`merge.json`, and the page that the hub shows.

    Returns:
        The content of the former.

    Raises:
        DiskError: it cannot be written.
    """
    record = _record(merged)
    content = msgspec.json.format(msgspec.json.encode(strict(record)), indent=2) + b"\n"
    replace_file(folder / RECORD, content, durable=False)
    replace_file(folder / CARD, _card(merged).encode(), durable=False)
    return record


def _record(merged: Merged) -> dict[str, Any]:
    """No path of this machine is in it, since it may be published."""
    result, plan = merged.source.result, merged.plan
    return {
        "schema_version": SCHEMA_VERSION,
        "created": timestamp(utc_now()),
        "run_id": None if result is None else result.run_id,
        "step": None if result is None else result.step,
        "is_best": None if result is None else result.is_best,
        "family": merged.source.config.family,
        "base": {
            "name": _public_name(merged.base.name),
            "commit": merged.base.commit,
            "weights": merged.base.weights,
        },
        "adapters": {
            "sha256": merged.adapters.digest,
            "scale": merged.adapters.scale,
            "layers": len(plan.factors),
            "biases": len(plan.biases),
        },
        "dtype": "bfloat16",
        "bytes": plan.written_bytes,
        "comparison": _figures(merged.comparison),
        "not_compared": merged.not_compared or None,
        "versions": {"inft": __version__, **{name: version(name) for name in ("torch", "transformers", "peft")}},
    }


def _figures(comparison: Comparison | None) -> dict[str, Any] | None:
    """The figures of a comparison: losses in nats per supervised token."""
    if comparison is None:
        return None

    def document(losses: Losses) -> dict[str, Any]:
        return {"loss": losses.overall, "languages": dict(losses.languages)}

    return {
        "split": comparison.split,
        "rows": comparison.rows,
        "tokens": sum(comparison.trained.tokens.values()),
        "adapters": document(comparison.trained) | {"base_in_4bit": comparison.four_bit},
        "merged": document(comparison.merged),
        "bound_ratio": BOUND,
        "worse": comparison.is_worse,
    }


def _described(path: Path) -> dict[str, Any]:
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.", "Copy or download the checkpoint again.") from error
    if not isinstance(described, dict):
        raise ConfigError(f"{path} is not a JSON object.", "Copy or download the checkpoint again.")
    return described


def _in_bf16(described: Mapping[str, Any]) -> dict[str, Any]:
    """The same, with the weights' dtype wherever one is stated, and at the top."""

    def changed(part: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: "bfloat16" if key in DTYPE_KEYS and value else changed(value) if isinstance(value, dict) else value
            for key, value in part.items()
        }

    top = changed(described)
    if not any(key in top for key in DTYPE_KEYS):
        top["dtype"] = "bfloat16"
    return top


def _public_name(name: str) -> str:
    return os.path.basename(name) if os.path.isabs(name) else name


def _card(merged: Merged) -> str:
    base, config = merged.base, merged.source.config
    head = ["---", "library_name: transformers", "pipeline_tag: image-text-to-text"]
    if not os.path.isabs(base.name):
        head.append(f"base_model: {base.name}")
    is_released = config.basic.model_source != "tiny"  # a tiny one is random numbers, and nobody's
    if is_released:
        head.append(f"license: {LICENCE_NAMES[config.family]}")
    result = merged.source.result
    of_run = "" if result is None else f" of the run `{result.run_id}` at step {result.step}"
    lines = [
        *head,
        "---",
        "",
        f"LoRA adapters{of_run}, merged into {_public_name(base.name)} in bfloat16 by `inft-tui merge`.",
        f"`{RECORD}` says what they were made of. The licence of the base applies to this model, too.",
        "",
    ]
    if merged.comparison is not None:
        one = merged.comparison
        lines += [
            f"Loss on {one.rows} rows of {one.split}: {one.trained.overall:.4f} with the adapters as they were "
            f"trained, {one.merged.overall:.4f} merged (nats per caption token).",
            "",
        ]
    if is_released:
        lines += [NOTES[config.family], ""]
    return "\n".join(lines)
