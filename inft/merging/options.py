"""The command line of `inft-tui merge`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inft.edge import Parser
from inft.errors import ConfigError

CHECK_ROWS = 64


@dataclass(frozen=True)
class Options:
    """What a person asks for.

    Attributes:
        name: a run, a folder of adapters, or one that was merged before and is only pushed.
        output: where the merged model goes; None = beside the adapters.
        check_rows_stated: rows that it is compared on, if a person says so.
        no_check: whether it need not be compared.
        repo_id: where on the hub it is pushed; None = nowhere.
        private: whether that repository is, if it has to be made.
        profile: of adapters of no known run.
        overrides: before that profile.
        logs_dir: where runs are looked up.
        as_json: whether the result is printed as JSON.
    """

    name: str
    output: Path | None
    check_rows_stated: int | None
    no_check: bool
    repo_id: str | None
    private: bool
    profile: str | None
    overrides: tuple[str, ...]
    logs_dir: Path | None
    as_json: bool

    @property
    def check_rows(self) -> int:
        """Rows that the merged model is compared on; 0 = it is not."""
        if self.no_check:
            return 0
        return CHECK_ROWS if self.check_rows_stated is None else self.check_rows_stated


def read_options(arguments: Sequence[str]) -> Options:
    """The options that `arguments` state.

    Raises:
        ConfigError: they cannot be understood.
    """
    stated = _parser().parse_args(arguments)
    if stated.check_rows is not None and stated.check_rows < 1:
        raise ConfigError(f"--check-rows {stated.check_rows} is no number of rows.", "To leave it out: --no-check.")
    if stated.visibility is not None and stated.push is None:
        raise ConfigError(f"--{stated.visibility} says how to push, and --push is missing.", "Add --push OWNER/NAME.")
    return Options(
        name=stated.name,
        output=stated.output,
        check_rows_stated=stated.check_rows,
        no_check=stated.no_check,
        repo_id=stated.push,
        private=stated.visibility != "public",
        profile=stated.profile,
        overrides=tuple(stated.set),
        logs_dir=stated.logs,
        as_json=stated.json,
    )


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="inft-tui merge",
        description="Merge a run's adapters into its base: a plain bf16 model with its processor.",
        epilog="It is compared with the adapters on the 4-bit base before it gets its name; where it is worse than "
        "docs/merging.md allows, this ends with exit code 5 and pushes nothing. The folder of a merged model can be "
        "pushed later: inft-tui merge DIR --push OWNER/NAME.",
        allow_abbrev=False,
    )
    parser.add_argument("name", metavar="RUN|DIR", help="a run, as every command takes it, or a folder of adapters")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="a folder that is not there yet (default: beside the run's adapters)"
    )
    parser.add_argument("--push", metavar="OWNER/NAME", help="put it on the hub, too")
    visibility = parser.add_mutually_exclusive_group()
    visibility.add_argument(
        "--private", dest="visibility", action="store_const", const="private", help="for you only (the default)"
    )
    visibility.add_argument("--public", dest="visibility", action="store_const", const="public", help="for everybody")
    check = parser.add_mutually_exclusive_group()
    check.add_argument(
        "--check-rows",
        type=int,
        metavar="N",
        help=f"compare the losses on so many rows, all languages alike (default: {CHECK_ROWS})",
    )
    check.add_argument("--no-check", action="store_true", help="do not compare, or push what was not compared")
    parser.add_argument("--profile", metavar="P", help="of adapters that no run known here has trained")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="goes before that profile")
    parser.add_argument("--logs", type=Path, metavar="DIR", help="where the runs are, if a profile set basic.logs_dir")
    parser.add_argument("--json", action="store_true", help="print the result as one line of JSON")
    return parser
