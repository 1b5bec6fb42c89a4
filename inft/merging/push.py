"""Putting a merged model on the hub."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import httpx, validate_repo_id  # type: ignore[attr-defined]  # public, but listed at run time

from inft.errors import ConfigError, HubError
from inft.hub import LOG_IN, hub_error

FAILURES = (HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled, httpx.HTTPError, OSError)
"""What requests to the hub raise."""


def check_push(repo_id: str) -> None:
    """Refuses early what would fail after all the work.

    Raises:
        ConfigError: that is no name of a repository.
        HubError: nobody is logged in, the hub cannot be reached, or the repository holds a model already.
    """
    try:
        validate_repo_id(repo_id)
    except HFValidationError:
        raise _no_repository(repo_id) from None
    if repo_id.count("/") != 1:
        raise _no_repository(repo_id)
    api = HfApi()
    try:
        api.whoami()
        files = api.list_repo_files(repo_id)
    except RepositoryNotFoundError:
        return  # it is made when there is something to put in
    except FAILURES as error:
        raise _error(error, repo_id) from error
    if any(name.endswith(".safetensors") for name in files):
        raise HubError(
            f"{repo_id} holds a model already, and is not overwritten.", "Name another repository, or empty that one."
        )


def push(folder: Path, repo_id: str, *, private: bool) -> str:
    """Uploads a folder, as a repository of its own.

    Args:
        folder: everything in it goes.
        repo_id: OWNER/NAME; made if it is not there.
        private: whether a repository that is made is for its owner only.

    Returns:
        Its address.

    Raises:
        HubError: the hub refused it, or cannot be reached.
    """
    api = HfApi()
    try:
        address = api.create_repo(repo_id, private=private, exist_ok=True)
        api.upload_folder(folder_path=folder, repo_id=repo_id, commit_message="Merged model")
    except FAILURES as error:
        raise _error(error, repo_id) from error
    return str(address)


def _no_repository(repo_id: str) -> ConfigError:
    return ConfigError(f"{repo_id!r} is no name of a repository (--push).", "It is written OWNER/NAME.")


def _error(error: Exception, repo_id: str) -> HubError:
    match error:
        case LocalTokenNotFoundError():
            return HubError("This machine has no token for the hub, and --push needs one.", f"To log in, {LOG_IN}.")
        case HfHubHTTPError() if error.response is not None and error.response.status_code in (401, 403):
            return HubError(
                f"The hub refused to have {repo_id} written with this machine's token (status "
                f"{error.response.status_code}).",
                f"Use a token that may write there: {LOG_IN}.",
            )
        case OfflineModeIsEnabled():
            return HubError("HF_HUB_OFFLINE keeps this program from the hub.", "Unset it, or leave out --push.")
        case HfHubHTTPError():
            return hub_error(error, "model", repo_id)
    return HubError("The hub cannot be reached.", "Check the network and HF_ENDPOINT, or leave out --push.")
