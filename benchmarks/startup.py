"""How long the commands that a person waits for take, without torch: `python -m benchmarks.startup`.

Prints a JSON line per command: median and worst wall time of 15 runs in ms, and whether torch was imported.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 15
COMMANDS = {
    "--version": ["--version"],
    "--dry-run": ["--headless", "--profile", "aya_adv", "--dry-run"],
    "profiles": ["profiles"],
    "profiles NAME": ["profiles", "aya_adv"],
    "doctor": ["doctor", "--profile", "demo_aya"],
}
LIMIT_MS = 350
LIMITS_MS = {"doctor": 1000}
"""Of commands that do more than print what they know."""


def measure(arguments: list[str]) -> list[float]:
    """Wall times of `RUNS` runs, in ms, after one that warms the disk's cache."""
    script = Path(sys.executable).with_name("inft-tui")
    times = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        subprocess.run([script, *arguments], check=True, stdout=subprocess.DEVNULL)
        times.append((time.perf_counter() - began) * 1000)
    return times[1:]


def imports_torch(arguments: list[str]) -> bool:
    """Whether the command has torch in its process at the end."""
    program = (
        f"import sys, atexit; sys.argv = ['inft-tui', *{arguments!r}]\n"
        "atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr))\n"
        "from inft_tui.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stderr.split()[-1] == "True"


def main() -> None:
    """Measures every command."""
    for name, arguments in COMMANDS.items():
        times = measure(arguments)
        figures = {
            "benchmark": "startup",
            "command": name,
            "median_ms": round(statistics.median(times)),
            "worst_ms": round(max(times)),
            "limit_ms": LIMITS_MS.get(name, LIMIT_MS),
            "imports_torch": imports_torch(arguments),
        }
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
