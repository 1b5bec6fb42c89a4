"""The commands of `inft-tui` and their options; everything that a command needs is imported when it is called."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from inft import __version__
from inft.errors import ConfigError, ExitCode
from inft_tui.edge import exit_code_of
from inft_tui.model_commands import score
from inft_tui.options import (
    AttachName,
    Bell,
    Colours,
    Glyphs,
    LogsDir,
    NoWait,
    Overrides,
    ProfileName,
    ReadOnly,
    RunName,
    Theme,
)
from inft_tui.terminal import out

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


@app.callback(invoke_without_command=True)
def top(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    headless: Annotated[bool, typer.Option("--headless", help="Start a run and follow it here.")] = False,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="What to run: a profile's name, or a .toml file.")
    ] = None,
    overrides: Overrides = None,
    profile_step: Annotated[
        int | None,
        typer.Option("--profile-step", metavar="N", help="Write torch's profile of optimiser step N beside the log."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it and say what would run; make nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run's events, or the plan, as JSON.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Start the run, print its id and leave it to itself.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Start it also where `doctor` shows a red light.")] = False,
    readonly: ReadOnly = False,
    theme: Theme = None,
    glyphs: Glyphs = None,
    colors: Colours = None,
    bell: Bell = False,
    logs: LogsDir = None,
) -> None:
    """Without options and commands: the console."""
    looks = (theme, glyphs, colors)
    if context.invoked_subcommand is not None:
        of_a_run = version or headless or profile or overrides or dry_run or as_json or detach or force
        if of_a_run or profile_step is not None or readonly or logs or bell or any(looks):
            raise typer.Exit(exit_code_of(_refuse_mixture(context.invoked_subcommand), as_json=as_json))
        return
    if version:
        raise typer.Exit(exit_code_of(_say_version))
    if not (headless or dry_run):
        bare = "--profile" if profile is not None else None if profile_step is None else "--profile-step"
        if bare is not None:
            raise typer.Exit(exit_code_of(_refuse_bare(bare), as_json=as_json))
        raise typer.Exit(
            exit_code_of(lambda: _console(None, logs, *looks, readonly=readonly, rings=bell), as_json=as_json)
        )
    chosen = [*(overrides or ()), *(() if profile_step is None else (f"sft.profile_step={profile_step}",))]

    def work() -> int:
        named = _named(profile)
        if dry_run:
            from inft_tui.commands import dry_run as plan_command

            return plan_command.run(named, chosen, as_json=as_json)
        from inft_tui.commands import headless, training_modules

        training_modules.require_training_libraries()
        return headless.run(headless.Request(named, chosen, sys.argv, as_json=as_json, detach=detach, force=force))

    raise typer.Exit(exit_code_of(work, as_json=as_json))


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


@app.command()
def doctor(
    profile: ProfileName = None,
    overrides: Overrides = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also try out torch and bitsandbytes on the device; takes seconds.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say whether this machine can run a profile, what it will need, and what to change."""

    def work() -> int:
        from inft_tui.commands import doctor as command

        return command.run(profile, list(overrides or ()), deep=deep, as_json=as_json)

    raise typer.Exit(exit_code_of(work, as_json=as_json))


@app.command()
def data(
    profile: ProfileName = None,
    overrides: Overrides = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="Default: the split that is trained on.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show how long a profile's rows are, and how much of their articles is cut."""

    def work() -> int:
        from inft_tui.commands import data as command

        return command.run(_named(profile), list(overrides or ()), split, as_json=as_json)

    raise typer.Exit(exit_code_of(work, as_json=as_json))


@app.command()
def runs(
    state: Annotated[
        str | None, typer.Option("--state", metavar="S", help="Only runs in this state; live = all that go on.")
    ] = None,
    logs: LogsDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """List the runs, the newest last."""
    from inft_tui.commands import runs as command

    raise typer.Exit(exit_code_of(lambda: command.run(logs, state, as_json=as_json), as_json=as_json))


@app.command()
def status(
    name: RunName = "latest",
    watch: Annotated[bool, typer.Option("--watch", help="Stay until it has ended; exit with its code.")] = False,
    logs: LogsDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON; with --watch, a line per change.")] = False,
) -> None:
    """Say how a run is, and what to do about it."""
    from inft_tui.commands import status as command

    raise typer.Exit(exit_code_of(lambda: command.run(name, logs, watch=watch, as_json=as_json), as_json=as_json))


@app.command()
def attach(
    name: AttachName = "latest",
    readonly: ReadOnly = False,
    theme: Theme = None,
    glyphs: Glyphs = None,
    colors: Colours = None,
    bell: Bell = False,
    logs: LogsDir = None,
) -> None:
    """Open the console on a run."""
    raise typer.Exit(exit_code_of(lambda: _console(name, logs, theme, glyphs, colors, readonly=readonly, rings=bell)))


@app.command()
def tail(
    name: RunName = "latest",
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Stay until the run has ended.")] = False,
    count: Annotated[
        str, typer.Option("-n", "--lines", metavar="N", help="How many lines to begin with; all = every one.")
    ] = "20",
    grep: Annotated[
        str | None, typer.Option("--grep", metavar="RE", help="Only lines in which this regular expression is found.")
    ] = None,
    console: Annotated[bool, typer.Option("--console", help="What the trainer printed, instead of events.")] = False,
    logs: LogsDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the events as they are.")] = False,
) -> None:
    """Show the last lines of a run, in words."""
    from inft_tui.commands import tail as command

    request = command.Request(follow=follow, count=count, grep=grep, as_json=as_json, console=console)
    raise typer.Exit(exit_code_of(lambda: command.run(name, logs, request), as_json=as_json))


@app.command()
def save(name: RunName, no_wait: NoWait = False, logs: LogsDir = None) -> None:
    """Have a run save a checkpoint and go on."""
    from inft_tui.commands import requests as command

    raise typer.Exit(exit_code_of(lambda: command.run(name, logs, "save", wait=not no_wait)))


@app.command()
def stop(name: RunName, no_wait: NoWait = False, logs: LogsDir = None) -> None:
    """Have a run save a checkpoint and end."""
    from inft_tui.commands import requests as command

    raise typer.Exit(exit_code_of(lambda: command.run(name, logs, "stop", wait=not no_wait)))


@app.command()
def abort(name: RunName, no_wait: NoWait = False, logs: LogsDir = None) -> None:
    """End a run now, without a checkpoint."""
    from inft_tui.commands import requests as command

    raise typer.Exit(exit_code_of(lambda: command.run(name, logs, "abort", wait=not no_wait)))


@app.command()
def resume(
    name: RunName,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="What differs from then on; repeatable."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Allow what changes the loss curve, and a red light of `doctor`.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say from where it would go on; make nothing.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Start it, print its id and leave it to itself.")] = False,
    logs: LogsDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run's events, or the plan, as JSON.")] = False,
) -> None:
    """Go on with a run from its last checkpoint."""

    def work() -> int:
        from inft_tui.commands import resume as command
        from inft_tui.commands import training_modules

        if not dry_run:
            training_modules.require_training_libraries()
        request = command.Request(
            name, list(overrides or ()), sys.argv, force=force, as_json=as_json, detach=detach, dry_run=dry_run
        )
        return command.run(request, logs)

    raise typer.Exit(exit_code_of(work, as_json=as_json))


app.command()(score)


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


@app.command(context_settings=FORWARDED)
def merge(context: typer.Context) -> None:
    """Merge a run's adapters into its base, and say how much worse that is."""
    from inft_tui.commands import training_modules as command

    raise typer.Exit(exit_code_of(lambda: command.become(command.MERGE, context.args)))


def _console(
    attach: str | None,
    logs: Path | None,
    theme: str | None,
    glyphs: str | None,
    colors: str | None,
    *,
    readonly: bool,
    rings: bool,
) -> int:
    from typing import get_args

    from inft_tui import console
    from inft_tui.display import capabilities

    overrides = capabilities.Overrides(
        colours=capabilities.stated("--colors", colors, get_args(capabilities.Colours)),
        glyphs=capabilities.stated("--glyphs", glyphs, get_args(capabilities.Glyphs)),
        theme=capabilities.stated("--theme", theme, get_args(capabilities.ThemeName)),
    )
    return console.run(console.Request(attach, logs, readonly, rings, overrides))


def _say_version() -> int:
    out(f"inft-tui {__version__}")
    return ExitCode.FINISHED


def _named(profile: str | None) -> str:
    """The profile's name.

    Raises:
        ConfigError: there is none.
    """
    if profile is not None:
        return profile
    from inft.profiles import list_profiles

    names = ", ".join(summary.name for summary in list_profiles()) or "none"
    raise ConfigError(f"--profile is missing. There are: {names}.", "Name one, as in --profile demo_llama.")


def _refuse_bare(option: str) -> Callable[[], int]:
    def refuse() -> int:
        raise ConfigError(
            f"{option} alone starts nothing.", "Add --headless to start the run, or --dry-run to see what would run."
        )

    return refuse


def _refuse_mixture(command: str) -> Callable[[], int]:
    """Options that start a run say nothing to a command, and dropping them silently would mislead."""

    def refuse() -> int:
        raise ConfigError(
            f"Options before `{command}` belong to starting a run.", f"Put what is meant for it after `{command}`."
        )

    return refuse
