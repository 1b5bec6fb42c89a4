"""What `benchmarks.forecast` measures: configurations, each with one row's length and tiles, and limits to plan for."""

from __future__ import annotations

from dataclasses import dataclass

from inft.config import Config
from inft.forecast.lengths import BatchShape
from inft.params import FamilyName
from inft.profiles import resolve

PROFILES: dict[FamilyName, str] = {"aya": "aya_basic", "llama32": "llama_basic"}
SUPERVISED = 30  # tokens of a row
ACCUMULATION = 2


@dataclass(frozen=True)
class Case:
    """One configuration: what differs from the family's basic profile, and one row's length and tiles."""

    rows: int
    tokens: int
    tiles: int
    settings: tuple[str, ...] = ()

    def config(self, family: FamilyName) -> Config:
        """The parameters of the run."""
        common = [f"data.batch_size={self.rows}", f"sft.gradient_accumulation_steps={ACCUMULATION}"]
        fixed = ["data.num_workers=0", "sft.max_steps=2", "sft.logging_steps=1"]
        return resolve(PROFILES[family], [*common, *fixed, *self.settings]).config

    @property
    def shape(self) -> BatchShape:
        """Of its micro-batch."""
        return BatchShape.of_equal_rows(self.rows, self.tokens, self.rows * self.tiles, self.rows * SUPERVISED)


LANGUAGE, KEPT, HELD = "lora.scope=language", "sft.gradient_checkpointing=false", "qlora.hold_dequantized=true"
PAGED, EIGHT_BIT = "sft.optim=paged_adamw_8bit", "sft.optim=adamw_bnb_8bit"
FREE, COMPILED = "sft.padding_free=true", "sft.torch_compile=true"
MOST, MUCH, HALF = (f"sft.activation_budget={share}" for share in (0.8, 0.7, 0.5))
FAST = (FREE, COMPILED, KEPT)

LIMITS: dict[FamilyName, tuple[tuple[int, tuple[str, ...]], ...]] = {
    "aya": ((12, ()), (12, (LANGUAGE,)), (16, ()), (16, (LANGUAGE,)), (24, ()), (24, (FREE, COMPILED))),
    "llama32": (
        (12, (LANGUAGE,)),
        (12, (LANGUAGE, PAGED)),
        (16, ()),
        (16, (LANGUAGE,)),
        (24, ()),
        (24, (LANGUAGE,)),
        (24, (FREE, COMPILED)),
    ),
}
"""GiB and what differs from the family's basic profile."""

CASES: dict[FamilyName, tuple[Case, ...]] = {
    "aya": (
        Case(1, 2000, 9),
        Case(4, 2000, 9),
        Case(8, 2000, 9),
        Case(1, 3000, 13, (KEPT,)),
        Case(2, 2000, 9, (KEPT,)),
        Case(1, 2000, 9, (LANGUAGE,)),
        Case(8, 3000, 13, (LANGUAGE,)),
        Case(1, 1000, 3, (LANGUAGE, KEPT)),
        Case(4, 2000, 9, (LANGUAGE, KEPT)),
        Case(1, 2000, 9, (LANGUAGE, PAGED, "lora.r=16")),
        Case(1, 2000, 9, (LANGUAGE, EIGHT_BIT, "lora.adapter_dtype=bfloat16")),
        Case(1, 2000, 9, (LANGUAGE, KEPT, "lora.dropout=0")),
        Case(1, 2000, 9, ("basic.attn_impl=eager",)),
        Case(1, 2000, 9, (LANGUAGE, KEPT, "qlora.skip_modules=['vision_tower']")),
        Case(4, 2000, 9, (HELD,)),
        Case(4, 2000, 9, (LANGUAGE, KEPT, HELD)),
        Case(1, 3000, 13, (LANGUAGE, PAGED, FREE, COMPILED)),
        Case(4, 2000, 9, (FREE, COMPILED)),
        Case(2, 2000, 9, (FREE, KEPT)),
        Case(4, 2000, 9, (LANGUAGE, *FAST)),
        Case(4, 3000, 12, (*FAST, HELD)),
        Case(4, 3000, 12, (*FAST, HELD, MOST)),
        Case(4, 3000, 12, (*FAST, HELD, MUCH)),
        Case(4, 3000, 12, (*FAST, HELD, HALF)),
        Case(8, 2000, 9, (LANGUAGE, *FAST, HELD, MOST)),
    ),
    "llama32": (
        Case(1, 700, 2),
        Case(4, 700, 2),
        Case(8, 1800, 4),
        Case(1, 700, 2, (KEPT,)),
        Case(2, 700, 2, (KEPT,)),
        Case(1, 700, 2, (LANGUAGE,)),
        Case(8, 1800, 2, (LANGUAGE,)),
        Case(1, 1800, 2, (LANGUAGE, KEPT)),
        Case(4, 700, 2, (LANGUAGE, KEPT)),
        Case(1, 700, 2, (LANGUAGE, PAGED)),
        Case(4, 700, 2, (HELD,)),
        Case(4, 700, 2, (LANGUAGE, KEPT, HELD)),
        Case(1, 1800, 4, (LANGUAGE, PAGED, FREE, COMPILED)),
        Case(4, 700, 2, (FREE, COMPILED)),
        Case(2, 700, 2, (FREE, KEPT)),
        Case(4, 1200, 2, (LANGUAGE, *FAST)),
        Case(4, 1200, 2, (*FAST, HELD)),
        Case(4, 1200, 2, (*FAST, HELD, MOST)),
        Case(4, 1200, 2, (*FAST, HELD, MUCH)),
        Case(4, 1200, 2, (*FAST, HELD, HALF)),
        Case(8, 1000, 2, (LANGUAGE, *FAST, HELD, MOST)),
    ),
}
