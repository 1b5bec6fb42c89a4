"""Tables of a Markdown page that benchmarks write, each between `<!-- NAME -->` and `<!-- /NAME -->`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def put_table(path: Path, name: str, lines: Sequence[str]) -> None:
    """Puts a table in the place of the one of that name.

    Args:
        path: of the page.
        name: of the table.
        lines: of the table, its header included.

    Raises:
        ValueError: the page has no place for it.
    """
    text = path.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, begun, rest = text.partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        raise ValueError(f"{path} has no place for a table between {begin.strip()} and {end}")
    path.write_text(before + begin + "\n".join(lines) + "\n" + end + after, encoding="utf-8")
