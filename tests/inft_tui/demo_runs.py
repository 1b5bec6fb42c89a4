"""A folder of runs as a project has after a week: the same to the byte wherever and whenever it is made."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from PIL import Image, ImageDraw

from inft.machine.processes import ProcessId
from inft.profiles import resolve, to_toml
from inft.runs import events
from inft.runs.directory import RunDirectory, create_run
from inft.runs.jsonl import JsonlLogger, Record
from inft.runs.status import Cause, Pids, Status
from tests.runs.pretend import change_record, write_events, write_status
from tests.runs.stand_in import write_project

NOW = datetime(2025, 3, 7, 14, 30, tzinfo=UTC)
HERE, HOST = "login-node", "gpu-server"
"""A run of another machine is judged by its heartbeat, which can stand still; a process cannot."""
STEPS = 1200
SAMPLES = (
    ("en", "Firefighters tackle a blaze at a warehouse in east London", "Firefighters battle a fire in east London"),
    ("de", "Demonstranten vor dem Reichstag in Berlin", "Menschen protestieren vor dem Reichstag"),
    ("ur", "لاہور میں بارش کے بعد سڑک پر پانی", "لاہور کی سڑک پر بارش کا پانی"),
    ("hi", "दिल्ली में मतदान केंद्र के बाहर कतार", "मतदान के लिए कतार में खड़े लोग"),
    ("ja", "東京で初雪を楽しむ子どもたち", "雪の中で遊ぶ子どもたち"),
    ("id", "Warga mengungsi akibat banjir di Jakarta", "Warga melewati banjir di Jakarta"),
)
EARLIER = (
    "A fire in a building",
    "Menschen vor einem Gebäude in Berlin",
    "سڑک پر پانی",
    "कतार में लोग",
    "雪の中の子どもたち",
    "Banjir di Jakarta",
)
"""What the same rows were called before."""


class _Frozen(datetime):
    """The one moment in which all of it happens."""

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return NOW


@contextmanager
def demo_project(home: Path) -> Iterator[Path]:
    """A project with these runs, at a moment that stands still; gives the folder of runs."""
    with _in_utc(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFT_HOME", str(home))
        patch.chdir(home)  # paths are shown from here
        patch.setattr("inft.runs.clock.datetime", _Frozen)
        patch.setattr("platform.node", lambda: HERE)
        write_project(home)
        _make_runs()
        yield home / "logs"


@contextmanager
def _in_utc() -> Iterator[None]:
    """The time of day on screens is the terminal's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def _make_runs() -> None:
    """From the oldest to the newest."""
    _run("llama_basic", 5, 1, rate=2e-4, state="stopped", steps=640)
    _run("aya_basic", 4, 2, rate=1e-4, state="finished")
    _run("llama_adv", 3, 3, rate=1.5e-4, state="failed", steps=87)
    first = _run("aya_adv", 1, 4, rate=3e-4, state="finished")
    change_record(first, description="Aya Vision 8B, advanced")
    _run("aya_adv", 0.06, 5, rate=1.5e-4, state="training", steps=812)


def _run(profile: str, days_ago: float, seed: int, *, rate: float, state: str, steps: int = STEPS) -> RunDirectory:
    config = resolve(profile, [f"sft.lr={rate}"]).config
    began = NOW - timedelta(days=days_ago)
    argv = ["inft-tui", "--headless", "--profile", profile]
    run = create_run(config, to_toml(config), argv=argv, at=began)
    packages = {"torch": "2.7.0", "transformers": "5.23.0", "peft": "0.17.0", "trl": "1.16.0"}
    change_record(run, host=HOST, boot_id=None, pid_namespace=None)
    change_record(run, git_commit="0123456789abcdef0123456789abcdef01234567", python="3.11.9", packages=packages)
    write_events(run, *_events(run, began, steps, seed, rate))
    write_console(run, began, steps, seed)
    _write_samples(run, began, steps)
    with run.hardware.open("ab") as file:
        for second in range(0, steps * 5, 10):
            file.write(msgspec.json.encode(_hardware(began + timedelta(seconds=second), second, seed)) + b"\n")
    _end(run, state, steps)
    return run


def _end(run: RunDirectory, state: str, steps: int) -> None:
    pids = Pids(ProcessId(4117, 1.0, 1), ProcessId(4123, 1.0, 1))
    match state:
        case "training":
            status = Status("training", pids, step=steps, max_steps=STEPS)
        case "failed":
            cause = Cause(
                "out_of_memory",
                f"The GPU's memory did not suffice at step {steps}: 79.2 of 79.6 GiB were in use.",
                "Lower sft.per_device_train_batch_size, or data.max_length.",
            )
            status = Status("failed", step=steps, max_steps=STEPS, exit_code=4, cause=cause)
        case "stopped":
            cause = Cause("stopped", "Stopped on request.", "")
            status = Status("stopped", step=steps, max_steps=STEPS, exit_code=130, cause=cause)
        case _:
            status = Status("finished", step=steps, max_steps=STEPS, exit_code=0)
    write_status(run, status)


def _events(run: RunDirectory, began: datetime, steps: int, seed: int, rate: float) -> Iterator[Record]:
    luck = random.Random(seed)
    yield events.train_begin(
        max_steps=STEPS,
        num_train_epochs=3,
        trainable_parameters=83_886_080,
        total_parameters=8_632_000_000,
        at=began + timedelta(seconds=70),
    )
    for step in range(1, steps + 1):
        at = began + timedelta(seconds=70 + 5 * step)
        yield _log(step, at, luck, rate, seed)
        if step % 200 == 0:
            yield events.eval(global_step=step, eval_loss=round(_loss(step, rate) + 0.08, 4), at=at)
            yield events.checkpoint(step=step, path=f"outputs/{run.run_id}/checkpoint-{step}", at=at)
        if step % 400 == 0:
            for language, reference, caption in SAMPLES:
                yield events.sample(
                    language=language, reference_caption=reference, generated_caption=caption, global_step=step, at=at
                )
        if step == 431:
            yield events.alert(
                level="warning", kind="rows", message="3 rows of 12,480 have no image and were left out.", fix="", at=at
            )


def _write_samples(run: RunDirectory, began: datetime, steps: int) -> None:
    """Captions of some rows every 400 steps, and what is to be seen there: a sun over hills, each time elsewhere."""
    samples = [sample for step in range(400, steps + 1, 400) for sample in _samples(step, began)]
    if not samples:
        return
    (run.path / "pictures").mkdir()
    for row in range(len(SAMPLES)):
        _photograph(row).save(run.path / "pictures" / f"{row}.jpg", "PNG")
    with JsonlLogger(run.samples) as log:
        for sample in samples:
            log.write(sample)


def _samples(step: int, began: datetime) -> Iterator[Record]:
    for row, (language, reference, caption) in enumerate(SAMPLES):
        is_broken = language == "id" and step > 400
        yield events.sample(
            language=language,
            reference_caption=reference,
            generated_caption="" if is_broken else EARLIER[row] if step == 400 else caption,
            global_step=step,
            at=began + timedelta(seconds=70 + 5 * step),
            row=row,
            place=f"tharindu/MUNIChus {language} test {row}",
            failure="the picture is damaged: truncated" if is_broken else None,
            picture=f"pictures/{row}.jpg",
        )


def _photograph(row: int) -> Image.Image:
    """Of few colours and straight edges: the same in cells whatever version of Pillow makes it smaller."""
    image = Image.new("RGB", (480, 270), ["#7fb2e5", "#f0c27b", "#39425c"][row % 3])
    draw = ImageDraw.Draw(image)
    draw.rectangle((60 + 60 * row, 30, 120 + 60 * row, 90), fill="#fff3c4")
    draw.rectangle((0, 150, 480, 270), fill="#4f7a3a")
    draw.rectangle((30 * row, 120, 30 * row + 210, 180), fill="#2f5a2a")
    draw.rectangle((0, 240, 480, 270), fill="#8a6f4d")
    return image


def _loss(step: int, rate: float) -> float:
    return 1.1 + 2.3 * math.exp(-step * rate * 1e4 / 260)


def _log(step: int, at: datetime, luck: random.Random, rate: float, seed: int) -> Record:
    pace = 5.0 + luck.gauss(0, 0.15)
    decay = 0.5 * (1 + math.cos(math.pi * step / STEPS))
    return events.log(
        global_step=step,
        epoch=round(step * 3 / STEPS, 4),
        elapsed_sec=5.0 * step,
        loss=round(_loss(step, rate) * (1 + luck.gauss(0, 0.05)), 4),
        learning_rate=rate * min(1.0, step / 36) * decay,
        grad_norm=round(0.25 + 1.2 * math.exp(-step / 90) + abs(luck.gauss(0, 0.06)), 4),
        step_time_sec=round(pace, 3),
        samples_per_sec=round(16 / pace, 3),
        tokens_per_sec=round(16 * 1480 / pace, 1),
        supervised_tokens=luck.randrange(380, 460),
        peak_vram_gib=61.4 + seed,
        data_sec=round(0.22 + abs(luck.gauss(0, 0.05)), 3),
        compute_sec=round(pace - 0.3, 3),
        forward_sec=round(0.29 * pace, 3),
        backward_sec=round(0.6 * pace, 3),
        optimizer_sec=round(0.04 * pace, 3),
        model_tflops_per_sec=round(1650 / pace, 1),
        mfu=round(1650 / pace / 790, 4),
        at=at,
    )


def _hardware(at: datetime, second: int, seed: int) -> Record:
    wave = math.sin(second / 300 + seed)
    gpu = {
        "index": 0,
        "uuid": "GPU-5f3c8a52",
        "name": "NVIDIA H100 80GB HBM3",
        "utilization_percent": round(94 + 4 * wave),
        "memory_used_gib": round(63.2 + seed + 0.4 * wave, 2),
        "memory_total_gib": 79.6,
        "temperature_c": round(64 + 5 * wave),
        "power_w": round(610 + 60 * wave),
        "power_limit_w": 700,
        "sm_clock_mhz": 1755,
    }
    return {
        "ts": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "cpu_percent": round(38 + 6 * wave, 1),
        "host_memory_available_gib": 402.5,
        "host_memory_total_gib": 503.6,
        "logs_disk_free_gib": 812.0,
        "gpus": [gpu],
    }


def write_console(run: RunDirectory, began: datetime, steps: int, seed: int) -> None:
    """What its trainer would have printed."""
    luck = random.Random(seed)
    lines = [
        "Loading checkpoint shards: 100%|██████████| 4/4 [00:31<00:00,  7.80s/it]",
        "trainable params: 83,886,080 || all params: 8,632,000,000 || trainable%: 0.9718",
    ]
    for step in range(1, steps + 1):
        at = f"{began + timedelta(seconds=70 + 5 * step):%Y-%m-%d %H:%M:%S}"
        lines.append(f"{at} INFO batch of {luck.randrange(11_000, 24_000):,} tokens, {luck.randrange(40, 90)} tiles")
        if step % 97 == 0:
            lines.append("trainer.py:511: UserWarning: 1 caption was cut at 1,024 tokens.")
        if step == 87:
            lines += _TRACEBACK
    run.console_log.write_text("\n".join(lines) + "\n", encoding="utf-8")


_TRACEBACK: Sequence[str] = (
    "Traceback (most recent call last):",
    '  File "inft/pipeline.py", line 120, in train',
    "    trainer.train(resume_from_checkpoint=start)",
    '  File "transformers/trainer.py", line 2531, in _inner_training_loop',
    "    tr_loss_step = self.training_step(model, inputs, num_items_in_batch)",
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.25 GiB. GPU 0 has a total capacity of 79.6 GiB.",
)
