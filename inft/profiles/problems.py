"""How a profile's problems are said: all at once, each in a sentence with its place and its way out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inft.errors import ConfigError


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        text: what and where, a sentence.
        fix: the way out, a sentence.
        keys: dotted names of the parameters concerned.
    """

    text: str
    fix: str
    keys: tuple[str, ...] = ()


def config_error(problems: Sequence[Problem], subject: str) -> ConfigError:
    """One error for all `problems` (at least one); with several, a counting sentence and then a line for each."""
    if len(problems) == 1:
        return ConfigError(problems[0].text, problems[0].fix)
    lines = [f"{subject} cannot be used: {len(problems)} problems."]
    lines += [f"  {problem.text} {problem.fix}".rstrip() for problem in problems]
    return ConfigError(
        "\n".join(lines), "Correct these; `inft-tui profiles llama_basic` shows every key and its values."
    )
