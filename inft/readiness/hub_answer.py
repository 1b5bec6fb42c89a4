"""What the hub says about one repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal[
    "open",
    "gated",
    "refused",
    "bad_token",
    "malformed_token",
    "unknown",
    "no_revision",
    "status",
    "no_hub",
    "bad_address",
    "timeout",
    "unreachable",
    "offline",
]
"""open: it can be fetched; gated: conditions were not accepted, or there is no token; refused: any other 401 or 403;
bad_token: the hub does not know the token; malformed_token: what this machine has cannot be one; unknown: there is no
such thing, or this token may not see it; status: the hub answers something else; no_hub: what answers is none;
bad_address: HF_ENDPOINT can be nobody's; offline: this machine's libraries were told to ask nobody."""


@dataclass(frozen=True)
class Answer:
    """What the hub says about one repository.

    Attributes:
        state: whether it can be fetched.
        has_token: whether this machine has a token that was sent along.
        status: of the answer, where the state alone does not say it.
        need_bytes: what still has to be fetched; None = not known.
        variable: of the environment, where one keeps something from the hub: a question that was not asked, or a token
            that was not sent along.
        token_source: where a malformed token is from: a variable of the environment or a file.
    """

    state: State
    has_token: bool
    status: int | None = None
    need_bytes: int | None = None
    token_source: str = ""
    variable: str = ""
