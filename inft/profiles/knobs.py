"""What each key of a profile is: its type, bounds, unit and meaning, read from the annotations of `inft.params`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cache
from typing import Annotated, Literal, TypeAlias, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, inspect

from inft.params import (
    BasicParams,
    FamilyName,
    LoRAParams,
    Mode,
    MUNIChusLoadConfig,
    QLoRAParams,
    SFTParams,
)

Kind: TypeAlias = Literal["bool", "int", "float", "text", "choice", "list", "table"]

TYPE_NAMES: dict[Kind, str] = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "text": "a text",
    "choice": "one of",
    "list": "a list of texts",
    "table": "a table of texts",
}

LARGEST_INTEGER = 2**63 - 1  # TOML's own; beyond it torch and the log's readers overflow


@dataclass(frozen=True)
class ProfileHead:
    """The keys at a profile's top level."""

    family: Annotated[FamilyName, Meta(description="Model family.")]
    mode: Annotated[Mode, Meta(description="How much gets adapters: the projections, or the projector too.")] = "basic"
    description: Annotated[str, Meta(description="One line for listings.", extra={"curve": False})] = ""
    profile: Annotated[
        str,
        Meta(
            pattern=r"^\w[\w.-]{0,79}$",
            description="Name that the run directories begin with; the file's own name when it is not stated.",
            extra={"form": "of at most 80 letters, digits, '.', '_' and '-'", "curve": False},
        ),
    ] = ""


TABLES: dict[str, type] = {
    "": ProfileHead,
    "basic": BasicParams,
    "qlora": QLoRAParams,
    "lora": LoRAParams,
    "sft": SFTParams,
    "data": MUNIChusLoadConfig,
}
"""The tables of a profile in their order; "" is its top level."""

NAMES_ELSEWHERE: dict[str, str] = {
    "learning_rate": "sft.lr",
    "num_train_epochs": "sft.num_epochs",
    "per_device_train_batch_size": "data.batch_size",
    "grad_accum": "sft.gradient_accumulation_steps",
    "attn_implementation": "basic.attn_impl",
    "lora_r": "lora.r",
    "rank": "lora.r",
    "lora_alpha": "lora.alpha",
    "lora_dropout": "lora.dropout",
    "dataloader_num_workers": "data.num_workers",
    "training_mode": "mode",
}
"""What transformers, peft and the guide's flags call some of our keys: too unlike ours to be found by spelling."""


@dataclass(frozen=True)
class FieldInfo:
    """One key of a profile.

    Attributes:
        table: the table it stands in; "" for the top level.
        choices: its permitted values, for a choice.
        bounds: its bounds in words ("from 32 to 131072"), or "".
        unit: what a number counts, "path" for a path, or "".
        optional: whether the text "none" stands for its absence.
        required: whether a profile must state it.
        default: its value when a profile does not state it; None when required.
        shapes_curve: whether another value changes the losses of the steps that follow.
        annotation: what values are checked against.
    """

    table: str
    name: str
    kind: Kind
    choices: tuple[str, ...]
    bounds: str
    unit: str
    optional: bool
    required: bool
    default: object
    description: str
    shapes_curve: bool
    annotation: object = field(repr=False, compare=False)

    @property
    def key(self) -> str:
        """Dotted name: "sft.lr"."""
        return f"{self.table}.{self.name}" if self.table else self.name

    @property
    def type(self) -> str:
        """The type in words."""
        text = TYPE_NAMES[self.kind]
        return f'{text} or "none"' if self.optional else text

    @property
    def allowed(self) -> str:
        """What a value must be, in words: type, bounds, unit, choices."""
        words = [TYPE_NAMES[self.kind]]
        if self.choices:
            words.append(", ".join(f'"{choice}"' for choice in self.choices))
        if self.bounds:
            words.append(self.bounds)
        if self.unit and self.unit != "path":
            words.append(f"({self.unit})")
        if self.optional:
            words.append('or "none"')
        return " ".join(words)


def describe_fields() -> list[FieldInfo]:
    """Every key of a profile, in the order in which `to_toml` writes them."""
    return list(fields_by_key().values())


@cache
def fields_by_key() -> dict[str, FieldInfo]:
    """Every key of a profile by its dotted name."""
    described = (info for table, cls in TABLES.items() for info in _describe_table(table, cls))
    return {info.key: info for info in described}


def table_fields(table: str) -> list[FieldInfo]:
    """The keys of one table."""
    return [info for info in describe_fields() if info.table == table]


def convert(info: FieldInfo, value: object) -> object:
    """`value`, as TOML gives it, as the type of the field.

    Raises:
        msgspec.ValidationError: wrong type, out of bounds, or not finite.
    """
    if info.optional and value == "none":
        return None
    converted: object = msgspec.convert(value, info.annotation)
    if isinstance(converted, float) and not math.isfinite(converted):
        raise msgspec.ValidationError("Expected a finite number")
    if isinstance(converted, int) and abs(converted) > LARGEST_INTEGER:
        raise msgspec.ValidationError("Expected an integer of 64 bits")
    return converted


def nearest_keys(dotted: str) -> list[str]:
    """Keys that an unknown one may stand for: other libraries' names, then the same name elsewhere, then spelling."""
    table, _, name = dotted.rpartition(".")
    if name in NAMES_ELSEWHERE:
        return [NAMES_ELSEWHERE[name]]
    if table in fields_by_key():  # sft.lr.x
        return [table]
    known = describe_fields()
    same_name = [info.key for info in known if info.name == name]
    if same_name:
        return same_name
    own_table = close({info.name: info.key for info in known if info.table == table}, name)
    return own_table or close({info.key.rpartition(".")[2]: info.key for info in reversed(known)}, name)


def close(candidates: dict[str, str] | Sequence[str], name: str) -> list[str]:
    """The candidate spelt most like `name`, and one more if it is about as near; for a dict, their values."""
    from difflib import SequenceMatcher, get_close_matches  # for messages only, and not free to import

    by_name = candidates if isinstance(candidates, dict) else {candidate: candidate for candidate in candidates}
    lowered = {candidate.lower(): target for candidate, target in by_name.items()}
    matches = get_close_matches(name.lower(), lowered, n=2, cutoff=0.6)
    likeness = [SequenceMatcher(None, match, name.lower()).ratio() for match in matches]
    return [lowered[match] for match, ratio in zip(matches, likeness, strict=True) if ratio > likeness[0] - 0.1]


def _describe_table(table: str, cls: type) -> list[FieldInfo]:
    hints = get_type_hints(cls, include_extras=True)
    return [_describe(table, item, hints[item.name]) for item in fields(cls)]


def _describe(table: str, item: Field[object], annotation: object) -> FieldInfo:
    shape: inspect.Type = inspect.type_info(annotation)
    description, unit, form, optional, shapes_curve = "", "", "", False, True
    while isinstance(shape, (inspect.Metadata, inspect.UnionType)):
        if isinstance(shape, inspect.Metadata):
            extra = shape.extra or {}
            description = (shape.extra_json_schema or {}).get("description", description)
            unit, form = extra.get("unit", unit), extra.get("form", form)
            shapes_curve = extra.get("curve", shapes_curve)
            shape = shape.type
        else:
            optional = True
            (shape,) = (member for member in shape.types if not isinstance(member, inspect.NoneType))
    kind, bounds = _kind(shape, f"{table}.{item.name}")
    default = item.default_factory() if item.default_factory is not MISSING else item.default
    required = default is MISSING
    return FieldInfo(
        table=table,
        name=item.name,
        kind=kind,
        choices=_choices(annotation),
        bounds=form or bounds,
        unit=unit,
        optional=optional,
        required=required,
        default=None if required else default,
        description=description,
        shapes_curve=shapes_curve,
        annotation=annotation,
    )


def _kind(shape: inspect.Type, key: str) -> tuple[Kind, str]:
    match shape:
        case inspect.BoolType():
            return "bool", ""
        case inspect.IntType(gt=gt, ge=ge, lt=lt, le=le):
            return "int", _bounds(gt, ge, lt, le)
        case inspect.FloatType(gt=gt, ge=ge, lt=lt, le=le):
            return "float", _bounds(gt, ge, lt, le)
        case inspect.StrType(min_length=least):
            return "text", "that is not empty" if least else ""
        case inspect.LiteralType():
            return "choice", ""
        case inspect.VarTupleType(min_length=least):
            return "list", f"with at least {least}" if least else ""
        case inspect.DictType():
            return "table", ""
    raise TypeError(f"{key} has a type that a profile cannot state: {shape}")


def _choices(annotation: object) -> tuple[str, ...]:
    """The permitted values in the order in which they are declared, which msgspec's own description sorts."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _bounds(gt: float | None, ge: float | None, lt: float | None, le: float | None) -> str:
    if ge is not None and le is not None:
        return f"from {ge:.12g} to {le:.12g}"
    pairs = (("above", gt), ("at least", ge), ("below", lt), ("at most", le))
    return " and ".join(f"{word} {bound:.12g}" for word, bound in pairs if bound is not None)
