"""How long the rows of a profile are: measures them and prints them as JSON; `inft-tui data` starts this.

Only the processor is loaded, and libraries that take seconds to import only once the command line is known to be good.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from inft.edge import Parser, end_with_parent, exit_code_of, quieten_libraries
from inft.errors import InftError
from inft.loading import quick_loading
from inft.profiles import resolve
from inft.project import project_root
from inft.runs.redact import redact
from inft.runs.visible import visible

if TYPE_CHECKING:
    from inft.config import Config
    from inft.forecast.statistics import Statistics

REDRAW_S = 0.25


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; whatever goes wrong is a sentence on stderr and an exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    quieten_libraries()

    end_with_parent()

    def work() -> None:
        options = _parser().parse_args(arguments)
        config = resolve(options.profile, options.set).config
        progress = Progress()
        try:
            statistics = measure(config, options.split or config.data.split, progress)
        finally:
            progress.end()
        sys.stdout.buffer.write(msgspec.json.encode(statistics) + b"\n")

    return exit_code_of(work, as_json="--json" in arguments)


def measure(config: Config, split: str, progress: Progress) -> Statistics:
    """The lengths of a split's rows, which are in the cache from then on if it can be written.

    Raises:
        InftError: the rows or the processor cannot be had, or no row can be used.
    """
    progress.say("loading libraries")
    with quick_loading():
        from inft.data.cached_lengths import find_lengths
        from inft.data.encoding import EncodingLimits
        from inft.data.munichus import load_rows
        from inft.forecast.identity import lengths_key
        from inft.models.checkpoint import load_processor, locate_processor
        from inft.models.registry import FAMILIES

    root, family = project_root(), FAMILIES[config.family]
    key_before = lengths_key(config, root, split)
    rows = load_rows(
        config.data,
        root=root,
        split=split,
        on_open=lambda language, done, total: progress.say(f"opening {language}, {done} of {total} done"),
        on_scan=lambda done, total: progress.say(f"reading {done:,} of {total:,} rows"),
    )
    progress.say("loading the processor")
    folder = locate_processor(config, family, root, lambda done, total: progress.say(f"{done:,} bytes fetched"))
    collator = family.collator(
        load_processor(folder, family), rows, config.data.language_names, EncodingLimits.of(config)
    )
    return find_lengths(
        config,
        root,
        split,
        rows,
        collator,
        key_before=key_before,
        on_progress=lambda done, total: progress.say(f"measuring {done:,} of {total:,} rows"),
        on_problem=progress.note,
    ).statistics


class Progress:
    """What is under way, on stderr: one line drawn over and over, and nothing where that is no terminal.

    It is drawn by nobody but its caller: workers are forked meanwhile, and a thread of ours could hold a lock then.
    """

    def __init__(self) -> None:
        self._draws = sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
        self._drawn_at = float("-inf")
        self._width = 0

    def say(self, words: str) -> None:
        """Shows `words` in place of what was shown, at most four times a second."""
        now = time.monotonic()
        if self._draws and now - self._drawn_at >= REDRAW_S:
            self._draw(visible(words))
            self._drawn_at = now

    def note(self, problem: InftError) -> None:
        """Leaves a line that stays."""
        self.end()
        sys.stderr.write(visible(redact(f"{problem.message} The lengths will be measured again next time.")) + "\n")

    def end(self) -> None:
        """Takes the line away."""
        if self._width:
            self._draw("")
            self._width = 0

    def _draw(self, words: str) -> None:
        sys.stderr.write("\r" + words.ljust(self._width) + ("" if words else "\r"))
        sys.stderr.flush()
        self._width = len(words)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m inft.measure", description="Measure a profile's rows.", allow_abbrev=False)
    parser.add_argument("--profile", metavar="NAME", required=True, help="a profile's name, or a .toml file")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="goes before the profile")
    parser.add_argument("--split", metavar="NAME", help="default: the split that is trained on")
    parser.add_argument("--json", action="store_true", help="print errors as JSON, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
