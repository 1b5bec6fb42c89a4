"""Whether a run's loss curve is the same whichever way its steps are done: 200 steps on the demo corpus.

    python -m benchmarks.curves [aya llama32] [--arms plain,padding-free,compiled] [--steps 200]

Real runs of the family's demo profile by `inft-tui --headless`, without dropout, so that no other random mask makes a
difference: with padding; without; with compiled layers as well. `halved` is the plain way with half the micro-batch and
twice as many, which changes nothing but the rounding: that far apart is no difference. Arms ending in `dropout` are
for the eye: their masks differ. All arms have to see the same rows in the same order, or the comparison is refused.

Prints a JSON line per arm with its curve, and its largest and mean difference from the first one's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from inft.params import FamilyName

PROFILES: dict[FamilyName, str] = {"aya": "demo_aya", "llama32": "demo_llama"}

PACKED = ("sft.padding_free=true",)
ARMS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "halved": ("data.batch_size=2", "sft.gradient_accumulation_steps=2"),
    "padding-free": PACKED,
    "compiled": (*PACKED, "sft.torch_compile=true"),
    "plain-dropout": ("lora.dropout=0.1",),
    "padding-free-dropout": (*PACKED, "lora.dropout=0.1"),
    "compiled-dropout": (*PACKED, "sft.torch_compile=true", "lora.dropout=0.1"),
}


def run(family: FamilyName, arm: str, steps: int, further: Sequence[str]) -> dict[str, Any]:
    """One run, and what its events say."""
    settings = (f"sft.max_steps={steps}", "sft.logging_steps=1", "basic.sample_rows=0", *ARMS[arm], *further)
    script = Path(sys.executable).with_name("inft-tui")
    command = [script, "--headless", "--profile", PROFILES[family], "--json", *(f"--set={one}" for one in settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{arm} ended with {done.returncode}\n{done.stderr[-2000:]}")
    logs = [event for event in map(json.loads, done.stdout.splitlines()) if event["event"] == "log"]
    return {
        "benchmark": "curves",
        "family": family,
        "arm": arm,
        "settings": list(settings),
        "steps": len(logs),
        "losses": [round(log["loss"], 5) for log in logs],
        "supervised_tokens": [log["supervised_tokens"] for log in logs],
    }


def held_against(line: dict[str, Any], first: dict[str, Any]) -> dict[str, Any]:
    """Its differences from the first arm's curve, in nats.

    Raises:
        SystemExit: the two saw other rows.
    """
    if line["supervised_tokens"] != first["supervised_tokens"]:
        raise SystemExit(f"{line['arm']} trained on other rows than {first['arm']}, or in another order")
    apart = [abs(a - b) for a, b in zip(line["losses"], first["losses"], strict=True)]
    return {
        "against": first["arm"],
        "largest_difference": round(max(apart), 5),
        "at_step": apart.index(max(apart)) + 1,
        "mean_difference": round(sum(apart) / len(apart), 5),
        "last_20_mean": [round(sum(one["losses"][-20:]) / 20, 4) for one in (first, line)],
    }


def curves(families: Sequence[FamilyName], arms: Sequence[str], steps: int, further: Sequence[str]) -> Iterator[Any]:
    """A line per arm of each family."""
    for family in families:
        first: dict[str, Any] | None = None
        for arm in arms:
            line = run(family, arm, steps, further)
            yield line if first is None else line | held_against(line, first)
            first = first or line


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="FAMILY", default=list(PROFILES))
    parser.add_argument("--arms", default="plain,padding-free,compiled", help=f"of {', '.join(ARMS)}")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of all arms")
    options = parser.parse_args(arguments)
    arms = options.arms.split(",")
    if not set(arms) <= set(ARMS):
        parser.error(f"there is no arm {', '.join(sorted(set(arms) - set(ARMS)))}")
    for line in curves(options.families, arms, options.steps, options.set):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
