"""What has to hold between the parameters of a profile, beyond each one's own type and bounds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from inft.config import Config
from inft.errors import ConfigError
from inft.params import LANGUAGE_NAMES, PADDING_FREE_ATTENTION, MUNIChusLoadConfig
from inft.profiles.evaluation_rules import Where, check_evaluation
from inft.profiles.knobs import close, describe_fields
from inft.profiles.problems import Problem
from inft.project import inside
from inft.wording import did_you_mean, shown

COLUMN_ROLES = tuple(MUNIChusLoadConfig().columns)
SOURCES_WITH_A_PATH = ("saved", "parquet", "jsonl")

_HUB_ID = re.compile(r"(?:[A-Za-z0-9_][\w.-]*/)?[A-Za-z0-9_][\w.-]*", re.ASCII)


def check_rules(config: Config, where: Where, root: Path) -> Iterator[Problem]:
    """Every rule that `config` breaks. Relative paths are judged from `root`, the project's."""
    yield from _model_source(config, where)
    yield from _data_source(config, where)
    yield from _hub_ids(config, where)
    yield from _quantisation(config, where)
    yield from _fp16(config, where)
    yield from _fast_path(config, where)
    yield from _languages(config, where)
    yield from _columns(config, where)
    yield from check_evaluation(config, where)
    yield from _paths(config, where, root)


def _model_source(config: Config, where: Where) -> Iterator[Problem]:
    source, path = config.basic.model_source, config.basic.model_path
    keys = ("basic.model_source", "basic.model_path")
    if source == "folder" and path is None:
        yield Problem(
            f'basic.model_source = "folder" in {where(keys[0])} needs basic.model_path.',
            "State the checkpoint's folder there.",
            keys,
        )
    if source != "folder" and path is not None:
        yield Problem(
            f"basic.model_path = {shown(path)} in {where(keys[1])} has no effect while basic.model_source is "
            f"{shown(source)}.",
            'State basic.model_source = "folder", or leave the path out.',
            keys,
        )


def _data_source(config: Config, where: Where) -> Iterator[Problem]:
    source, path = config.data.source, config.data.path
    keys = ("data.source", "data.path")
    if source in SOURCES_WITH_A_PATH and path is None:
        yield Problem(
            f"data.source = {shown(source)} in {where(keys[0])} needs data.path.",
            "State the corpus's folder there.",
            keys,
        )
    if source not in SOURCES_WITH_A_PATH and path is not None:
        yield Problem(
            f"data.path = {shown(path)} in {where(keys[1])} has no effect while data.source is {shown(source)}.",
            'State data.source = "saved", "parquet" or "jsonl", or leave the path out.',
            keys,
        )


def _hub_ids(config: Config, where: Where) -> Iterator[Problem]:
    checkpoint = 'For a local checkpoint state basic.model_source = "folder" and basic.model_path.'
    corpus = 'For a local corpus state data.source = "saved", "parquet" or "jsonl" and data.path.'
    basic = config.basic
    ids = (
        ("basic.llama_model_name", basic.llama_model_name, checkpoint),
        ("basic.llama_processor_name", basic.llama_processor_name, checkpoint),
        ("basic.aya_model_name", basic.aya_model_name, checkpoint),
        ("basic.aya_processor_name", basic.aya_processor_name, checkpoint),
        ("data.dataset_id", config.data.dataset_id, corpus),
    )
    for key, text, fix in ids:
        if not _HUB_ID.fullmatch(text):
            yield Problem(
                f"{key} in {where(key)} must be a hub id, name or owner/name, not {shown(text)}.", fix, (key,)
            )


def _quantisation(config: Config, where: Where) -> Iterator[Problem]:
    keys = ("qlora.hold_dequantized", "qlora.load_in_4bit")
    if config.qlora.hold_dequantized and not config.qlora.load_in_4bit:
        yield Problem(
            f"qlora.hold_dequantized = true in {where(keys[0])} has no effect while qlora.load_in_4bit is false in "
            f"{where(keys[1])}: nothing is quantised.",
            "Leave one of them out.",
            keys,
        )
    bias = "lora.bias"
    if config.qlora.hold_dequantized and config.lora.bias != "none":
        yield Problem(
            f"qlora.hold_dequantized = true in {where(keys[0])} keeps no number the same when biases train, which "
            f"{bias} = {shown(config.lora.bias)} in {where(bias)} asks for.",
            'Leave it out, or set lora.bias = "none".',
            (keys[0], bias),
        )


def _fp16(config: Config, where: Where) -> Iterator[Problem]:
    if config.compute_dtype != "float16":
        return
    dtype, bias = "lora.adapter_dtype", "lora.bias"
    if config.lora.adapter_dtype != "float32":
        yield Problem(
            f"{dtype} = {shown(config.lora.adapter_dtype)} in {where(dtype)} cannot train in fp16, whose loss scaling "
            "needs fp32 weights.",
            'Set lora.adapter_dtype = "float32", or compute in bfloat16.',
            (dtype,),
        )
    if config.lora.bias != "none":
        yield Problem(
            f"{bias} = {shown(config.lora.bias)} in {where(bias)} cannot train in fp16: biases stay fp16, and its loss "
            "scaling needs fp32.",
            'Set lora.bias = "none", or compute in bfloat16.',
            (bias,),
        )


def _fast_path(config: Config, where: Where) -> Iterator[Problem]:
    free, compiled, budget = "sft.padding_free", "sft.torch_compile", "sft.activation_budget"
    attention, recompute = "basic.attn_impl", "sft.gradient_checkpointing"
    sft = config.sft
    if sft.padding_free and config.basic.attn_impl not in PADDING_FREE_ATTENTION:
        yield Problem(
            f"{free} = true in {where(free)} brings kernels of its own, which attend within rows of any length; "
            f"{attention} = {shown(config.basic.attn_impl)} in {where(attention)} asks for others.",
            f'State {attention} = "auto", or leave {free} out.',
            (free, attention),
        )
    if sft.torch_compile and not sft.padding_free:
        yield Problem(
            f"{compiled} = true in {where(compiled)} needs {free}: the compiled layers are those of rows without "
            "padding.",
            f"State {free} = true too, or leave {compiled} out.",
            (compiled, free),
        )
    if sft.activation_budget < 1 and not sft.torch_compile:
        yield Problem(
            f"{budget} = {sft.activation_budget:g} in {where(budget)} needs {compiled}: it is compiled layers that it "
            "rules.",
            f"State {compiled} = true too, or leave {budget} out.",
            (budget, compiled),
        )
    # A plan chooses between the two by itself.
    if sft.activation_budget < 1 and sft.gradient_checkpointing and sft.fit == "manual":
        yield Problem(
            f"{budget} = {sft.activation_budget:g} in {where(budget)} has no effect while {recompute} is true in "
            f"{where(recompute)}: every layer is recomputed as a whole.",
            f"State {recompute} = false, or leave {budget} out.",
            (budget, recompute),
        )


def _languages(config: Config, where: Where) -> Iterator[Problem]:
    key, names = "data.languages", config.data.language_names
    repeated = sorted({code for code in config.data.languages if config.data.languages.count(code) > 1})
    if repeated:
        yield Problem(
            f"{key} in {where(key)} names {' and '.join(map(shown, repeated))} more than once.",
            "State each language once.",
            (key,),
        )
    for code in dict.fromkeys(config.data.languages):
        if code not in names:
            near = close(tuple(names), code)
            yield Problem(
                f"{key} in {where(key)} holds {shown(code)}, which data.language_names has no name for.",
                did_you_mean([shown(name) for name in near])
                or f"State its English name there, or choose from {', '.join(LANGUAGE_NAMES)}.",
                (key, "data.language_names"),
            )


def _columns(config: Config, where: Where) -> Iterator[Problem]:
    key = "data.columns"
    for role in config.data.columns:
        if role not in COLUMN_ROLES:
            yield Problem(
                f"{key} in {where(key)} maps {shown(role)}, which is not one of {', '.join(COLUMN_ROLES)}.",
                did_you_mean(close(COLUMN_ROLES, role))
                or "Our column name stands on the left, the corpus's on the right.",
                (key,),
            )


def _paths(config: Config, where: Where, root: Path) -> Iterator[Problem]:
    for info in describe_fields():
        if info.unit != "path":
            continue
        text = vars(vars(config)[info.table])[info.name]
        if text is None:
            continue
        try:
            inside(root, text, f"{info.key} in {where(info.key)}")
        except ConfigError as error:
            yield Problem(error.message, error.fix, (info.key,))
