"""Whether the demo does what the README says: `python -m benchmarks.demo`.

Runs both demo profiles as `make demo` does, with the environment in place. Prints a JSON line per profile: seconds in
all, first and last logged loss and their ratio, and the limits they have to keep.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

LIMIT_SECONDS = 120
LIMIT_RATIO = 0.6


def measure(profile: str) -> dict[str, object]:
    """One whole run."""
    script = Path(sys.executable).with_name("inft-tui")
    began = time.perf_counter()
    done = subprocess.run(
        [script, "--headless", "--profile", profile, "--json"], capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    losses = [event["loss"] for event in map(json.loads, done.stdout.splitlines()) if event["event"] == "log"]
    return {
        "benchmark": "demo",
        "profile": profile,
        "exit_code": done.returncode,
        "seconds": round(seconds, 1),
        "limit_seconds": LIMIT_SECONDS,
        "first_loss": round(losses[0], 3),
        "last_loss": round(losses[-1], 3),
        "ratio": round(losses[-1] / losses[0], 3),
        "limit_ratio": LIMIT_RATIO,
    }


def main() -> None:
    """Both profiles."""
    for profile in ("demo_aya", "demo_llama"):
        print(json.dumps(measure(profile)), flush=True)


if __name__ == "__main__":
    main()
