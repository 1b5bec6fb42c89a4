"""`inft-tui`: which command runs, and nothing else. Everything a command needs is imported when it is called."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from inft import __version__
from inft.errors import ConfigError, ExitCode
from inft_tui.edge import exit_code_of
from inft_tui.terminal import err, out, tolerate_any_text

app = typer.Typer(
    name="inft-tui",
    help="QLoRA fine-tuning of Llama 3.2 Vision and Aya Vision on multilingual news-image captions.",
    # Rich help and tracebacks would cost 100 ms at every start, and a traceback is not for a person's screen.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

FORWARDED = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
"""The program behind the command has its own options and its own help."""


def main() -> None:
    """The script `inft-tui`."""
    tolerate_any_text()
    app(prog_name="inft-tui")


@app.callback(invoke_without_command=True)
def top(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    headless: Annotated[bool, typer.Option("--headless", help="Start a run and follow it here.")] = False,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="What to run: a profile's name, or a .toml file.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Go before the profile, as in sft.lr=1e-4; repeatable."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it and say what would run; make nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run's events, or the plan, as JSON.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Start the run, print its id and leave it to itself.")
    ] = False,
) -> None:
    """What `inft-tui` does by itself; the commands below do the rest."""
    if context.invoked_subcommand is not None:
        if version or headless or profile or overrides or dry_run or as_json or detach:
            raise typer.Exit(exit_code_of(_refuse_mixture(context.invoked_subcommand), as_json=as_json))
        return
    if version:
        raise typer.Exit(exit_code_of(_say_version))
    if not (headless or dry_run):
        if profile is not None:
            raise typer.Exit(exit_code_of(_refuse_bare_profile, as_json=as_json))
        err(context.get_help())
        err("\nThere is no interactive console yet: use --headless with --profile, or a command.")
        raise typer.Exit(ExitCode.USAGE)
    chosen = list(overrides or ())
    raise typer.Exit(exit_code_of(lambda: _start(profile, chosen, dry_run, as_json, detach), as_json=as_json))


@app.command()
def profiles(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show every value of this one, and where it came from.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """List the profiles, or every value of one."""
    from inft_tui.commands import profiles as command

    def work() -> int:
        return command.run_list(as_json=as_json) if name is None else command.run_show(name, as_json=as_json)

    raise typer.Exit(exit_code_of(work, as_json=as_json))


@app.command(context_settings=FORWARDED)
def preview(context: typer.Context) -> None:
    """Show the tokens of one row by their part."""
    from inft_tui.commands import training_modules as command

    raise typer.Exit(exit_code_of(lambda: command.become(command.PREVIEW, context.args)))


@app.command(context_settings=FORWARDED)
def modules(context: typer.Context) -> None:
    """List the linear layers of a model."""
    from inft_tui.commands import training_modules as command

    raise typer.Exit(exit_code_of(lambda: command.become(command.MODULES, context.args)))


def _say_version() -> int:
    out(f"inft-tui {__version__}")
    return ExitCode.FINISHED


def _start(profile: str | None, overrides: list[str], dry_run: bool, as_json: bool, detach: bool) -> int:
    """A run, or only its plan."""
    if profile is None:
        from inft.profiles import list_profiles

        names = ", ".join(summary.name for summary in list_profiles()) or "none"
        raise ConfigError(f"--profile is missing. There are: {names}.", "Name one, as in --profile demo_llama.")
    if dry_run:
        from inft_tui.commands import dry_run as plan_command

        return plan_command.run(profile, overrides, as_json=as_json)
    from inft_tui.commands import headless, training_modules

    training_modules.require_training_libraries()
    return headless.run(headless.Request(profile, overrides, sys.argv, as_json=as_json, detach=detach))


def _refuse_bare_profile() -> int:
    raise ConfigError(
        "--profile alone starts nothing.", "Add --headless to start the run, or --dry-run to see what would run."
    )


def _refuse_mixture(command: str) -> Callable[[], int]:
    """Options that start a run say nothing to a command, and dropping them silently would mislead."""

    def refuse() -> int:
        raise ConfigError(
            f"Options before `{command}` belong to starting a run.", f"Put what is meant for it after `{command}`."
        )

    return refuse
