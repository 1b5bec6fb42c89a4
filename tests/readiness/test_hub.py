"""The hub's answers, from a server on this machine, and what is in the caches."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from inft.profiles import resolve
from inft.readiness.check import Check
from inft.readiness.hub import judge_repository
from inft.readiness.hub_answer import Answer
from inft.readiness.hub_asking import Questions, Token, token
from inft.readiness.hub_files import Repository, is_cached, repositories
from tests.data import test_hub as test_data_hub
from tests.stand_in_hub import nobody_listens, run_against, serving

MODEL = Repository("model", "CohereLabs/aya-vision-8b")
DATASET = Repository("dataset", "tharindu/MUNIChus", subsets=("en", "si"), splits=("train",))
TOKEN = "hf_" + "s" * 30

FILES = {
    "config.json": 10,
    "tokenizer.json": 20,
    "model-00001-of-00002.safetensors": 5000,
    "model-00002-of-00002.safetensors": 4000,
    "model.safetensors.index.json": 30,
    "original/consolidated.00.pth": 10**6,
    "README.md": 7,
}


class Server(BaseHTTPRequestHandler):
    """Answers each kind of request as it is told to: (status, headers, body)."""

    access: ClassVar[tuple[int, dict[str, str], bytes]]
    listing: ClassVar[tuple[int, dict[str, str], bytes]]
    asked: ClassVar[list[tuple[str, str | None]]]
    patience: ClassVar[threading.Event]
    hangs: ClassVar[bool] = False
    drips: ClassVar[bool] = False

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("authorization")))
        if self.hangs:
            self.patience.wait(20)
            return
        status, headers, body = self.access if self.path.endswith("/auth-check") else self.listing
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.drips:
            for byte in body:
                self.wfile.write(bytes([byte]))
                if self.patience.wait(0.2):
                    return
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def listing(files: dict[str, int]) -> tuple[int, dict[str, str], bytes]:
    siblings = [{"rfilename": name, "size": size} for name, size in files.items()]
    return 200, {}, json.dumps({"siblings": siblings}).encode()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Server]]:
    patience = threading.Event()
    attributes = {"access": (200, {}, b"{}"), "listing": listing(FILES), "asked": [], "patience": patience}
    handler = type("OneServer", (Server,), attributes)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    offline = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
    for name in (*offline, "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_DATASETS_CACHE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    served = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    served.daemon_threads = True
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{served.server_port}/")
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield handler
    patience.set()
    served.shutdown()
    thread.join()
    served.server_close()


def asked(repository: Repository = MODEL, **limits: float) -> Answer:
    deadline = {name: limits.pop(name) for name in ("deadline_s",) if name in limits}
    return Questions([repository], **limits).answers(**deadline)[repository]


def judged(repository: Repository = MODEL) -> Check:
    return judge_repository(repository, asked(repository))


def test_what_can_be_fetched_says_how_much_is_to_come(server: type[Server]) -> None:
    assert judged() == Check(
        "hub model", "green", "The model CohereLabs/aya-vision-8b can be fetched; 8.8 KiB are still to come."
    )
    paths = {path for path, _ in server.asked}
    api = "/api/models/CohereLabs/aya-vision-8b"
    assert paths == {f"{api}/auth-check", f"{api}/revision/main?blobs=true"}
    assert {secret for _, secret in server.asked} == {None}


def test_of_a_processor_no_weights_are_to_come(server: type[Server]) -> None:
    assert asked(Repository("model", "CohereLabs/aya-vision-8b", weights=False)).need_bytes == 60


def test_of_a_dataset_only_its_subsets_and_splits_are_to_come(server: type[Server]) -> None:
    subsets = {"en/train-0.parquet": 100, "en/test-0.parquet": 50, "si/train-0.parquet": 30, "ja/train-0.parquet": 9}
    server.listing = listing({"README.md": 5, **subsets})
    assert asked(DATASET).need_bytes == 130
    assert server.asked[0][0].startswith("/api/datasets/tharindu/MUNIChus/")


@pytest.mark.parametrize(
    ("access", "secret", "words", "remedy"),
    [
        ((401, {"X-Error-Code": "GatedRepo"}), None, "is gated, and this machine has no token", "hf auth login"),
        ((403, {"X-Error-Code": "GatedRepo"}), TOKEN, "token has no access to it", "with the token's account"),
        ((403, {}), TOKEN, "refuses access to it (status 403)", "Accept the conditions"),
        ((401, {"X-Error-Message": "Invalid credentials in Authorization header"}), TOKEN, "not accept", "new one"),
        ((401, {"X-Error-Message": "Invalid username or password."}), None, "knows no model", "if it is private"),
        ((404, {"X-Error-Code": "RepoNotFound"}), TOKEN, "knows no model", "Check the name"),
        ((404, {}), None, "is no hub", "HF_ENDPOINT"),
        ((407, {}), None, "answered status 407", "the proxy"),
    ],
)
def test_a_refusal_is_red_and_named(
    server: type[Server], monkeypatch: pytest.MonkeyPatch, access: Any, secret: str | None, words: str, remedy: str
) -> None:
    server.access = (*access, b"")
    if secret is not None:
        monkeypatch.setenv("HF_TOKEN", f"  {secret}\n")
    check = judged()
    assert check.status == "red"
    assert words in check.message
    assert remedy in check.fix
    assert secret is None or secret not in check.message + check.fix
    assert {sent for _, sent in server.asked} == {None if secret is None else f"Bearer {secret}"}


def test_an_accepted_gate_is_open(server: type[Server], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert judged().status == "green"


def test_a_revision_that_is_not_there(server: type[Server]) -> None:
    server.listing = (404, {"X-Error-Code": "RevisionNotFound"}, b"")
    check = judged(Repository("model", "CohereLabs/aya-vision-8b", "v 9"))
    assert (check.status, check.message) == ("red", "The model CohereLabs/aya-vision-8b has no revision v 9.")
    assert any(path.endswith("/revision/v%209?blobs=true") for path, _ in server.asked)


@pytest.mark.parametrize(
    ("repository", "called", "remedy"),
    [
        (MODEL, "model CohereLabs/aya-vision-8b", "basic.revision"),
        (Repository("model", "me/mine", weights=False), "processor me/mine", "basic.aya_processor_name"),
        (DATASET, "dataset tharindu/MUNIChus", "data.dataset_id"),
    ],
)
def test_one_without_a_main_branch(server: type[Server], repository: Repository, called: str, remedy: str) -> None:
    server.listing = (404, {"X-Error-Code": "RevisionNotFound"}, b"")
    check = judged(repository)
    assert (check.status, check.message) == ("red", f"The {called} has no branch main, which a run takes.")
    assert remedy in check.fix


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_hub_in_trouble_is_amber(server: type[Server], status: int) -> None:
    server.access = (status, {}, b"oops")
    check = judged()
    assert (check.status, check.message) == (
        "amber", f"The hub answered status {status} about the model CohereLabs/aya-vision-8b.",
    )  # fmt: skip


@pytest.mark.parametrize("body", [b"<html>Please log in to the airport</html>", b"[]", b'{"siblings": [3]}', b"\xff"])
def test_something_else_that_answers_is_no_hub(server: type[Server], body: bytes) -> None:
    server.listing = (200, {}, body)
    check = judged()
    assert check.status == "red"
    assert "is no hub" in check.message


def test_sizes_that_are_none(server: type[Server]) -> None:
    server.listing = (200, {}, b'{"siblings": [{"rfilename": "config.json", "size": "big"}]}')
    assert asked() == Answer("open", has_token=False)


def test_one_that_is_silent(server: type[Server]) -> None:
    server.hangs = True
    began = time.monotonic()
    assert asked(request_s=0.2).state == "timeout"
    assert time.monotonic() - began < 2


def test_one_that_sends_a_byte_now_and_then(server: type[Server]) -> None:
    server.drips = True
    began = time.monotonic()
    assert asked(deadline_s=0.5).state == "timeout"
    assert time.monotonic() - began < 2


def test_nobody_at_the_address(server: type[Server], monkeypatch: pytest.MonkeyPatch) -> None:
    with nobody_listens() as endpoint:
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        check = judged()
    assert check.status == "red"
    assert check.message == "The model CohereLabs/aya-vision-8b is not in the cache, and the hub cannot be reached."
    assert "HF_ENDPOINT" in check.fix


@pytest.mark.parametrize(
    "address", ["no address", "http://", "ftp:///x", "http://[::1", "http://a:99999", "http://a:b"]
)
def test_an_address_that_is_none(server: type[Server], monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    check = judged()
    assert (check.status, check.message) == (
        "red", "The model CohereLabs/aya-vision-8b is not in the cache, and HF_ENDPOINT is not a web address.",
    )  # fmt: skip


@pytest.mark.parametrize("repository", [MODEL, DATASET])
@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"])
def test_offline_nobody_is_asked(
    server: type[Server], monkeypatch: pytest.MonkeyPatch, variable: str, repository: Repository
) -> None:
    monkeypatch.setenv(variable, "yes")
    check = judged(repository)
    if repository.kind == "model" and variable == "HF_DATASETS_OFFLINE":
        assert check.status == "green"
        return
    assert check.status == "red"
    assert f"and {variable} keeps it from being fetched" in check.message
    assert variable in check.fix
    assert server.asked == []


class TestToken:
    def test_of_a_file(self, server: type[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "hf").mkdir()
        (tmp_path / "hf" / "token").write_text(f"{TOKEN}\n")
        assert token() == Token(TOKEN, str(tmp_path / "hf" / "token"))
        (tmp_path / "other").write_text("hf_other")
        monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "other"))
        assert token() == Token("hf_other", str(tmp_path / "other"))
        monkeypatch.setenv("HF_TOKEN", "hf_first")
        assert token() == Token("hf_first", "HF_TOKEN")

    @pytest.mark.parametrize("odd", ["hf_with space", "hf_mit_ü", "hf_\x1b[31m"])
    def test_one_that_can_be_none_is_not_sent(
        self, server: type[Server], monkeypatch: pytest.MonkeyPatch, odd: str
    ) -> None:
        monkeypatch.setenv("HF_TOKEN", odd)
        check = judged()
        assert (check.status, server.asked) == ("red", [])
        assert check.message.startswith("HF_TOKEN is not a well-formed token")
        assert odd not in check.message + check.fix

    def test_one_that_the_hubs_client_would_not_send_is_not_sent(
        self, server: type[Server], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
        assert judged().status == "green"
        server.access = (401, {"X-Error-Code": "GatedRepo"}, b"")
        check = judged()
        assert {secret for _, secret in server.asked} == {None}
        assert "HF_HUB_DISABLE_IMPLICIT_TOKEN keeps this machine's token from being sent" in check.message
        assert check.fix.endswith("then unset HF_HUB_DISABLE_IMPLICIT_TOKEN.")
        monkeypatch.delenv("HF_TOKEN")
        assert "this machine has no token" in judged().message

    def test_one_with_a_line_break_inside(self, server: type[Server], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_TOKEN", f"{TOKEN[:9]}\n{TOKEN[9:]}\n")  # the hub's client puts it together again
        assert judged().status == "green"
        server.access = (401, {"X-Error-Message": "Invalid credentials in Authorization header"}, b"")
        assert judged().message.startswith("HF_TOKEN is not a well-formed token")

    def test_it_goes_to_no_other_host(self, server: type[Server], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        elsewhere: list[str | None] = []

        class Elsewhere(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                elsewhere.append(self.headers.get("authorization"))
                self.send_error(404)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        other = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
        thread = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            server.access = (307, {"Location": f"http://127.0.0.1:{other.server_port}/x"}, b"")
            asked()
        finally:
            other.shutdown()
            thread.join()
            other.server_close()
        assert elsewhere == [None]

    def test_it_follows_a_repository_that_was_renamed(
        self, server: type[Server], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        server.access = (307, {"Location": "/api/models/CohereForAI/new-name/revision/main"}, b"")
        assert asked().state == "open"
        renamed = [secret for path, secret in server.asked if "new-name" in path]
        assert renamed == [f"Bearer {TOKEN}"]


class TestCache:
    """Folders as the hub's clients leave them."""

    def snapshot(self, home: Path, *names: str, revision: str = "main") -> Path:
        repository = home / "hub" / "models--CohereLabs--aya-vision-8b"
        (repository / "refs").mkdir(parents=True, exist_ok=True)
        (repository / "refs" / revision).write_text("c0ffee")
        folder = repository / "snapshots" / "c0ffee"
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).write_bytes(b"x" * FILES.get(name, 1))
        shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
        return folder

    def test_a_whole_model_is_asked_nobody_about(self, server: type[Server], tmp_path: Path) -> None:
        assert not is_cached(MODEL)
        folder = self.snapshot(tmp_path / "hf", *FILES_OF_A_RUN)
        assert is_cached(MODEL)
        assert judge_repository(MODEL, None) == Check(
            "hub model", "green", "The model CohereLabs/aya-vision-8b is in the cache."
        )
        assert not is_cached(Repository("model", MODEL.repo_id, "v2"))
        assert is_cached(Repository("model", MODEL.repo_id, "c0ffee"))
        (folder / "model-00002-of-00002.safetensors").unlink()
        (folder / "model-00002-of-00002.safetensors").symlink_to("../../blobs/gone")
        assert not is_cached(MODEL)
        assert is_cached(Repository("model", MODEL.repo_id, weights=False))

    def test_what_is_there_need_not_come_again(self, server: type[Server], tmp_path: Path) -> None:
        self.snapshot(tmp_path / "hf", "config.json", "tokenizer.json", "model-00001-of-00002.safetensors")
        (tmp_path / "hf/hub/models--CohereLabs--aya-vision-8b/snapshots/c0ffee/model.safetensors.index.json").unlink()
        assert asked().need_bytes == 4000 + 30

    @pytest.mark.parametrize("content", ["", "[]", '{"weight_map": 3}', '{"weight_map": {"a": null}}'])
    def test_an_index_that_is_none(self, server: type[Server], tmp_path: Path, content: str) -> None:
        folder = self.snapshot(tmp_path / "hf", *FILES_OF_A_RUN)
        (folder / "model.safetensors.index.json").write_text(content)
        assert not is_cached(MODEL)

    def test_a_dataset_needs_every_subset_and_split(self, server: type[Server], tmp_path: Path) -> None:
        for language in ("en", "si"):
            folder = tmp_path / "hf/datasets/tharindu___muni_chus" / language / "0.0.0" / "abc"
            folder.mkdir(parents=True)
            (folder / "muni_chus-train.arrow").write_bytes(b"x")
            assert not is_cached(DATASET)  # written, and not to its end
            (folder / "dataset_info.json").write_text("{}")
        assert is_cached(DATASET)
        assert not is_cached(Repository("dataset", DATASET.repo_id, subsets=("en", "ja"), splits=("train",)))
        assert not is_cached(Repository("dataset", DATASET.repo_id, subsets=("en",), splits=("train", "validation")))

    def test_datasets_are_where_their_library_puts_them(self) -> None:
        changes = (
            {},
            {"HF_DATASETS_CACHE": "~/ds"},
            {"HF_DATASETS_CACHE": "$HOME/ds"},
            {"HF_HOME": "~/$HOME"},
            {"XDG_CACHE_HOME": "~/c"},
        )
        # What it makes of the environment once it is loaded, and what its builders make of that.
        program = """
import importlib, json, os, sys
from datasets import config
from inft.hub_cache import datasets_cache_dir
for changes in json.loads(sys.argv[1]):
    for name in ("HF_DATASETS_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        os.environ.pop(name, None)
    os.environ.update(changes)
    importlib.reload(config)
    print(os.path.expanduser(config.HF_DATASETS_CACHE), datasets_cache_dir())
"""
        done = subprocess.check_output([sys.executable, "-c", program, json.dumps(changes)], text=True)
        both = [line.split() for line in done.splitlines()]
        assert len(both) == len(changes)
        assert [theirs for theirs, _ in both] == [ours for _, ours in both]

    def test_as_the_hubs_own_clients_leave_it(self, server: type[Server], tmp_path: Path) -> None:
        contents = dict.fromkeys(("config.json", "tokenizer.json", "model.safetensors"), b"x" * 9)
        fetch = "from huggingface_hub import snapshot_download; snapshot_download('me/tiny')"
        with serving("model", "me/tiny", contents) as (endpoint, _):
            assert run_against(endpoint, tmp_path / "hf", "-c", fetch).returncode == 0
        assert is_cached(Repository("model", "me/tiny"))
        corpus = {"README.md": test_data_hub.README.encode()}
        corpus |= {name: test_data_hub.parquet_bytes(language) for name, language in test_data_hub.FILES.items()}
        with serving("dataset", DATASET.repo_id, corpus) as (endpoint, _):
            test_data_hub.ask(endpoint, tmp_path / "hf")
        assert is_cached(DATASET)
        assert not is_cached(Repository("dataset", DATASET.repo_id, subsets=("ja",), splits=("train",)))


FILES_OF_A_RUN = [name for name in FILES if not name.startswith("original") and name != "README.md"]


class TestWhatAProfileTakes:
    def test_the_recipe(self) -> None:
        config = resolve("aya_adv").config
        model, dataset = repositories(config)
        assert model == MODEL
        assert (dataset.repo_id, dataset.subsets, dataset.splits) == (
            DATASET.repo_id,
            config.data.languages,
            ("train",),
        )

    def test_a_processor_of_its_own_and_an_evaluation(self) -> None:
        changes = (
            "basic.aya_processor_name=me/mine",
            "basic.revision=v1",
            "data.eval_split=test",
            "sft.eval_steps=500",
        )
        model, processor, dataset = repositories(resolve("aya_adv", changes).config)
        assert model.revision == "v1"
        assert processor == Repository("model", "me/mine", weights=False)
        assert dataset.splits == ("train", "test")

    def test_a_demo_takes_nothing(self) -> None:
        assert repositories(resolve("demo_aya").config) == ()
