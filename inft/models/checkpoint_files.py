"""Which of a checkpoint's files a run reads, by the ends of their names; known without the training libraries."""

from __future__ import annotations

PROCESSOR_SUFFIXES = (".json", ".jinja", ".model", ".txt")

MODEL_SUFFIXES = (".safetensors", *PROCESSOR_SUFFIXES)

SECOND_COPY = "original/"
"""The folder in which Llama's weights lie a second time, in the form that Meta trained them in: 21 GB."""
