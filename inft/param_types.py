"""Types of values that parameters and the rest of the package share."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

FamilyName: TypeAlias = Literal["llama32", "aya"]
Mode: TypeAlias = Literal["basic", "advanced"]
AttentionName: TypeAlias = Literal["auto", "eager", "sdpa", "flex", "flash"]
DtypeName: TypeAlias = Literal["bfloat16", "float16", "float32"]
ComputeDtypeName: TypeAlias = Literal["bfloat16", "float16"]

Seed: TypeAlias = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Text: TypeAlias = Annotated[str, Meta(min_length=1)]
