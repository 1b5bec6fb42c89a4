"""What went wrong on the hub, in a person's words."""

from __future__ import annotations

from typing import Literal

from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from inft.errors import HubError

LOG_IN = "run `hf auth login` or set HF_TOKEN"


def hub_error(error: BaseException, kind: Literal["model", "dataset"], repo_id: str) -> HubError:
    """The `HubError` for a failed request about a repository; libraries' wrapping exceptions are looked through.

    No part of the request (address, headers, token) is repeated.
    """
    page = f"its page ({'datasets/' if kind == 'dataset' else ''}{repo_id})"
    for cause in _chain(error):
        match cause:
            case GatedRepoError():
                return HubError(
                    f"The {kind} {repo_id} is gated, and this machine's token (if any) has no access to it.",
                    f"Accept the conditions on {page}, then {LOG_IN}.",
                )
            case RevisionNotFoundError():
                return HubError(f"The {kind} {repo_id} has no such revision.", "Correct basic.revision.")
            case RepositoryNotFoundError() | LocalTokenNotFoundError():
                return HubError(
                    f"The hub knows no {kind} {repo_id}, or it is private and this machine's token has no access.",
                    f"Check the name; if it is private, {LOG_IN}.",
                )
            case OfflineModeIsEnabled():
                return HubError(
                    f"The {kind} {repo_id} is not in the cache, and HF_HUB_OFFLINE keeps it from being fetched.",
                    "Unset HF_HUB_OFFLINE, or fetch it where there is a network.",
                )
            case HfHubHTTPError() if cause.response is not None:
                status = cause.response.status_code
                if status in (401, 403):
                    return HubError(
                        f"The hub refused access to the {kind} {repo_id} (status {status}).",
                        f"Accept the conditions on {page} if there are any, then {LOG_IN}.",
                    )
                return HubError(f"The hub answered status {status} about the {kind} {repo_id}.", "Try again later.")
    return HubError(
        f"The {kind} {repo_id} is not in the cache and the hub cannot be reached.",
        "Check the network and HF_ENDPOINT, or use a local folder (basic.model_source = folder, data.source = saved).",
    )


def _chain(error: BaseException) -> list[BaseException]:
    """`error` and what it was raised from, outermost first."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    return chain
