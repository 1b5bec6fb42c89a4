"""How fast lines of `metrics.jsonl` are read and written: `python -m benchmarks.jsonl`.

Prints one JSON object; rates are lines, or bytes / 10^6, per second, the best of `--rounds`.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path

import msgspec

from inft.runs import events
from inft.runs.jsonl import JsonlLogger, JsonlReader, Record


def typical_events(count: int) -> list[Record]:
    """Events like those of a run's steps, with figures of full length."""
    luck = random.Random(1)
    return [
        events.log(
            global_step=step,
            epoch=step / count,
            elapsed_sec=step + luck.random(),
            loss=3 * luck.random(),
            learning_rate=1e-4 * luck.random(),
            grad_norm=luck.random(),
            step_time_sec=1 + luck.random(),
            samples_per_sec=20 * luck.random(),
            tokens_per_sec=20_000 * luck.random(),
            supervised_tokens=luck.randrange(1000),
            peak_vram_gib=80 * luck.random(),
            data_sec=luck.random(),
            compute_sec=luck.random(),
        )
        for step in range(count)
    ]


def typical_lines(count: int) -> list[bytes]:
    """The same as lines of a file."""
    return [msgspec.json.encode(event) + b"\n" for event in typical_events(count)]


def measure_reading(path: Path) -> float:
    """Lines per second through `JsonlReader`, from the file's first to its last."""
    began = time.perf_counter()
    lines = 0
    with JsonlReader(path) as reader:
        more = True
        while more:
            chunk = reader.read()
            lines += len(chunk.lines)
            more = chunk.more
    return lines / (time.perf_counter() - began)


def measure_writing(path: Path, records: list[Record]) -> float:
    """Lines per second through `JsonlLogger`."""
    began = time.perf_counter()
    with JsonlLogger(path) as writer:
        for record in records:
            writer.write(record)
    return len(records) / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast lines of metrics.jsonl are read and written.")
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metrics.jsonl"
        path.write_bytes(b"".join(typical_lines(arguments.lines)))
        line_bytes = path.stat().st_size / arguments.lines
        reading = max(measure_reading(path) for _ in range(arguments.rounds))
        records = typical_events(arguments.lines // 10)
        writing = max(measure_writing(Path(folder) / f"{n}.jsonl", records) for n in range(arguments.rounds))
    figures = {
        "line_bytes": round(line_bytes),
        "read_lines_per_s": round(reading),
        "read_mb_per_s": round(reading * line_bytes / 1e6),
        "write_lines_per_s": round(writing),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
