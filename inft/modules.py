"""The linear layers of a profile's model and which of them get adapters: `python -m inft.modules --profile P`.

The guide's `list_linear_modules`; `inft-tui modules` ends up here. Of the checkpoint only `config.json` is read.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence

from inft.config import Config
from inft.edge import exit_code_of, write_json
from inft.errors import ConfigError
from inft.loading import quick_loading
from inft.profiles import list_profiles, resolve
from inft.project import project_root


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = _parser().parse_args(arguments)
    return exit_code_of(
        lambda: show(_config(options.profile, options.overrides), as_json=options.json), as_json=options.json
    )


def show(config: Config, *, as_json: bool) -> None:
    """Prints the layers and the table of what would be trained.

    Raises:
        ConfigError: no adapter can be made as configured; what layers there are is printed before.
        InftError: the checkpoint's description cannot be had.
    """
    # Only here: a mistyped profile is told of at once, the libraries take seconds.
    with _quiet():
        with quick_loading():
            from inft.models.checkpoint import architecture
            from inft.models.inventory import take_inventory
            from inft.models.registry import FAMILIES

        family, root = FAMILIES[config.family], project_root()

        inventory = take_inventory(architecture(config, family, root), config, family)
    if as_json:
        head = {
            "profile": config.profile,
            "model": _model(config),
            "family": config.family,
            "mode": config.mode,
            "targets": list(config.target_modules),
            "scope": config.lora.scope,
            "r": config.lora.r,
        }
        write_json(head | inventory.document())
    else:
        print(f"{len(inventory.modules)} linear layers of {_model(config)}: inputs x outputs, how many alike")
        print(*inventory.lines(), sep="\n")
        if inventory.table is not None:
            print(f"\nTrained with r = {config.lora.r} in scope {config.lora.scope}")
            print(inventory.table.text())
    sys.stdout.flush()
    if inventory.problem is not None:
        raise inventory.problem


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="inft-tui modules",
        description="List the linear layers of a profile's model and which of them get an adapter.",
        allow_abbrev=False,
    )
    parser.add_argument("--profile", metavar="P", help="a profile's name, or the path of a .toml file")
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="K=V",
        help="a value that goes before the profile's, such as lora.scope=language; may be given again",
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON, each layer by itself")
    return parser


def _config(profile: str | None, overrides: Sequence[str]) -> Config:
    if profile is None:
        names = ", ".join(summary.name for summary in list_profiles()) or "none"
        raise ConfigError(f"--profile is missing. There are: {names}.", "Name one, as in --profile demo_llama.")
    return resolve(profile, overrides).config


def _model(config: Config) -> str:
    """What the base is called: its hub id, its folder, or "tiny"."""
    basic = config.basic
    names = {"hub": config.model_name, "folder": str(basic.model_path), "tiny": f"tiny {config.family}"}
    return names[basic.model_source]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps what libraries print, log and warn of while they are imported and used off the terminal."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


if __name__ == "__main__":
    sys.exit(main())
