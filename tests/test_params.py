"""Every knob is described, and the defaults are the guide's."""

import dataclasses

import msgspec
import pytest

from inft.params import LANGUAGE_NAMES, BasicParams, LoRAParams, MUNIChusLoadConfig, QLoRAParams, SFTParams
from inft.profiles.knobs import FieldInfo, convert, describe_fields, fields_by_key

FIELDS = describe_fields()


def test_every_field_of_every_dataclass_is_described() -> None:
    described = {(info.table, info.name) for info in FIELDS}
    classes = {
        "basic": BasicParams,
        "qlora": QLoRAParams,
        "lora": LoRAParams,
        "sft": SFTParams,
        "data": MUNIChusLoadConfig,
    }
    declared = {(table, item.name) for table, cls in classes.items() for item in dataclasses.fields(cls)}
    head = {("", name) for name in ("family", "mode", "description", "profile")}
    assert described == declared | head


@pytest.mark.parametrize("info", FIELDS, ids=lambda info: info.key)
def test_a_description_is_a_sentence(info: FieldInfo) -> None:
    assert info.description.endswith(".")
    assert not info.description[0].islower() or info.description.split()[0].strip(":,") in info.choices
    assert "\n" not in info.description


@pytest.mark.parametrize("info", FIELDS, ids=lambda info: info.key)
def test_a_number_states_its_bounds(info: FieldInfo) -> None:
    assert bool(info.bounds) or info.kind not in ("int", "float")


@pytest.mark.parametrize("info", [info for info in FIELDS if info.name != "profile"], ids=lambda info: info.key)
def test_a_default_is_a_value_that_a_profile_may_state(info: FieldInfo) -> None:
    if info.required:
        assert info.default is None
        return
    value = "none" if info.default is None else info.default
    converted = convert(info, list(value) if isinstance(value, tuple) else value)
    assert converted == info.default
    assert type(converted) is type(info.default)  # a float stays one when it is written and read again


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("basic.max_length", "a whole number from 32 to 131072 (tokens)"),
        ("lora.dropout", "a number at least 0 and below 1 (probability)"),
        ("sft.lr", "a number above 0 and at most 1"),
        ("sft.max_steps", 'a whole number at least 1 (steps) or "none"'),
        ("qlora.load_in_4bit", "true or false"),
        ("qlora.bnb_4bit_quant_type", 'one of "nf4", "fp4"'),
        ("basic.attn_impl", 'one of "auto", "eager", "sdpa", "flex", "flash"'),
        ("data.languages", "a list of texts with at least 1"),
        ("data.columns", "a table of texts"),
        ("basic.logs_dir", "a text that is not empty"),
    ],
)
def test_what_a_value_must_be_in_words(key: str, allowed: str) -> None:
    assert fields_by_key()[key].allowed == allowed


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sft.lr", True),
        ("lora.r", True),
        ("lora.r", 8.0),
        ("lora.r", "8"),
        ("sft.lr", float("nan")),
        ("sft.max_grad_norm", float("inf")),
        ("sft.max_grad_norm", 10**400),
        ("sft.save_steps", 10**30),
        ("sft.lr", "none"),
        ("qlora.load_in_4bit", 1),
        ("qlora.load_in_4bit", "true"),
        ("data.languages", "en"),
        ("data.languages", ["en", 1]),
        ("data.languages", [""]),
        ("data.columns", {"image": ""}),
        ("basic.logs_dir", ""),
    ],
)
def test_what_is_not_of_the_fields_type_is_refused(key: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        convert(fields_by_key()[key], value)


@pytest.mark.parametrize(
    ("key", "value", "converted"),
    [
        ("lora.alpha", 16, 16.0),
        ("sft.max_steps", "none", None),
        ("sft.max_steps", 3, 3),
        ("sft.report_to", "none", "none"),
    ],
)
def test_what_is_accepted_beside_the_plain_type(key: str, value: object, converted: object) -> None:
    assert convert(fields_by_key()[key], value) == converted


def test_the_defaults_are_the_guides() -> None:
    basic, qlora, lora, sft, data = BasicParams(), QLoRAParams(), LoRAParams(), SFTParams(), MUNIChusLoadConfig()
    assert basic.max_length == 4096
    assert (basic.logs_dir, sft.report_to) == ("logs", "none")
    assert (qlora.load_in_4bit, qlora.bnb_4bit_quant_type, qlora.bnb_4bit_use_double_quant) == (True, "nf4", True)
    assert qlora.bnb_4bit_compute_dtype == "bfloat16"
    assert (lora.r, lora.alpha, lora.dropout, lora.bias) == (64, 32, 0.10, "none")
    assert lora.advanced_target_modules[7:] == ("mm_projector", "multi_modal_projector", "vision_proj")
    assert lora.aya_advanced_target_modules[7:] == ("multi_modal_projector.linear_1", "multi_modal_projector.linear_2")
    assert (sft.lr, sft.lr_scheduler_type, sft.warmup_ratio) == (1.5e-4, "cosine", 0.03)
    assert (sft.gradient_accumulation_steps, data.batch_size) == (16, 1)
    assert (sft.max_grad_norm, sft.weight_decay, sft.num_epochs) == (0.3, 1e-6, 1.0)
    assert (sft.save_steps, sft.save_total_limit, sft.gradient_checkpointing) == (500, 2, True)
    assert sft.load_best_model_at_end
    assert (data.dataset_id, data.split, data.eval_split) == ("tharindu/MUNIChus", "train", None)
    assert data.languages == tuple(LANGUAGE_NAMES)
    assert len(data.languages) == 10
    assert (data.remove_empty, data.max_rows_per_lang, data.num_workers) == (True, None, 4)


def test_two_configurations_share_no_mapping() -> None:
    one, other = MUNIChusLoadConfig(), MUNIChusLoadConfig()
    assert one.columns is not other.columns
    assert one.language_names is not LANGUAGE_NAMES
