"""The families there are."""

from __future__ import annotations

from inft.models.aya import AYA
from inft.models.family import Family
from inft.models.llama32 import LLAMA32
from inft.params import FamilyName

FAMILIES: dict[FamilyName, Family] = {"llama32": LLAMA32, "aya": AYA}
