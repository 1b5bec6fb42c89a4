"""Where a base checkpoint and its processor come from: the hub, a folder, or a tiny random one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, StrictDataclassError
from tqdm.auto import tqdm
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig

from inft.config import Config
from inft.data.encoding import Processor
from inft.errors import ConfigError
from inft.hub import hub_error
from inft.models.checkpoint_files import MODEL_SUFFIXES, PROCESSOR_SUFFIXES, SECOND_COPY
from inft.models.family import Family
from inft.models.tiny import tiny_checkpoint
from inft.project import cache_dir, inside

Progress = Callable[[int, int | None], None]
"""Called with what is done and the total (None = not known yet)."""

DESCRIPTION = "config.json"
TOKENIZER = "tokenizer.json"
OTHER_FORMATS = (f"{SECOND_COPY}*", "*.pth", "*.bin", "*.pt", "*.gguf")

UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, StrictDataclassError)
"""What transformers raises for files that are missing, no JSON, or JSON of another shape than it expects."""


LONGEST_REASON = 240  # characters


@dataclass(frozen=True)
class Checkpoint:
    """Local folders of a base model and of its processor (the same one, as a rule)."""

    model: Path
    processor: Path
    name: str
    """What an adapter's configuration calls the base: the hub id, or the folder."""


def locate(config: Config, family: Family, root: Path, progress: Progress) -> Checkpoint:
    """The checkpoint that the configuration names, fetched first if need be.

    Args:
        config: `basic.model_source` decides.
        family: the architecture that it must have.
        root: the project's root, which a relative `basic.model_path` starts at.
        progress: bytes fetched so far.

    Raises:
        ConfigError: no such folder, or one without a checkpoint of the family.
        HubError: it cannot be fetched.
    """
    basic = config.basic
    if basic.model_source == "tiny":
        folder = tiny_checkpoint(family.name, cache_dir())
        return Checkpoint(folder, folder, str(folder))
    if basic.model_source == "folder":
        folder = inside(root, str(basic.model_path), "basic.model_path")
        _check_folder(folder, family)
        return Checkpoint(folder, folder, str(folder))
    model = _fetch(config.model_name, basic.revision, _ending(MODEL_SUFFIXES), progress)
    _check_folder(model, family)
    if config.processor_name == config.model_name:
        return Checkpoint(model, model, config.model_name)
    processor = _fetch(config.processor_name, None, _ending(PROCESSOR_SUFFIXES), progress)
    return Checkpoint(model, processor, config.model_name)


def locate_processor(config: Config, family: Family, root: Path, progress: Progress) -> Path:
    """The folder of the checkpoint's processor; of one on the hub no weights are fetched. As `locate` otherwise."""
    basic = config.basic
    if basic.model_source == "tiny":
        return tiny_checkpoint(family.name, cache_dir())
    if basic.model_source == "hub" and config.processor_name != config.model_name:
        return _fetch(config.processor_name, None, _ending(PROCESSOR_SUFFIXES), progress)
    if basic.model_source == "hub":
        folder = _fetch(config.processor_name, basic.revision, _ending(PROCESSOR_SUFFIXES), progress)
    else:
        folder = inside(root, str(basic.model_path), "basic.model_path")
    _check_description(folder, family)
    return folder


def architecture(config: Config, family: Family, root: Path) -> PreTrainedConfig:
    """What the checkpoint that the configuration names says it is; of one on the hub only `config.json` is fetched.

    Args:
        config: `basic.model_source` decides.
        family: the architecture that it must have.
        root: the project's root, which a relative `basic.model_path` starts at.

    Raises:
        ConfigError: no such folder, or no architecture of the family.
        HubError: it cannot be fetched.
    """
    basic = config.basic
    if basic.model_source == "tiny":
        folder = tiny_checkpoint(family.name, cache_dir())
    elif basic.model_source == "folder":
        folder = inside(root, str(basic.model_path), "basic.model_path")
    else:
        folder = _fetch(config.model_name, basic.revision, (DESCRIPTION,), lambda done, total: None)
    _check_description(folder, family)
    try:
        described: PreTrainedConfig = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except UNREADABLE as error:
        raise unreadable(folder, error) from error
    return described


def unreadable(folder: Path, error: BaseException) -> ConfigError:
    """The `ConfigError` for a checkpoint that a library cannot load, with the library's reason."""
    return ConfigError(
        f"The checkpoint in {folder} cannot be loaded: {_reason(error)}.",
        "Copy or download it again; it has to be whole and as save_pretrained writes it.",
    )


def load_processor(folder: Path, family: Family) -> Processor:
    """The checkpoint's processor; a tokenizer without a pad token pads with its end-of-sequence token.

    Its parts are put together here as `from_pretrained` would. Left to choose, transformers takes another image
    processor where torchvision is installed, with other pixels.

    Raises:
        ConfigError: the folder holds no processor of the family, or one without vocabulary or chat template.
    """
    if not (folder / TOKENIZER).is_file():
        # Without this file transformers makes a tokenizer that knows the control tokens alone, and says nothing.
        raise ConfigError(f"{folder} holds no {TOKENIZER}.", "Copy the checkpoint's tokenizer files there.")
    try:
        settings, _ = family.processor.get_processor_dict(folder, local_files_only=True)
        images = family.image_processor.from_pretrained(folder, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        processor: Processor = family.processor.from_args_and_dict([images, tokenizer], settings)
    except UNREADABLE as error:
        raise ConfigError(
            f"{folder} holds no processor that can be loaded: {_reason(error)}.",
            "Copy processor_config.json (or preprocessor_config.json) and the tokenizer files there.",
        ) from error
    stated = settings.get("processor_class", family.processor.__name__)
    if stated != family.processor.__name__:
        raise ConfigError(
            f"{folder} holds a {stated}, which is no processor of {family.title}.",
            "Copy processor_config.json (or preprocessor_config.json) of the checkpoint there.",
        )
    if processor.chat_template is None:
        raise ConfigError(
            f"The processor in {folder} has no chat template.", "Copy the checkpoint's chat_template.jinja there."
        )
    if processor.tokenizer.pad_token is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    return processor


def fetch_repository(repo_id: str, patterns: tuple[str, ...], progress: Progress) -> Path:
    """The folder of a model's repository on the hub with its files of those names, fetched first if need be.

    Raises:
        ConfigError: it is no hub id.
        HubError: it cannot be fetched.
    """
    return _fetch(repo_id, None, patterns, progress)


def _ending(suffixes: tuple[str, ...]) -> tuple[str, ...]:
    """The hub's patterns for names that end so."""
    return tuple(f"*{suffix}" for suffix in suffixes)


def _fetch(repo_id: str, revision: str | None, patterns: tuple[str, ...], progress: Progress) -> Path:
    class Reported(tqdm):
        """Reports bytes instead of drawing a bar."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs | {"leave": False})  # else it ends in an empty line on stderr

        def display(self, *args: object, **kwargs: object) -> None:
            if self.unit == "B":
                progress(int(self.n), int(self.total) if self.total else None)

    with _hub_errors(repo_id):
        # Also for a single file: hf_hub_download tries again for 23 s where there is no network.
        folder = snapshot_download(
            repo_id,
            revision=revision,
            allow_patterns=list(patterns),
            ignore_patterns=list(OTHER_FORMATS),
            tqdm_class=Reported,
        )
    return Path(str(folder))


@contextmanager
def _hub_errors(repo_id: str) -> Iterator[None]:
    """Turns what a request for a model raises into errors of ours."""
    try:
        yield
    except (HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise hub_error(error, "model", repo_id) from error
    except HFValidationError as error:
        raise ConfigError(f"{repo_id!r} is no hub id.", "It is written owner/name.") from error


def _check_folder(folder: Path, family: Family) -> None:
    _check_description(folder, family)
    if not any(folder.glob("*.safetensors")):
        raise ConfigError(
            f"{folder} holds no weights in safetensors files, and no other kind is read.",
            "Convert them: load with from_pretrained on a machine you trust, save with save_pretrained.",
        )


def _check_description(folder: Path, family: Family) -> None:
    fix = "Point basic.model_path at a folder that save_pretrained or a hub download has written."
    if not folder.is_dir():
        raise ConfigError(f"There is no folder {folder} (basic.model_path).", fix)
    description = folder / DESCRIPTION
    if not description.is_file():
        raise ConfigError(f"{folder} holds no {DESCRIPTION}, so it is no checkpoint.", fix)
    try:
        model_type = json.loads(description.read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{description} is not a JSON object: {_reason(error)}.", fix) from error
    expected = family.released_config().model_type
    if model_type != expected:
        raise ConfigError(
            f"{folder} holds a model of type {model_type!r}, and family {family.name} is {expected!r}.",
            "Choose a profile of that family, or another checkpoint.",
        )


def _reason(error: BaseException) -> str:
    """A library's words on one line, cut where they run on: some end in a list of all architectures."""
    words = " ".join(str(error).split()) or type(error).__name__
    return words.rstrip(".:") if len(words) <= LONGEST_REASON else f"{words[:LONGEST_REASON]} [...]"
