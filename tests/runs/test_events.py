from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from inft.runs import events
from inft.runs.clock import timestamp

AT = datetime(2025, 3, 1, 12, 30, 5, 999_999, tzinfo=UTC)
HEAD = {"ts": "2025-03-01T12:30:05.999Z"}


def test_the_moment_is_utc_whatever_zone_it_came_in() -> None:
    assert timestamp(AT.astimezone(timezone(timedelta(hours=5, minutes=30)))) == "2025-03-01T12:30:05.999Z"


def test_stage() -> None:
    assert events.stage(name="weights", done=1, total=None, unit="shards", at=AT) == {
        **HEAD,
        "event": "stage",
        "name": "weights",
        "done": 1,
        "total": None,
        "unit": "shards",
    }


def test_log_has_every_key_of_the_contract_and_takes_more() -> None:
    event = events.log(global_step=3, loss=1.5, mean_token_accuracy=0.25, at=AT)
    assert list(event) == [
        "ts",
        "event",
        "global_step",
        "epoch",
        "elapsed_sec",
        "loss",
        "learning_rate",
        "grad_norm",
        "step_time_sec",
        "samples_per_sec",
        "tokens_per_sec",
        "supervised_tokens",
        "peak_vram_gib",
        "data_sec",
        "compute_sec",
        "forward_sec",
        "backward_sec",
        "optimizer_sec",
        "model_tflops_per_sec",
        "mfu",
        "mean_token_accuracy",
    ]
    assert (event["loss"], event["epoch"], event["mean_token_accuracy"]) == (1.5, None, 0.25)


def test_the_others_carry_their_name_and_the_present_moment() -> None:
    before = timestamp(datetime.now(UTC))
    built = [
        events.train_begin(max_steps=1, num_train_epochs=1, trainable_parameters=1, total_parameters=2, rows=3),
        events.eval(global_step=1, eval_loss=0.5, eval_runtime=2.0),
        events.checkpoint(step=1, path="x"),
        events.sample(language="si", reference_caption="a", generated_caption="b", row=4),
        events.alert(level="info", kind="x", message="y", fix=""),
        events.train_end(state="finished", global_step=1, best_model_dir="z"),
    ]
    assert [event["event"] for event in built] == [
        "train_begin",
        "eval",
        "checkpoint",
        "sample",
        "alert",
        "train_end",
    ]
    assert all(before <= str(event["ts"]) for event in built)
    assert built[2]["global_step"] == 1
    assert built[3]["row"] == 4
