"""The commands about what a run has made, and their options; what one needs is imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inft_tui.edge import exit_code_of
from inft_tui.options import Overrides


def score(
    predictions: Annotated[
        Path | None, typer.Option("--predictions", metavar="FILE", help="Score these captions.", show_default=False)
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="Make the captions first: of a run, a folder of adapters or of a model, or a hub id.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="FILE", help="Compare with these captions of the same rows."),
    ] = None,
    mode: Annotated[
        str, typer.Option("--mode", metavar="NAME", help="How words are told apart: standard or paper.")
    ] = "standard",
    languages: Annotated[
        str | None, typer.Option("--languages", metavar="A,B", help="Only these.", show_default=False)
    ] = None,
    resamples: Annotated[
        int, typer.Option("--resamples", metavar="N", help="Corpora drawn for intervals and p; 0 = neither.")
    ] = 1000,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of what is drawn.")] = 42,
    split: Annotated[str | None, typer.Option("--split", metavar="NAME", help="Of the corpus; default: test.")] = None,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Instead of a split: the rows that the model's run evaluates on.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Where the captions go; goes on with it if it is begun."),
    ] = None,
    max_rows_per_lang: Annotated[
        int | None, typer.Option("--max-rows-per-lang", metavar="N", help="Default: as configured.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="Goes before the configuration of the model's run.")
    ] = None,
    overrides: Overrides = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", metavar="N", help="Default: by the memory there is.")
    ] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="Draw tokens as the guide's reference does; default: the likeliest.")
    ] = False,
    in_4bit: Annotated[bool, typer.Option("--in-4bit", help="Load the base in 4 bit.")] = False,
    in_16bit: Annotated[bool, typer.Option("--in-16bit", help="Load it in 16 bit; default: as trained.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Begin the file of captions anew.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say how good captions are: BLEU-4, chrF and CIDEr per language.

    The options from --split to --force say how --model makes its captions.
    """

    def work() -> int:
        from inft_tui.commands import captioning
        from inft_tui.commands import score as command

        given: dict[str, object] = {
            "--split": split,
            "--held-out": held_out,
            "--max-rows-per-lang": max_rows_per_lang,
            "--profile": profile,
            "--set": overrides,
            "--batch-size": batch_size,
            "--in-4bit": in_4bit,
            "--in-16bit": in_16bit,
            "--force": force,
        }
        asked = captioning.asked_for(model, output, given, samples=sample, seed=seed)
        return command.run(
            command.Request(predictions, asked, against, mode, languages, resamples, seed, as_json=as_json)
        )

    raise typer.Exit(exit_code_of(work, as_json=as_json))
