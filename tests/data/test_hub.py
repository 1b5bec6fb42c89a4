"""The hub source against a local stand-in of the hub, in fresh processes with an empty cache."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inft.errors import ExitCode
from tests.data.corpora import record
from tests.stand_in_hub import Hub, answer_of, nobody_listens, run_against, serving

DATASET = "tharindu/MUNIChus"

OPEN = """
import json, sys
from pathlib import Path
from inft.data.munichus import load_rows
from inft.errors import InftError
from inft.params import MUNIChusLoadConfig

asked = json.loads(sys.argv[1])
split = asked.pop("split")
opened = []
try:
    rows = load_rows(
        MUNIChusLoadConfig(**{**asked, "languages": tuple(asked["languages"])}),
        root=Path.cwd(), split=split, on_open=lambda *call: opened.append(call),
    )
    row = rows[1]
    answer = {"rows": len(rows), "language": row.language, "caption": row.caption, "place": row.place, "opened": opened}
    answer["image"] = len(row.image.source)
except InftError as error:
    answer = {"exit_code": int(error.exit_code), "message": error.message, "fix": error.fix}
print("ANSWER" + json.dumps(answer))
"""


def parquet_bytes(language: str) -> bytes:
    buffer = io.BytesIO()
    rows = [record(n, caption=f"{language} caption {n}") for n in range(4)]
    features = {"info": {"features": {"image": {"_type": "Image"}}}}
    table = pa.Table.from_pylist(rows)
    kinds = {name: {"dtype": "string", "_type": "Value"} for name in ("title", "content", "caption")}
    features["info"]["features"] |= kinds
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(features)}), buffer)
    return buffer.getvalue()


FILES = {
    f"{language}/{split}-00000-of-00001.parquet": language for language in ("en", "si") for split in ("train", "test")
}
README = (
    "---\nconfigs:\n"
    + "".join(
        f"- config_name: {language}\n  data_files:\n"
        + "".join(f"  - split: {split}\n    path: {language}/{split}-*\n" for split in ("train", "test"))
        for language in ("en", "si")
    )
    + "---\n"
)


@pytest.fixture
def hub() -> Iterator[tuple[str, type[Hub]]]:
    contents = {"README.md": README.encode()} | {name: parquet_bytes(language) for name, language in FILES.items()}
    with serving("dataset", DATASET, contents) as served:
        yield served


def ask(endpoint: str, home: Path, environment: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    """What a fresh process gets from the hub at `endpoint`."""
    asked = {"dataset_id": DATASET, "languages": ["en", "si"], "split": "train"} | changes
    return answer_of(run_against(endpoint, home, "-c", OPEN, json.dumps(asked), environment=environment))


def test_a_subset_per_language_is_fetched_and_then_found_in_the_cache(
    hub: tuple[str, type[Hub]], tmp_path: Path
) -> None:
    endpoint, _ = hub
    expected = {
        "rows": 8,
        "language": "en",
        "caption": "en caption 1",
        "place": "tharindu/MUNIChus en train row 1",
        "opened": [["en", 0, 2], ["si", 1, 2], ["si", 2, 2]],
        "image": len(record(1)["image"]["bytes"]),
    }
    assert ask(endpoint, tmp_path) == expected
    assert ask(endpoint, tmp_path, {"HF_HUB_OFFLINE": "1"}) == expected


KEYS = """
import json
from dataclasses import replace
from pathlib import Path
from inft.data.munichus import load_rows
from inft.forecast.identity import lengths_key
from inft.profiles import resolve

config = resolve("demo_aya", ["data.source=hub", "data.languages=en,si"]).config
fewer = replace(config, data=replace(config.data, languages=("en",)))
keys = [lengths_key(config, Path.cwd(), "train")]
load_rows(fewer.data, root=Path.cwd(), split="train")
keys += [lengths_key(some, Path.cwd(), "train") for some in (config, fewer)]
load_rows(config.data, root=Path.cwd(), split="train")
keys += [lengths_key(config, Path.cwd(), "train")]
print("ANSWER" + json.dumps({"keys": keys}))
"""


def test_a_dataset_is_known_by_its_commit_once_all_of_it_is_prepared(
    hub: tuple[str, type[Hub]], tmp_path: Path
) -> None:
    before, part, fewer, whole = answer_of(run_against(hub[0], tmp_path, "-c", KEYS))["keys"]
    assert before is part is None
    assert None not in (fewer, whole)
    assert fewer != whole


def test_an_unknown_subset_names_those_there_are(hub: tuple[str, type[Hub]], tmp_path: Path) -> None:
    answer = ask(hub[0], tmp_path, languages=["xx"])
    assert answer["exit_code"] == ExitCode.HUB
    assert "no subset 'xx'; it has en, si." in answer["message"]
    assert "data.languages" in answer["fix"]


def test_an_unknown_split_names_those_there_are(hub: tuple[str, type[Hub]], tmp_path: Path) -> None:
    answer = ask(hub[0], tmp_path, languages=["en"], split="dev")
    assert answer["exit_code"] == ExitCode.DATA
    assert "no split 'dev'; it has train, test." in answer["message"]


@pytest.mark.parametrize("token", [None, "hf_abcdefghijklmnopqrstuvwxyz"])
@pytest.mark.parametrize("status", [401, 403])
def test_a_gated_dataset_says_how_to_get_access(
    hub: tuple[str, type[Hub]], status: int, token: str | None, tmp_path: Path
) -> None:
    endpoint, handler = hub
    handler.refusal = (status, {"X-Error-Code": "GatedRepo"})
    answer = ask(endpoint, tmp_path, {"HF_TOKEN": token} if token else None)
    assert answer["exit_code"] == ExitCode.HUB
    assert "tharindu/MUNIChus is gated" in answer["message"]
    for remedy in ("Accept the conditions", "datasets/tharindu/MUNIChus", "hf auth login", "HF_TOKEN"):
        assert remedy in answer["fix"]
    assert bool(handler.tokens) == bool(token)
    assert token is None or token not in json.dumps(answer)


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (404, {"X-Error-Code": "RepoNotFound"}, "The hub knows no dataset tharindu/MUNIChus"),
        (401, {}, "status 401"),
        (401, {"X-Error-Message": "Invalid credentials in Authorization header"}, "status 401"),
        (403, {}, "status 403"),
    ],
)
def test_refusals_are_told_apart(
    hub: tuple[str, type[Hub]], status: int, headers: dict[str, str], expected: str, tmp_path: Path
) -> None:
    endpoint, handler = hub
    handler.refusal = (status, headers)
    answer = ask(endpoint, tmp_path)
    assert answer["exit_code"] == ExitCode.HUB
    assert expected in answer["message"]
    assert "hf auth login" in answer["fix"]


AT_ONCE = "import time; time.sleep = lambda seconds: None\n"
"""The hub's client tries six times, and waits for 23 s in between."""


def test_a_refused_connection_is_no_network(tmp_path: Path) -> None:
    asked = json.dumps({"dataset_id": DATASET, "languages": ["en"], "split": "train"})
    with nobody_listens() as endpoint:
        answer = answer_of(run_against(endpoint, tmp_path, "-c", AT_ONCE + OPEN, asked))
    assert answer["exit_code"] == ExitCode.HUB
    assert "cannot be reached" in answer["message"]
    assert "HF_ENDPOINT" in answer["fix"]


def test_offline_without_a_cache_says_so(hub: tuple[str, type[Hub]], tmp_path: Path) -> None:
    answer = ask(hub[0], tmp_path, {"HF_HUB_OFFLINE": "1"})
    assert answer["exit_code"] == ExitCode.HUB
    assert "not in the cache" in answer["message"]


def test_a_name_that_no_dataset_can_have_is_refused(tmp_path: Path) -> None:
    answer = ask("http://127.0.0.1:9", tmp_path, dataset_id="no such/name/at all")
    assert answer["exit_code"] == ExitCode.USAGE
    assert "data.dataset_id" in answer["message"]
