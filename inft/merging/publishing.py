"""Which merged models go to the hub, and what is said where one does not."""

from __future__ import annotations

import shlex
from pathlib import Path

from inft.errors import ConfigError, DivergedError, HubError, NotReadyError
from inft.merging.options import Options
from inft.merging.push import push
from inft.merging.record import RECORD, read_record
from inft.runs.visible import visible


def may_be_pushed(folder: Path, options: Options) -> None:
    """Refuses a merged model that nobody should take for as good as its adapters.

    Raises:
        DivergedError: it is worse than they are.
        NotReadyError: nobody has compared the two, and `--no-check` does not say that this is meant.
    """
    record = read_record(folder)
    comparison = record["comparison"]
    if comparison is None and not options.no_check:
        raise NotReadyError(
            f"The merged model in {folder} was not compared with its adapters ({record['not_compared']}), so it is not "
            "pushed.",
            f"To push it as it is: `{_command(folder, options)} --no-check`.",
        )
    if comparison is not None and comparison["worse"]:
        raise DivergedError(
            f"The merged model in {folder} is worse than its adapters, so it is not pushed.",
            f"{RECORD} there has the figures. Use the adapters on the base as they were trained.",
        )


def publish(folder: Path, options: Options) -> str:
    """Puts a merged model on the hub.

    Returns:
        Its address.

    Raises:
        HubError: it did not go, and how to go on.
    """
    assert options.repo_id is not None
    try:
        return push(folder, options.repo_id, private=options.private)
    except HubError as error:
        raise HubError(
            f"{error.message} The merged model is whole, in {folder}.",
            f"{error.fix} Then push that: `{_command(folder, options)}{' --no-check' if options.no_check else ''}`.",
        ) from error


def check_only_pushed(folder: Path, options: Options) -> None:
    """Refuses options that are about merging, for a folder that was merged before.

    Raises:
        ConfigError: one of them is there, or --push is not.
    """
    others = {
        "--output": options.output,
        "--check-rows": options.check_rows_stated,
        "--profile": options.profile,
        "--set": options.overrides or None,
    }
    stated = [name for name, value in others.items() if value is not None]
    if options.repo_id is None or stated:
        said = f", and {stated[0]} is about merging" if stated else ""
        raise ConfigError(
            f"{folder} is a merged model already{said}.", "To put it on the hub, as it is: --push OWNER/NAME."
        )


def _command(folder: Path, options: Options) -> str:
    public = "" if options.private else " --public"
    return visible(f"inft-tui merge {shlex.quote(str(folder))} --push {options.repo_id}{public}")
