"""One run's resolved parameters, and what follows from its family and mode."""

from __future__ import annotations

from dataclasses import dataclass

from inft.params import (
    BasicParams,
    DtypeName,
    FamilyName,
    LoRAParams,
    Mode,
    MUNIChusLoadConfig,
    QLoRAParams,
    SFTParams,
)

TASK_TAGS: dict[FamilyName, str] = {"llama32": "qlora-lora-llama32", "aya": "qlora-lora-aya8b"}


@dataclass(frozen=True)
class Config:
    """Everything that decides a run.

    Attributes:
        profile: name that the run directory begins with.
        description: one line for listings.
    """

    profile: str
    description: str
    family: FamilyName
    mode: Mode
    basic: BasicParams
    qlora: QLoRAParams
    lora: LoRAParams
    sft: SFTParams
    data: MUNIChusLoadConfig

    @property
    def task_tag(self) -> str:
        """Names the guide's log `trainer_<task-tag>.jsonl`."""
        return TASK_TAGS[self.family] + ("-advanced" if self.mode == "advanced" else "")

    @property
    def output_dir_key(self) -> str:
        """Dotted name of the parameter that says where this run's checkpoints go."""
        return self._folders[0][0]

    @property
    def output_dir(self) -> str:
        """Where the checkpoints go, as stated: relative to the project's root unless absolute."""
        return self._folders[0][1]

    @property
    def best_model_dir_key(self) -> str:
        """Dotted name of the parameter that says where this run's adapters and processor go."""
        return self._folders[1][0]

    @property
    def best_model_dir(self) -> str:
        """Where adapters and processor go, as stated: relative to the project's root unless absolute."""
        return self._folders[1][1]

    @property
    def model_name(self) -> str:
        """Hub id of the family's checkpoint."""
        return self.basic.llama_model_name if self.family == "llama32" else self.basic.aya_model_name

    @property
    def processor_name(self) -> str:
        """Hub id of the family's processor."""
        return self.basic.llama_processor_name if self.family == "llama32" else self.basic.aya_processor_name

    @property
    def target_modules(self) -> tuple[str, ...]:
        """Modules that get adapters, by the end of their name."""
        if self.mode == "basic":
            return self.lora.target_modules
        return self.lora.advanced_target_modules if self.family == "llama32" else self.lora.aya_advanced_target_modules

    @property
    def effective_batch(self) -> int:
        """Rows per optimiser step."""
        return self.data.batch_size * self.sft.gradient_accumulation_steps

    @property
    def evaluates(self) -> bool:
        """Whether there are rows that are not trained on, to evaluate on."""
        return self.data.evaluation_split is not None

    @property
    def compute_dtype(self) -> DtypeName:
        """Dtype of the whole run: the 4-bit layers' where there are any."""
        return self.qlora.bnb_4bit_compute_dtype if self.qlora.load_in_4bit else self.basic.dtype

    @property
    def _folders(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """(key, text) of the checkpoint folder, then of the folder of the final adapters."""
        sft = self.sft
        if self.family == "llama32":
            if self.mode == "basic":
                return (
                    ("sft.llama_32_output_dir", sft.llama_32_output_dir),
                    ("sft.llama32_best_model_dir", sft.llama32_best_model_dir),
                )
            return (
                ("sft.llama32_adv_output_dir", sft.llama32_adv_output_dir),
                ("sft.llama32_adv_best_model_dir", sft.llama32_adv_best_model_dir),
            )
        if self.mode == "basic":
            return ("sft.aya_output_dir", sft.aya_output_dir), ("sft.aya_best_model_dir", sft.aya_best_model_dir)
        return (
            ("sft.aya_adv_output_dir", sft.aya_adv_output_dir),
            ("sft.aya_adv_best_model_dir", sft.aya_adv_best_model_dir),
        )
