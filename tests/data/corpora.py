"""Tiny corpora for the tests, written with the libraries that people write theirs with."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from inft.params import MUNIChusLoadConfig


def picture(color: tuple[int, int, int] = (200, 30, 40), size: tuple[int, int] = (8, 6), kind: str = "PNG") -> bytes:
    """An encoded picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, kind)
    return buffer.getvalue()


def record(number: int, **changes: Any) -> dict[str, Any]:
    """A good row whose picture stands in the row."""
    return {
        "image": {"bytes": picture((number % 256, 0, 0)), "path": None},
        "title": f"Title {number}",
        "content": f"Article {number}",
        "caption": f"Caption {number}",
    } | changes


def write_jsonl(path: Path, records: Sequence[Mapping[str, Any] | str]) -> None:
    """Records as JSON, text as it is; pictures go to files beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, entry in enumerate(records):
        if isinstance(entry, str):
            lines.append(entry)
            continue
        image = entry.get("image")
        if isinstance(image, dict):
            file = path.parent / "images" / f"{path.stem}-{number}.png"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(image["bytes"])
            entry = {**entry, "image": f"images/{file.name}"}
        lines.append(json.dumps(entry, ensure_ascii=False))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_parquet(path: Path, records: Sequence[Mapping[str, Any]], rows_per_group: int = 3) -> None:
    """A file of several row groups."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([dict(entry) for entry in records]), path, row_group_size=rows_per_group)


def dataset(records: Sequence[Mapping[str, Any]]) -> datasets.Dataset:
    """A dataset with a real Image column."""
    plain = datasets.Dataset.from_list([dict(entry) for entry in records])
    return plain.cast_column("image", datasets.Image()) if "image" in plain.column_names else plain


def config(source: str, path: Path | None = None, **changes: Any) -> MUNIChusLoadConfig:
    """The data table of a profile."""
    return MUNIChusLoadConfig(source=source, path=str(path) if path else None, **changes)  # type: ignore[arg-type]
