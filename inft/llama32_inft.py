"""Fine-tunes Llama 3.2 Vision: `python -m inft.llama32_inft --training-mode basic|advanced`."""

from __future__ import annotations

import sys
from pathlib import Path

if not __package__:
    # Started as a file, Python looks for modules in this folder, where our own names would hide others'.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from inft.guide_entry import run_guide

if __name__ == "__main__":
    sys.exit(run_guide("llama32", "inft/llama32_inft.py", sys.argv[1:]))
