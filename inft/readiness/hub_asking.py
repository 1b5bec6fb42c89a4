"""Asking the hub whether it would hand something over: two short requests each, all at the same time.

The standard library does it, since the hub's own client takes a second to import. No part of a request is ever shown.
"""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Literal

from inft.hub_cache import hub_home
from inft.readiness.hub_answer import Answer, State
from inft.readiness.hub_files import Kind, Repository, downloaded_bytes

REQUEST_S = 3.0
"""How long the hub may be silent; it answers in a tenth of that where it can be reached at all."""

DEADLINE_S = 5.0
"""How long all of it may take. A name server that does not answer knows no other limit."""

_MOST_BYTES = 64 << 20
_TRUE = frozenset({"1", "ON", "YES", "TRUE"})


_NO_TOKEN = "HF_HUB_DISABLE_IMPLICIT_TOKEN"


def offline_by(kind: Kind) -> str | None:
    """The variable of the environment that tells this machine's libraries to ask nobody; None if there is none."""
    # The hub's client looks at the second one only where the first says nothing at all.
    name = "HF_HUB_OFFLINE" if os.environ.get("HF_HUB_OFFLINE") else "TRANSFORMERS_OFFLINE"
    if _is_set(name):
        return name
    return "HF_DATASETS_OFFLINE" if kind == "dataset" and _is_set("HF_DATASETS_OFFLINE") else None


def endpoint() -> str | None:
    """The hub's address; None if HF_ENDPOINT holds what can be none."""
    stated = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    try:
        parts = urllib.parse.urlsplit(stated)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return stated if usable else None


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").upper() in _TRUE


@dataclass(frozen=True)
class Token:
    """What this machine would show the hub.

    Attributes:
        text: as the hub's client would send it; never to be shown.
        source: the variable of the environment or the file that it is from.
        broken: whether it has line breaks inside, which the client takes out.
    """

    text: str
    source: str
    broken: bool = False


def token() -> Token | None:
    """The token that this machine has; None if there is none."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        stated = os.environ.get(name)
        if stated:
            return _token(stated, name)
    path = Path(os.path.expandvars(os.environ.get("HF_TOKEN_PATH") or str(hub_home() / "token"))).expanduser()
    try:
        return _token(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError):
        return None


def _token(stated: str, source: str) -> Token | None:
    text = "".join(stated.split("\n")).strip()
    return Token(text, source, broken="\n" in stated.strip()) if text else None


class Questions:
    """What the hub says about each of some repositories; asking goes on while somebody does other work.

    Args:
        repositories: what to ask about.
        request_s: how long the hub may be silent.
    """

    def __init__(self, repositories: Sequence[Repository], *, request_s: float = REQUEST_S) -> None:
        self._repositories = repositories
        found = token() if repositories else None
        self._withheld = _NO_TOKEN if found is not None and _is_set(_NO_TOKEN) else ""
        self._token = None if self._withheld else found
        self._request_s = request_s
        self._began = time.monotonic()
        self._access: dict[Repository, _Reply] = {}
        self._listing: dict[Repository, _Reply] = {}
        self._threads: list[threading.Thread] = []
        self._endpoint = endpoint()
        if self._endpoint is not None:
            for repository in repositories:
                if offline_by(repository.kind) is None:
                    self._begin(repository, self._endpoint)

    def answers(self, deadline_s: float = DEADLINE_S) -> dict[Repository, Answer]:
        """The answers, at the latest so long after the questions."""
        for thread in self._threads:
            thread.join(max(0.0, self._began + deadline_s - time.monotonic()))
        return {repository: self._answer(repository) for repository in self._repositories}

    def _begin(self, repository: Repository, address: str) -> None:
        api = f"{address}/api/{repository.kind}s/{repository.repo_id}"
        revision = urllib.parse.quote(repository.revision or "main", safe="")
        for place, url in (
            (self._access, f"{api}/auth-check"),
            (self._listing, f"{api}/revision/{revision}?blobs=true"),
        ):
            # A thread that waits for a name server cannot be stopped, and must not keep the program from ending.
            thread = threading.Thread(target=self._fetch, args=(place, repository, url), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _fetch(self, place: dict[Repository, _Reply], repository: Repository, url: str) -> None:
        place[repository] = _get(url, None if self._token is None else self._token.text, self._request_s)

    def _answer(self, repository: Repository) -> Answer:
        has_token = self._token is not None
        offline = offline_by(repository.kind)
        if offline is not None:
            return Answer("offline", has_token, variable=offline)
        if self._endpoint is None:
            return Answer("bad_address", has_token, variable="HF_ENDPOINT")
        access, listing = self._access.get(repository), self._listing.get(repository)
        if access is None or listing is None:
            return Answer("timeout", has_token)
        answer = _answer(repository, access, listing, has_token=has_token)
        if self._token is not None and (
            answer.state == "malformed_token" or (answer.state == "bad_token" and self._token.broken)
        ):
            return replace(answer, state="malformed_token", token_source=self._token.source)
        return replace(answer, variable=self._withheld)


@dataclass(frozen=True)
class _Reply:
    """Of one request: a status with what was said along, or why there is none."""

    status: int | None
    failure: Literal["", "timeout", "unreachable", "no_hub", "malformed_token"] = ""
    code: str = ""
    words: str = ""
    body: bytes = b""


class _KeepToTheHost(urllib.request.HTTPRedirectHandler):
    """A repository that was renamed is asked about at its new name; the token goes to no other host."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """The request that follows `req`."""
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        secret = req.get_header("Authorization")
        if (
            following is not None
            and secret
            and urllib.parse.urlsplit(newurl)[:2] == urllib.parse.urlsplit(req.full_url)[:2]
        ):
            following.add_unredirected_header("Authorization", secret)
        return following


def _get(url: str, secret: str | None, timeout_s: float) -> _Reply:
    request = urllib.request.Request(url, headers={"User-Agent": "inft-tui", "Accept": "application/json"})
    if secret is not None:
        if not (secret.isascii() and secret.isprintable() and " " not in secret):
            return _Reply(None, "malformed_token")  # http.client would refuse it, and repeat it in its message
        request.add_unredirected_header("Authorization", f"Bearer {secret}")
    try:
        with urllib.request.build_opener(_KeepToTheHost).open(request, timeout=timeout_s) as reply:
            return _Reply(reply.status, body=reply.read(_MOST_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            return _Reply(
                error.code, code=error.headers.get("X-Error-Code", ""), words=error.headers.get("X-Error-Message", "")
            )
    except TimeoutError:
        return _Reply(None, "timeout")
    except urllib.error.URLError as error:
        return _Reply(None, "timeout" if isinstance(error.reason, TimeoutError) else "unreachable")
    except (HTTPException, ValueError):
        return _Reply(None, "no_hub")
    except OSError:
        return _Reply(None, "unreachable")


def _answer(repository: Repository, access: _Reply, listing: _Reply, *, has_token: bool) -> Answer:
    for reply in (access, listing):
        if reply.failure:
            return Answer(reply.failure, has_token)
    for reply in (access, listing):
        state = _state(reply, has_token=has_token)
        if state != "open":
            return Answer(state, has_token, reply.status)
    sizes = _sizes(listing.body)
    if sizes is None:
        return Answer("no_hub", has_token)
    wanted = {path: size for path, size in sizes.items() if repository.wants(path)}
    if not wanted or None in wanted.values():
        return Answer("open", has_token)
    total = sum(size for size in wanted.values() if size is not None)
    return Answer("open", has_token, need_bytes=max(0, total - downloaded_bytes(repository, list(wanted))))


def _state(reply: _Reply, *, has_token: bool) -> State:
    """What a status means.

    Source: huggingface_hub 2.4, utils/_http.py, hf_raise_for_status.
    """
    if reply.status is not None and reply.status < 300:
        return "open"
    match reply.code:
        case "GatedRepo":
            return "gated"
        case "RepoNotFound":
            return "unknown"
        case "RevisionNotFound":
            return "no_revision"
    if reply.status == 401:
        # Without a token the hub says this also of what does not exist.
        return "bad_token" if has_token and "credentials" in reply.words.lower() else "unknown"
    if reply.status == 403:
        return "refused"
    # The hub says in a header of what kind its 404 is; a proxy or another web server does not.
    return "no_hub" if reply.status == 404 else "status"


def _sizes(body: bytes) -> Mapping[str, int | None] | None:
    """Size in bytes of each file of a repository, where it is told; None if this is no answer of a hub."""
    try:
        files = json.loads(body)["siblings"]
        found = {str(entry["rfilename"]): entry.get("size") for entry in files}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return {path: size if isinstance(size, int) and size >= 0 else None for path, size in found.items()}
