"""Every knob of a run: what it does, its unit and its bounds.

One frozen dataclass per table of a profile. A field's description, unit and bounds stand in its annotation, so that
validation (`inft.profiles`), `inft-tui profiles NAME` and the console all say the same thing. Defaults are the guide's
except where the README lists a difference.

`None` is written as the string "none" in a profile, since TOML has no null. A knob marked `"curve": False` leaves the
losses of a resumed run as they would have been; every other one needs `--force` to change there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from inft.param_types import AttentionName, ComputeDtypeName, DtypeName, FamilyName, Mode, Seed, Text
from inft.sft_params import SFTParams

__all__ = [
    "LANGUAGE_NAMES",
    "PADDING_FREE_ATTENTION",
    "PROJECTIONS",
    "AttentionName",
    "BasicParams",
    "DtypeName",
    "FamilyName",
    "LoRAParams",
    "MUNIChusLoadConfig",
    "Mode",
    "QLoRAParams",
    "SFTParams",
]

PADDING_FREE_ATTENTION: tuple[AttentionName, ...] = ("auto", "sdpa")
"""Values of `basic.attn_impl` that leave `sft.padding_free` its own kernels."""

LANGUAGE_NAMES: dict[str, str] = {
    "ar": "Arabic",
    "en": "English",
    "fr": "French",
    "hi": "Hindi",
    "id": "Indonesian",
    "ja": "Japanese",
    "si": "Sinhala",
    "ur": "Urdu",
    "yue": "Cantonese",
    "zh": "Chinese",
}
"""The ten MUNIChus subsets and the English name that the prompt calls each language by."""

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def _language_names() -> dict[str, str]:
    return dict(LANGUAGE_NAMES)


def _columns() -> dict[str, str]:
    return {name: name for name in ("image", "title", "content", "caption", "language")}


@dataclass(frozen=True)
class BasicParams:
    """Models, precision, lengths, logs and generation."""

    seed: Annotated[
        Seed, Meta(description="Seeds Python, NumPy and torch, and with them the adapters' first values.")
    ] = 42
    logs_dir: Annotated[
        Text, Meta(description="Folder of the run directories.", extra={"unit": "path", "curve": False})
    ] = "logs"
    llama_model_name: Annotated[Text, Meta(description="Hub id of the Llama checkpoint.")] = (
        "meta-llama/Llama-3.2-11B-Vision-Instruct"
    )
    llama_processor_name: Annotated[Text, Meta(description="Hub id of the Llama processor.")] = (
        "meta-llama/Llama-3.2-11B-Vision-Instruct"
    )
    aya_model_name: Annotated[Text, Meta(description="Hub id of the Aya checkpoint.")] = "CohereLabs/aya-vision-8b"
    aya_processor_name: Annotated[Text, Meta(description="Hub id of the Aya processor.")] = "CohereLabs/aya-vision-8b"
    revision: Annotated[
        Text | None, Meta(description="Branch, tag or commit of the hub checkpoint; none = its default branch.")
    ] = None
    model_source: Annotated[
        Literal["hub", "folder", "tiny"],
        Meta(
            description="Where weights and processor come from: the hub ids above, the folder model_path, or a small "
            "random checkpoint of the same architecture, made once in the cache folder (for demos and tests)."
        ),
    ] = "hub"
    model_path: Annotated[
        Text | None,
        Meta(description="Local checkpoint folder, for model_source = folder only.", extra={"unit": "path"}),
    ] = None
    attn_impl: Annotated[
        AttentionName,
        Meta(
            description="Attention kernels. auto = the fastest exact one that the model and this machine have; any "
            "other is used as named, or refused with the reason."
        ),
    ] = "auto"
    dtype: Annotated[
        DtypeName,
        Meta(
            description="Compute dtype when qlora.load_in_4bit is off; with it on, qlora.bnb_4bit_compute_dtype rules "
            "the whole run."
        ),
    ] = "bfloat16"
    max_length: Annotated[
        int,
        Meta(
            ge=32,
            le=131072,
            description="Longest row. Only the article is shortened to fit; image and caption are never cut.",
            extra={"unit": "tokens"},
        ),
    ] = 4096
    stop_ask_sec: Annotated[
        float,
        Meta(
            gt=0,
            le=86400,
            description="After `inft-tui stop`, the time to reach the end of a step before the trainer gets a SIGTERM.",
            extra={"unit": "seconds", "curve": False},
        ),
    ] = 60.0
    stop_term_sec: Annotated[
        float,
        Meta(
            gt=0,
            le=86400,
            description="The time after that SIGTERM before the trainer is killed, what it did since its last "
            "checkpoint lost.",
            extra={"unit": "seconds", "curve": False},
        ),
    ] = 600.0
    stall_sec: Annotated[
        float,
        Meta(
            gt=0,
            le=604800,
            description="A run that shows no progress for so long is called stalled; nothing is done to it.",
            extra={"unit": "seconds", "curve": False},
        ),
    ] = 300.0
    hardware_interval_sec: Annotated[
        float,
        Meta(
            ge=0,
            le=86400,
            description="Time between two samples of GPU and host in hardware.jsonl; 0 = no samples.",
            extra={"unit": "seconds", "curve": False},
        ),
    ] = 5.0
    sample_rows: Annotated[
        int,
        Meta(
            ge=0,
            le=10000,
            description="Rows captioned with the trained adapters at the end of the run, spread over the languages.",
            extra={"unit": "rows", "curve": False},
        ),
    ] = 0
    eval_captions: Annotated[
        int,
        Meta(
            ge=0,
            le=10000,
            description="Rows per language captioned and scored at every evaluation, always the same; 0 = none.",
            extra={"unit": "rows", "curve": False},
        ),
    ] = 4
    gen_do_sample: Annotated[
        bool,
        Meta(
            description="Sample the captions at the end of the run; off = greedy or beam search, as at evaluations.",
            extra={"curve": False},
        ),
    ] = True
    gen_top_p: Annotated[
        float, Meta(gt=0, le=1, description="Nucleus of the sampling.", extra={"unit": "probability", "curve": False})
    ] = 0.9
    gen_temperature: Annotated[
        float, Meta(gt=0, le=10, description="Temperature of the sampling.", extra={"curve": False})
    ] = 0.7
    gen_num_beams: Annotated[
        int, Meta(ge=1, le=64, description="Beams of the search.", extra={"unit": "beams", "curve": False})
    ] = 1
    gen_max_new_tokens: Annotated[
        int, Meta(ge=1, le=4096, description="Longest generated caption.", extra={"unit": "tokens", "curve": False})
    ] = 96


@dataclass(frozen=True)
class QLoRAParams:
    """How the frozen base is quantised (QLoRA, arXiv 2305.14314)."""

    load_in_4bit: Annotated[bool, Meta(description="Hold the base's linear layers in 4 bit; off = plain LoRA.")] = True
    bnb_4bit_use_double_quant: Annotated[
        bool, Meta(description="Quantise the quantisation constants too: 0.37 bit per weight less.")
    ] = True
    bnb_4bit_quant_type: Annotated[Literal["nf4", "fp4"], Meta(description="4-bit number format.")] = "nf4"
    bnb_4bit_compute_dtype: Annotated[
        ComputeDtypeName, Meta(description="Dtype of every product with a 4-bit layer, and with it of the whole run.")
    ] = "bfloat16"
    skip_modules: Annotated[
        tuple[Text, ...],
        Meta(description="Modules left in 16 bit besides the output head, by name (for instance vision_tower)."),
    ] = ()
    hold_dequantized: Annotated[
        bool,
        Meta(
            description="While training, hold the 16-bit values that the 4-bit weights stand for: the same numbers, "
            "faster, about four times the base's memory.",
            extra={"curve": False},
        ),
    ] = False


@dataclass(frozen=True)
class LoRAParams:
    """The adapters (LoRA, arXiv 2106.09685)."""

    r: Annotated[int, Meta(ge=1, le=1024, description="Rank of the update; adapter size grows linearly with it.")] = 64
    alpha: Annotated[float, Meta(gt=0, le=4096, description="The update is scaled by alpha / r.")] = 32.0
    dropout: Annotated[
        float, Meta(ge=0, lt=1, description="Dropout on the adapters' input.", extra={"unit": "probability"})
    ] = 0.10
    bias: Annotated[
        Literal["none", "all", "lora_only"], Meta(description="Which biases train along with the adapters.")
    ] = "none"
    scope: Annotated[
        Literal["guide", "language"],
        Meta(
            description="guide: every module whose name ends in a target, the vision tower's included; language: the "
            "same names outside the vision tower."
        ),
    ] = "guide"
    adapter_dtype: Annotated[
        Literal["float32", "bfloat16"], Meta(description="Dtype in which the adapters are held and updated.")
    ] = "float32"
    target_modules: Annotated[
        tuple[Text, ...], Meta(min_length=1, description="Adapted modules in basic mode, by the end of their name.")
    ] = PROJECTIONS
    advanced_target_modules: Annotated[
        tuple[Text, ...], Meta(min_length=1, description="Adapted modules of Llama in advanced mode.")
    ] = (*PROJECTIONS, "mm_projector", "multi_modal_projector", "vision_proj")
    aya_advanced_target_modules: Annotated[
        tuple[Text, ...], Meta(min_length=1, description="Adapted modules of Aya in advanced mode.")
    ] = (*PROJECTIONS, "multi_modal_projector.linear_1", "multi_modal_projector.linear_2")


@dataclass(frozen=True)
class MUNIChusLoadConfig:
    """Which rows are trained on, and how they become a prompt."""

    source: Annotated[
        Literal["hub", "saved", "parquet", "jsonl", "demo"],
        Meta(
            description="hub: dataset_id, one subset per language; saved: a folder of Dataset.save_to_disk; parquet "
            "and jsonl: a folder of files; demo: the bundled corpus."
        ),
    ] = "hub"
    dataset_id: Annotated[Text, Meta(description="Hub id of the dataset.")] = "tharindu/MUNIChus"
    path: Annotated[
        Text | None,
        Meta(description="Folder of a saved, parquet or jsonl corpus.", extra={"unit": "path", "curve": False}),
    ] = None
    columns: Annotated[
        dict[str, Text],
        Meta(description="Our column name = the corpus's, for image, title, content, caption, language."),
    ] = field(default_factory=_columns)
    languages: Annotated[tuple[Text, ...], Meta(min_length=1, description="Languages trained on.")] = tuple(
        LANGUAGE_NAMES
    )
    language_names: Annotated[
        dict[str, Text], Meta(description="English name of each language, as the prompt says it.")
    ] = field(default_factory=_language_names)
    split: Annotated[Text, Meta(description="Split trained on.")] = "train"
    eval_split: Annotated[
        Text | None,
        Meta(description="Split evaluated on every sft.eval_steps; none = no evaluation, or data.eval_fraction's."),
    ] = None
    eval_fraction: Annotated[
        Annotated[float, Meta(gt=0, lt=1)] | None,
        Meta(
            description="Share of each language's articles that is kept out of data.split to evaluate on, all "
            "photographs of an article together; none = all are trained on.",
            extra={"unit": "share"},
        ),
    ] = None
    eval_rows_per_lang: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="Rows drawn per language to evaluate on; none = all, or data.max_rows_per_lang.",
            extra={"unit": "rows"},
        ),
    ] = None
    batch_size: Annotated[int, Meta(ge=1, le=4096, description="Micro-batch.", extra={"unit": "rows"})] = 1
    num_workers: Annotated[
        int,
        Meta(
            ge=0, le=256, description="Processes that prepare batches; 0 = the trainer itself.", extra={"curve": False}
        ),
    ] = 4
    remove_empty: Annotated[
        bool,
        Meta(description="Skip rows without an article; rows without a caption or an image are skipped in any case."),
    ] = True
    max_rows_per_lang: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="Rows drawn per language, for smoke tests; none = all.", extra={"unit": "rows"}),
    ] = None
    seed: Annotated[Seed, Meta(description="Seeds these draws, and which articles are held out.")] = 42
    article_chars: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="Longest article before tokenising; none = all of it.", extra={"unit": "characters"}),
    ] = 1200
    article_tokens: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(
            description="Longest article after tokenising; none = what basic.max_length leaves.",
            extra={"unit": "tokens"},
        ),
    ] = None
    include_title: Annotated[bool, Meta(description="Put the headline before the article in the prompt.")] = False

    @property
    def evaluation_split(self) -> str | None:
        """The split that the rows evaluated on are taken from; None = a run does not evaluate."""
        return self.split if self.eval_fraction is not None else self.eval_split
