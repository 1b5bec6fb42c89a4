"""The model and the dataset of a profile on the hub, judged."""

from __future__ import annotations

from inft.readiness.check import Check, amber, green, red
from inft.readiness.hub_answer import Answer
from inft.readiness.hub_files import Kind, Part, Repository
from inft.runs.quantities import size

NAMES: dict[Part, str] = {"model": "hub model", "processor": "hub processor", "dataset": "hub dataset"}

_LOG_IN = "run `hf auth login` or set HF_TOKEN"
_PASSING = (408, 425, 429)
"""Too slow, too early, too often: a run asks again, and by then it may do."""

_OTHER: dict[Part, str] = {
    "model": "Set basic.revision to a branch, tag or commit that it has.",
    "processor": "Name another repository (basic.aya_processor_name or basic.llama_processor_name).",
    "dataset": "Name another repository (data.dataset_id), or use a local folder (data.source = saved).",
}

_LOCAL: dict[Kind, str] = {"model": "basic.model_source = folder", "dataset": "data.source = saved"}


def judge_unneeded(kind: Kind) -> Check:
    """A profile that takes no such thing from the hub."""
    return green(NAMES[kind], f"This profile takes no {kind} from the hub.")


def judge_repository(repository: Repository, answer: Answer | None) -> Check:
    """Whether a run gets it.

    Args:
        repository: what it is.
        answer: the hub's; None = it was not asked, since all of it is in the cache.
    """
    kind, name = repository.kind, NAMES[repository.part]
    called = f"{repository.part} {repository.repo_id}"
    what = f"The {called}"
    if answer is None:
        return green(name, f"{what} is in the cache.")
    page = f"its page ({'datasets/' if kind == 'dataset' else ''}{repository.repo_id})"
    missing = f"{what} is not in the cache, and"
    log_in, tokenless = _LOG_IN, "this machine has no token"
    if answer.variable:
        log_in = f"unset {answer.variable}"
        tokenless = f"{answer.variable} keeps this machine's token from being sent"
    match answer.state:
        case "open":
            rest = "" if answer.need_bytes is None else f"; {size(answer.need_bytes)} are still to come"
            return green(name, f"{what} can be fetched{rest}.")
        case "gated" if not answer.has_token:
            return red(
                name,
                f"{what} is gated, and {tokenless}.",
                f"Accept the conditions on {page}, then {log_in}.",
            )
        case "gated":
            return red(
                name, f"{what} is gated, and this machine's token has no access to it.",
                f"Accept the conditions on {page} with the token's account; a fine-grained token must allow gated "
                "repositories.",
            )  # fmt: skip
        case "bad_token":
            return red(
                name, f"{missing} the hub does not accept this machine's token.", f"Make a new one, then {_LOG_IN}."
            )
        case "malformed_token":
            return red(
                name,
                f"{answer.token_source} is not a well-formed token: it has blanks, line breaks or odd characters.",
                "Set it again, in one piece (`hf auth login` stores one).",
            )
        case "refused":
            return red(
                name, f"{missing} the hub refuses access to it (status {answer.status}).",
                f"Accept the conditions on {page} if there are any, then {log_in}.",
            )  # fmt: skip
        case "unknown":
            login = "" if answer.has_token else f"; if it is private, {log_in}"
            hidden = ", or this machine's token may not see it" if answer.has_token else ", or it is private"
            return red(name, f"The hub knows no {called}{hidden}.", f"Check the name{login}.")
        case "no_revision":
            if repository.revision is None:
                return red(name, f"{what} has no branch main, which a run takes.", _OTHER[repository.part])
            return red(name, f"{what} has no revision {repository.revision}.", "Correct basic.revision.")
        case "offline":
            return red(
                name, f"{missing} {answer.variable} keeps it from being fetched.",
                f"Unset {answer.variable}, or fetch it where there is a network.",
            )  # fmt: skip
        case "status":
            light = amber if answer.status in _PASSING or (answer.status or 0) >= 500 else red
            return light(
                name,
                f"The hub answered status {answer.status} about the {called}.",
                "Try again later; if it stays, check HF_ENDPOINT and the proxy.",
            )
        case "bad_address":
            return red(
                name, f"{missing} {answer.variable} is not a web address.",
                f"Unset {answer.variable}, or correct it, as in https://huggingface.co.",
            )  # fmt: skip
        case "timeout":
            words = "the hub does not answer in time"
        case "no_hub":
            words = "what answers at its address is no hub"
        case "unreachable":
            words = "the hub cannot be reached"
    return red(
        name, f"{missing} {words}.", f"Check the network and HF_ENDPOINT, or use a local folder ({_LOCAL[kind]})."
    )
