"""The guide's recipe at full size on one GPU, with random weights: does it run, how fast, in how much memory.

    python -m benchmarks.full_size aya --profile aya_adv --steps 6 --scratch /tmp/full-size [--set key=value ...]

Writes a random checkpoint of the released architecture into the scratch folder (16 GB Aya, 21 GB Llama; kept for the
next call) and trains on it with `inft-tui --headless`, on the bundled photographs scaled up to 976 pixels' width.
Prints one JSON line: exit code, seconds from the command to the end of the first step, samples/s and seconds per step
without the first step and where they go, peak GiB, losses. A second call finds warm caches.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, GenerationConfig

from inft.models.registry import FAMILIES
from inft.models.tiny import RELEASED_TILE_PIXELS, build_processor, demo_texts
from inft.params import FamilyName
from inft.project import demo_folder
from inft.runs.clock import utc_now

PHOTO_SIZE = (976, 549)  # most MUNIChus pictures
PARTS = ("data_sec", "forward_sec", "backward_sec", "optimizer_sec")


def write_corpus(folder: Path) -> None:
    """The demo corpus with every picture as large as a news photo."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for path in (demo_folder() / "images").glob("*.jpg"):
        with Image.open(path) as image:
            image.convert("RGB").resize(PHOTO_SIZE).save(folder / "images" / path.name, quality=85)
    for split in ("train", "test"):
        (folder / f"{split}.jsonl").write_bytes((demo_folder() / f"{split}.jsonl").read_bytes())


def write_checkpoint(family: FamilyName, folder: Path) -> None:
    """A random checkpoint of the released architecture, with a small tokenizer learnt from the demo corpus."""
    processor = build_processor(family, demo_texts(), RELEASED_TILE_PIXELS[family])
    config = FAMILIES[family].released_config()
    config.image_token_index = processor.image_token_id
    text = config.get_text_config()
    tokenizer = processor.tokenizer
    text.bos_token_id, text.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    text.pad_token_id = tokenizer.pad_token_id
    torch.manual_seed(0)
    with torch.device("cuda"):
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "gate" in name.rpartition(".")[2]:
                parameter.fill_(0.5)  # Llama's cross-attention gates start closed, and are open in the released model
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def run(family: FamilyName, profile: str, steps: int, scratch: Path, overrides: list[str]) -> dict[str, object]:
    """Trains and reads the figures off the run's own events."""
    settings = [
        "basic.model_source=folder",
        f"basic.model_path={scratch / family}",
        "data.source=jsonl",
        f"data.path={scratch / 'corpus'}",
        f"sft.max_steps={steps}",
        "sft.logging_steps=1",
        *overrides,
    ]
    command = [sys.executable, "-m", "inft_tui", "--headless", "--profile", profile, "--json"]
    started, began = utc_now(), time.perf_counter()
    done = subprocess.run([*command, *(f"--set={setting}" for setting in settings)], capture_output=True, text=True)
    seconds = time.perf_counter() - began
    events = [json.loads(line) for line in done.stdout.splitlines()]
    logs = [event for event in events if event["event"] == "log"]
    warm = logs[1:]
    return {
        "family": family,
        "profile": profile,
        "set": overrides,
        "exit_code": done.returncode,
        "seconds": round(seconds, 1),
        "to_first_step_sec": round((datetime.fromisoformat(logs[0]["ts"]) - started).total_seconds(), 1)
        if logs
        else None,
        "steps": len(logs),
        "samples_per_sec": round(statistics.median(log["samples_per_sec"] for log in warm), 3) if warm else None,
        "step_time_sec": round(statistics.median(log["step_time_sec"] for log in warm), 2) if warm else None,
        "parts_sec": {part: round(statistics.median(log[part] for log in warm), 3) for part in PARTS} if warm else None,
        "mfu": warm[-1].get("mfu") if warm else None,
        "peak_vram_gib": round(max(log["peak_vram_gib"] for log in logs), 2) if logs else None,
        "losses": [round(log["loss"], 4) for log in logs],
        "grad_norms": [round(log["grad_norm"], 4) for log in logs],
        "alerts": [event["message"] for event in events if event["event"] == "alert"],
        "samples": [event["generated_caption"][:60] for event in events if event["event"] == "sample"],
        "stderr": done.stderr[-1500:] if done.returncode else "",
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=["aya", "llama32"])
    parser.add_argument("--profile", required=True)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    if not (options.scratch / "corpus").is_dir():
        write_corpus(options.scratch / "corpus")
    if not (options.scratch / options.family).is_dir():
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", _WRITER, options.family, str(options.scratch / options.family)], check=True
        )
        print(json.dumps({"checkpoint": options.family, "seconds": round(time.perf_counter() - began, 1)}), flush=True)
    print(json.dumps(run(options.family, options.profile, options.steps, options.scratch, options.set)), flush=True)


# In a process of its own, so that none of its GPU memory is left when training starts.
_WRITER = (
    "import sys, pathlib; from benchmarks.full_size import *; write_checkpoint(sys.argv[1], pathlib.Path(sys.argv[2]))"
)

if __name__ == "__main__":
    main()
