"""`python -m inft.captioning`: the captions of a split by a model; `inft-tui score --model` starts this.

Libraries that take seconds to import are only imported once the command line is known to be good. Nothing is written
to stdout.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from inft.captioning.progress import Progress
from inft.edge import Parser, end_with_parent, exit_code_of, quieten_libraries
from inft.loading import quick_loading


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; whatever goes wrong is a sentence on stderr and an exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    quieten_libraries()
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # on a CPU it recommends a package
    end_with_parent()

    def work() -> None:
        options = _parser().parse_args(arguments)
        progress = Progress()
        progress.say("loading libraries")
        try:
            with quick_loading():
                from inft.captioning.program import Request, caption_split

            caption_split(
                Request(
                    model=options.model,
                    output=options.output.expanduser(),
                    split=None if options.held_out else options.split,
                    languages=None if options.languages is None else _names(options.languages),
                    max_rows_per_lang=options.max_rows_per_lang,
                    profile=options.profile,
                    overrides=tuple(options.set),
                    bits="4" if options.in_4bit else "16" if options.in_16bit else None,
                    sample_seed=options.seed if options.sample else None,
                    batch_size=options.batch_size,
                    force=options.force,
                ),
                progress,
            )
        finally:
            progress.end()

    # SIGTERM comes from whoever asks for an end, and from the kernel where the program that started this one is gone.
    return exit_code_of(work, as_json=False, ends=(signal.SIGINT, signal.SIGTERM))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m inft.captioning", description="Caption a split.", allow_abbrev=False)
    parser.add_argument(
        "--model", metavar="MODEL", required=True, help="a run, a folder of adapters or of a model, or a hub id"
    )
    parser.add_argument("--output", metavar="FILE", required=True, type=Path, help="goes on with it if it is begun")
    rows = parser.add_mutually_exclusive_group()
    rows.add_argument("--split", metavar="NAME", default="test", help="default: test")
    rows.add_argument("--held-out", action="store_true", help="the rows that the model's run evaluates on")
    parser.add_argument("--languages", metavar="A,B", help="default: those of the configuration")
    parser.add_argument("--max-rows-per-lang", metavar="N", type=_count, help="default: as configured")
    parser.add_argument("--profile", metavar="NAME", help="goes before the configuration of the model's run")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="goes before both; repeatable")
    parser.add_argument("--batch-size", metavar="N", type=_count, help="default: by the memory there is")
    parser.add_argument("--sample", action="store_true", help="draw tokens by basic.gen_temperature and gen_top_p")
    parser.add_argument("--seed", metavar="N", type=int, default=42, help="of --sample (default: 42)")
    bits = parser.add_mutually_exclusive_group()
    bits.add_argument("--in-4bit", action="store_true", help="load the base in 4 bit")
    bits.add_argument("--in-16bit", action="store_true", help="load it in 16 bit (default: as it was trained)")
    parser.add_argument("--force", action="store_true", help="begin the file anew")
    return parser


if __name__ == "__main__":
    sys.exit(main())
