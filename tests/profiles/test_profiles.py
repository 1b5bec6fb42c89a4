"""Profiles: what the shipped ones say, how values are merged and traced, and how each kind of mistake is told."""

import os
import random
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from inft.config import Config
from inft.errors import ConfigError, ExitCode
from inft.params import LANGUAGE_NAMES
from inft.profiles import curve_changes, list_profiles, load_config, resolve, to_toml
from inft.profiles.knobs import FieldInfo, describe_fields
from inft.profiles.source import key_lines
from inft.project import bundled_profiles_dir

RECIPES = {
    "llama_basic": ("llama32", "basic"),
    "llama_adv": ("llama32", "advanced"),
    "aya_basic": ("aya", "basic"),
    "aya_adv": ("aya", "advanced"),
}
FAST = {"fast_llama": "llama_basic", "fast_aya": "aya_basic"}
SMALL = {"small_llama": "llama_basic", "small_aya": "aya_basic"}
DEMOS = ("demo_llama", "demo_aya")
SHIPPED = (*RECIPES, *FAST, *SMALL, *DEMOS)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, so that nothing depends on where the tests are started."""
    monkeypatch.setenv("INFT_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "profiles").mkdir()
    return tmp_path


@pytest.fixture
def write(project: Path) -> Callable[..., str]:
    """Writes profiles/mine.toml; `family` is stated unless the text does so itself."""

    def write_profile(text: str, name: str = "mine") -> str:
        stated = text if "family =" in text else f'family = "aya"\n{text}'
        (project / "profiles" / f"{name}.toml").write_text(stated, encoding="utf-8")
        return name

    return write_profile


def refusal(profile: str, *overrides: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        resolve(profile, overrides)
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value


# --- the shipped profiles


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_reproduces_the_guide(name: str) -> None:
    config = resolve(name).config
    assert (config.profile, config.family, config.mode) == (name, *RECIPES[name])
    assert (config.lora.r, config.lora.alpha, config.lora.dropout) == (64, 32, 0.10)
    assert (config.sft.lr, config.sft.lr_scheduler_type, config.sft.warmup_ratio) == (1.5e-4, "cosine", 0.03)
    assert (config.effective_batch, config.data.batch_size) == (16, 1)
    assert (config.sft.max_grad_norm, config.sft.weight_decay, config.sft.num_epochs) == (0.3, 1e-6, 1.0)
    assert (config.sft.save_steps, config.sft.save_total_limit) == (500, 2)
    assert config.basic.max_length == 4096
    assert config.compute_dtype == "bfloat16"
    assert (config.basic.model_source, config.data.source, config.data.eval_split) == ("hub", "hub", None)


@pytest.mark.parametrize(("name", "recipe"), [*FAST.items(), *SMALL.items()])
def test_a_fast_profile_leaves_the_result_as_it_is_and_a_small_one_says_what_it_changes(name: str, recipe: str) -> None:
    config = resolve(name).config
    # They change rounding, and which random numbers the dropout draws.
    neutral = {"data.batch_size", "sft.gradient_accumulation_steps", "sft.padding_free", "sft.torch_compile"}
    changed = set(curve_changes(resolve(recipe).config, config)) - neutral
    assert changed == ({"lora.scope", "sft.optim"} if name in SMALL else set())
    assert config.effective_batch == 16
    assert config.sft.padding_free
    assert config.sft.torch_compile
    assert (config.output_dir, config.best_model_dir) == (f"outputs/{name}/checkpoints", f"outputs/{name}/best")
    text = (bundled_profiles_dir() / f"{name}.toml").read_text(encoding="utf-8")
    assert text.count("not the guide's") == len(changed)


@pytest.mark.parametrize("name", DEMOS)
def test_a_demo_needs_no_hub_and_no_gpu(name: str) -> None:
    config = resolve(name).config
    assert (config.basic.model_source, config.data.source) == ("tiny", "demo")
    assert config.output_dir == f"outputs/{name}/checkpoints"
    assert config.best_model_dir == f"outputs/{name}/best"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_begins_with_its_command_and_states_only_differences(name: str) -> None:
    text = (bundled_profiles_dir() / f"{name}.toml").read_text(encoding="utf-8")
    assert text.splitlines()[0] == f"# inft-tui --headless --profile {name}"
    stated = {
        f"{table}.{key}": value
        for table, values in tomllib.loads(text).items()
        if isinstance(values, dict)
        for key, value in values.items()
    }
    defaults = {info.key: info.default for info in describe_fields()}
    assert not [key for key, value in stated.items() if value == defaults[key]]


def test_the_listing_has_every_shipped_profile() -> None:
    listed = {summary.name: summary for summary in list_profiles()}
    assert set(SHIPPED) <= set(listed)
    for name, (family, mode) in RECIPES.items():
        assert (listed[name].family, listed[name].mode, listed[name].problem) == (family, mode, "")
        assert listed[name].description


def test_the_listing_survives_a_broken_profile_and_prefers_the_projects_own(write: Callable[..., str]) -> None:
    write("mode = 3\n", "broken")
    write('description = "two\\nlines"\n', "aya_adv")
    listed = {summary.name: summary for summary in list_profiles()}
    assert listed["broken"].problem.startswith("mode in profiles/broken.toml line 2 must be")
    assert listed["aya_adv"].description == "two lines"
    assert resolve("aya_adv").config.mode == "basic"


# --- what follows from family and mode


@pytest.mark.parametrize(
    ("name", "tag", "output", "best", "modules"),
    [
        ("llama_basic", "qlora-lora-llama32", "llama_32_output_dir", "llama32_best_model_dir", 7),
        ("llama_adv", "qlora-lora-llama32-advanced", "llama32_adv_output_dir", "llama32_adv_best_model_dir", 10),
        ("aya_basic", "qlora-lora-aya8b", "aya_output_dir", "aya_best_model_dir", 7),
        ("aya_adv", "qlora-lora-aya8b-advanced", "aya_adv_output_dir", "aya_adv_best_model_dir", 9),
    ],
)
def test_what_follows_from_family_and_mode(name: str, tag: str, output: str, best: str, modules: int) -> None:
    config = resolve(name).config
    assert config.task_tag == tag
    assert (config.output_dir_key, config.best_model_dir_key) == (f"sft.{output}", f"sft.{best}")
    assert config.output_dir == vars(config.sft)[output]
    assert config.best_model_dir == vars(config.sft)[best]
    assert len(config.target_modules) == modules
    assert config.model_name == config.processor_name
    assert ("llama" in config.model_name) == (config.family == "llama32")


def test_the_compute_dtype_is_the_quantisations_where_there_is_one() -> None:
    assert resolve("aya_adv", ["qlora.bnb_4bit_compute_dtype=float16"]).config.compute_dtype == "float16"
    assert resolve("aya_adv", ["qlora.load_in_4bit=false", "basic.dtype=float32"]).config.compute_dtype == "float32"


# --- values and their origins


def test_origins(write: Callable[..., str]) -> None:
    write('mode = "advanced"\n\n[sft]\nlr = 1e-3\nseed = 1\n[data]\ncolumns = { image = "photo" }\n')
    resolved = resolve("mine", ["sft.seed=7"])
    assert resolved.origins["mode"] == "profiles/mine.toml line 2"
    assert resolved.origins["sft.lr"] == "profiles/mine.toml line 5"
    assert resolved.origins["sft.seed"] == "--set"
    assert resolved.origins["data.columns"] == "profiles/mine.toml line 8"
    assert resolved.origins["lora.r"] == "default"
    assert set(resolved.origins) == {info.key for info in describe_fields()}


def test_one_entry_of_a_mapping_may_be_stated(write: Callable[..., str]) -> None:
    write('[data]\nlanguages = ["en", "pt-br"]\n[data.language_names]\npt-br = "Portuguese"\n')
    data = resolve("mine", ["data.columns.image=photo", 'data.columns.caption="the text"']).config.data
    assert data.language_names == LANGUAGE_NAMES | {"pt-br": "Portuguese"}
    assert (data.columns["image"], data.columns["caption"], data.columns["title"]) == ("photo", "the text", "title")


def test_a_profile_may_be_a_path(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = project / "sub"
    below.mkdir()
    (below / "my own.toml").write_text('family = "llama32"\n')
    monkeypatch.chdir(below)
    for text in ("my own.toml", "./my own.toml", str(below / "my own.toml")):
        resolved = resolve(text)
        assert resolved.config.profile == "my-own"
        assert resolved.origins["family"] == "sub/my own.toml line 1"


def test_a_profile_may_say_what_its_runs_are_called(write: Callable[..., str]) -> None:
    write('profile = "night-1"\n')
    assert resolve("mine").config.profile == "night-1"
    assert "profile in --set profile=a/b must be" in refusal("mine", "profile=a/b").message


def test_a_byte_order_mark_and_windows_lines_are_read(project: Path) -> None:
    (project / "win.toml").write_bytes(b'\xef\xbb\xbffamily = "aya"\r\n[sft]\r\nlr = 1e-3\r\n')
    assert resolve("win.toml").origins["sft.lr"] == "win.toml line 3"


@pytest.mark.parametrize(
    ("override", "table", "name", "value"),
    [
        ("sft.lr=1e-4", "sft", "lr", 1e-4),
        ("sft.lr = 1", "sft", "lr", 1.0),
        ("basic.attn_impl=sdpa", "basic", "attn_impl", "sdpa"),
        ('basic.attn_impl="sdpa"', "basic", "attn_impl", "sdpa"),
        ('data.languages=["en","fr"]', "data", "languages", ("en", "fr")),
        ("data.languages=en, fr", "data", "languages", ("en", "fr")),
        ('data.languages="en"', "data", "languages", ("en",)),
        ("data.languages=en", "data", "languages", ("en",)),
        ("qlora.skip_modules=", "qlora", "skip_modules", ()),
        ("basic.revision=1e5", "basic", "revision", "1e5"),
        ("basic.revision=1234567", "basic", "revision", "1234567"),
        ("basic.revision=none", "basic", "revision", None),
        ("sft.max_steps=none", "sft", "max_steps", None),
        ("sft.max_steps=5", "sft", "max_steps", 5),
        ("basic.logs_dir=a=b", "basic", "logs_dir", "a=b"),
        ("data.split=train[:10%]", "data", "split", "train[:10%]"),
        ("data.include_title=true", "data", "include_title", True),
    ],
)
def test_an_override_reads_as_its_key_does(override: str, table: str, name: str, value: object) -> None:
    config = resolve("aya_adv", [override]).config
    assert vars(vars(config)[table])[name] == value


def test_overrides_set_the_head_too_and_the_last_one_counts() -> None:
    config = resolve("aya_adv", ["family=llama32", "mode=basic", "description=a b", "sft.seed=1", "sft.seed=2"]).config
    assert (config.family, config.mode, config.description, config.sft.seed) == ("llama32", "basic", "a b", 2)


# --- the round trip


@pytest.mark.parametrize("name", SHIPPED)
def test_a_written_profile_reads_as_itself(project: Path, name: str) -> None:
    config = resolve(name).config
    text = to_toml(config)
    path = project / "config.toml"
    path.write_text(text, encoding="utf-8")
    assert load_config(path) == config
    assert to_toml(load_config(path)) == text
    stated = [".".join(key) for key in key_lines(text) if key[0] != "data" or len(key) < 3]
    assert [key for key in stated if key not in ("basic", "qlora", "lora", "sft", "data")] == [
        info.key for info in describe_fields()
    ]


ALPHABET = [
    *"ab{}[]()\"'\\#=,.%$~ \t\n\r\b\x1b\x7f\x85\u2028",
    "غ",
    "עב",
    "字",
    "ශ්‍රී",
    "🙂",
    "👩‍👧",
    "\u202e",
    '"""',
    "'''",
]


def random_text(rng: random.Random) -> str:
    return "".join(rng.choice(ALPHABET) for _ in range(rng.randint(1, 12)))


def random_value(rng: random.Random, info: FieldInfo) -> object:
    if info.optional and rng.random() < 0.3:
        return None
    if info.name == "profile":
        return f"run-{rng.randint(0, 99)}"
    if info.key == "data.languages":
        return tuple(rng.sample(sorted(LANGUAGE_NAMES), rng.randint(1, 10)))
    if info.key == "data.columns":
        return {role: random_text(rng) for role in info.default}
    if info.kind == "table":
        return info.default | {random_text(rng): random_text(rng)}
    match info.kind:
        case "bool":
            return rng.random() < 0.5
        case "int":
            return rng.randint(32, 64)
        case "float":
            return rng.choice([0.5, 1e-9, 0.1, 1 / 3, 0.999999999999])
        case "choice":
            return rng.choice(info.choices)
        case "list":
            return tuple(random_text(rng) for _ in range(rng.randint(1, 4)))
    return random_text(rng)


def random_config(rng: random.Random, base: Config) -> Config:
    tables = {}
    for info in describe_fields():
        tables.setdefault(info.table, {})[info.name] = random_value(rng, info)
    made = {table: replace(vars(base)[table], **values) for table, values in tables.items() if table}
    config = replace(base, **tables[""], **made)
    # Values that rules tie together, or that name a path or a hub id, cannot be just anything.
    sft = {
        info.name: f"out/{{{info.name}}} 🙂"
        for info in describe_fields()
        if info.key.endswith("_dir") and info.table == "sft"
    }
    ids = ("llama_model_name", "llama_processor_name", "aya_model_name", "aya_processor_name")
    basic = dict.fromkeys(ids, "a/b") | {"logs_dir": 'lögs "x"', "model_source": "folder", "model_path": "/m/{x}\n"}
    basic["attn_impl"] = "sdpa"
    return replace(
        config,
        basic=replace(config.basic, **basic),
        qlora=replace(config.qlora, load_in_4bit=True, bnb_4bit_compute_dtype="bfloat16", hold_dequantized=False),
        sft=replace(
            config.sft,
            **sft,
            eval_steps=1,
            metric_for_best_model="eval_loss",
            greater_is_better=False,
            padding_free=True,
            torch_compile=True,
            gradient_checkpointing=False,
        ),
        data=replace(config.data, dataset_id="x", source="jsonl", path="/d/'", eval_fraction=None),
    )


@pytest.mark.parametrize("seed", range(40))
def test_any_value_survives_being_written_and_read(project: Path, seed: int) -> None:
    config = random_config(random.Random(seed), resolve("aya_adv").config)
    path = project / "config.toml"
    path.write_text(to_toml(config), encoding="utf-8", newline="")
    assert load_config(path) == config


# --- lines


def test_the_line_of_every_key_is_found() -> None:
    text = '''# head
mode = "x = 1"
"quo\\"ted" = 1
a.b . c = """
d = 2
[not.a.table]
""" # e = 3
list = [ # f = 1
  "[x]", ["]", '#'],
  { g = 1 },
]

[ sft ]
lr = 1e-4'''
    text += "\n'lit.eral' = '''\nh = 1\n''''\n[data.columns]\nimage = 1\n"
    text += "[[many]]\nx = 1\n[x]\ny = { z = 1, w = { v = 2 } }\n"

    tomllib.loads(text)
    assert key_lines(text) == {
        ("mode",): 2,
        ('quo"ted',): 3,
        ("a", "b", "c"): 4,
        ("list",): 8,
        ("list", "g"): 10,
        ("sft",): 13,
        ("sft", "lr"): 14,
        ("sft", "lit.eral"): 15,
        ("data", "columns"): 18,
        ("data", "columns", "image"): 19,
        ("many",): 20,
        ("many", "x"): 21,
        ("x",): 22,
        ("x", "y"): 23,
        ("x", "y", "z"): 23,
        ("x", "y", "w"): 23,
        ("x", "y", "w", "v"): 23,
    }


def test_values_of_every_toml_kind_are_passed_over() -> None:
    text = "a = 1979-05-27 07:32:00\nb = 0x1F\nc = inf\nd = ''\ne = \"\"\nf = {}\ng = [\n]\nh = true # x\n[i]"
    tomllib.loads(text)
    assert key_lines(text) == {
        (name,): line for name, line in zip("abcdefghi", (1, 2, 3, 4, 5, 6, 7, 9, 10), strict=True)
    }


# --- mistakes


def test_everything_wrong_is_said_at_once(write: Callable[..., str]) -> None:
    write('[sft]\nlr = "high"\nsave_step = 3\n\n[lora]\nr = 0\n[data]\nsource = "jsonl"\n')
    error = refusal("mine", "basic.max_length=1")
    assert error.message.splitlines() == [
        "profiles/mine.toml with these --set values cannot be used: 5 problems.",
        '  sft.lr in profiles/mine.toml line 3 must be a number above 0 and at most 1, not "high". '
        "The default is 0.00015.",
        "  sft.save_step in profiles/mine.toml line 4 is not a key of a profile. Did you mean sft.save_steps?",
        "  lora.r in profiles/mine.toml line 7 must be a whole number from 1 to 1024, not 0. The default is 64.",
        "  basic.max_length in --set basic.max_length=1 must be a whole number from 32 to 131072 (tokens), not 1. "
        "The default is 4096.",
        '  data.source = "jsonl" in profiles/mine.toml line 9 needs data.path. State the corpus\'s folder there.',
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lr = 1\n", "lr in profiles/mine.toml line 2 is not a key of a profile. Did you mean sft.lr?"),
        ("seed = 1\n", "Did you mean basic.seed or sft.seed or data.seed?"),
        ("[sft]\nmax_length = 64\n", "Did you mean basic.max_length?"),
        ("[sft]\nlearning_rate = 1\n", "Did you mean sft.lr?"),
        ("[lora]\nlora_alpha = 1\n", "Did you mean lora.alpha?"),
        ("[SFT]\nlr = 1\n", "SFT in profiles/mine.toml line 2 is not a table of a profile. Did you mean [sft]?"),
        ("[lara]\nr = 1\n", "Did you mean [lora]"),
        ("[basic]\nqqqq = 1\n", "shows the keys that [basic] has."),
        ("qqqq = 1\n", "The top level holds family, mode, description, profile and the tables basic, qlora"),
        ('"sft.lr" = 1\n', "sft.lr in profiles/mine.toml line 2 is not a key"),
        ('"" = {x = 1}\n', '"" in profiles/mine.toml line 2 is not a table'),
        ('"a\\u001b[2J" = 1\n', '"a\\u001b[2J" in profiles/mine.toml line 2 is not a key'),
        ("sft = 3\n", "sft in profiles/mine.toml line 2 must be a table, not 3. Begin it with [sft]"),
        ("[[sft]]\nlr = 1\n", "sft in profiles/mine.toml line 2 must be a table"),
        ("[sft]\nlr = 2\n", "must be a number above 0 and at most 1, not 2."),
        ("[sft]\nlr = true\n", "must be a number above 0 and at most 1, not true."),
        ("[sft]\nlr = nan\n", "not nan."),
        ("[sft]\nmax_grad_norm = inf\n", "not inf."),
        (
            "[sft]\nmax_steps = 0\n",
            'must be a whole number at least 1 (steps) or "none", not 0. The default is "none".',
        ),
        ("[sft]\nlr_scheduler_type = 'cosin'\n", 'not "cosin". Did you mean "cosine"?'),
        ("[sft]\nlr = 1979-05-27\n", "not 1979-05-27."),
        ("[data]\nlanguages = []\n", "must be a list of texts with at least 1, not []."),
        (
            "[data]\nlanguages = ['en', 'fr', 'en']\n",
            'data.languages in profiles/mine.toml line 3 names "en" more than once.',
        ),
        (
            "[data]\nlanguages = ['xx']\n",
            'holds "xx", which data.language_names has no name for. State its English name',
        ),
        ("[data]\nlanguages = ['en', 'frr']\n", 'Did you mean "fr"?'),
        (
            "[data.columns]\nimagee = 'x'\n",
            'maps "imagee", which is not one of image, title, content, caption, language. ',
        ),
        ("[data.columns]\nimage = 3\n", "data.columns in profiles/mine.toml line 2 must be a table of texts"),
        ("[basic]\nmodel_source = 'folder'\n", 'basic.model_source = "folder" in profiles/mine.toml line 3 needs'),
        (
            "[basic]\nmodel_path = 'm'\n",
            'in profiles/mine.toml line 3 has no effect while basic.model_source is "hub".',
        ),
        (
            "[qlora]\nload_in_4bit = false\nhold_dequantized = true\n",
            "has no effect while qlora.load_in_4bit is false in profiles/mine.toml line 3: nothing is quantised.",
        ),
        (
            "[qlora]\nhold_dequantized = true\n[lora]\nbias = 'all'\n",
            'keeps no number the same when biases train, which lora.bias = "all" in profiles/mine.toml line 5',
        ),
        (
            "[qlora]\nbnb_4bit_compute_dtype = 'float16'\n[lora]\nadapter_dtype = 'bfloat16'\n",
            "cannot train in fp16, whose loss scaling needs fp32 weights.",
        ),
        ("[qlora]\nbnb_4bit_compute_dtype = 'float16'\n[lora]\nbias = 'lora_only'\n", "cannot train in fp16: biases"),
        (
            "[sft]\npadding_free = true\n[basic]\nattn_impl = 'eager'\n",
            'basic.attn_impl = "eager" in profiles/mine.toml line 5 asks for others. State basic.attn_impl = "auto"',
        ),
        (
            "[sft]\ntorch_compile = true\n",
            "sft.torch_compile = true in profiles/mine.toml line 3 needs sft.padding_free",
        ),
        (
            "[sft]\npadding_free = true\nactivation_budget = 0.5\ngradient_checkpointing = false\n",
            "sft.activation_budget = 0.5 in profiles/mine.toml line 4 needs sft.torch_compile",
        ),
        (
            "[sft]\npadding_free = true\ntorch_compile = true\nactivation_budget = 0.5\n",
            "sft.activation_budget = 0.5 in profiles/mine.toml line 5 has no effect while sft.gradient_checkpointing",
        ),
        ("[sft]\nactivation_budget = 0\n", "must be a number above 0 and at most 1"),
        ("[data]\npath = 'd'\n", 'in profiles/mine.toml line 3 has no effect while data.source is "hub".'),
        ("[basic]\naya_model_name = '/m/aya'\n", 'State basic.model_source = "folder" and basic.model_path'.lower()),
        ("[data]\ndataset_id = '../x'\n", 'must be a hub id, name or owner/name, not "../x".'),
        ("[data]\ndataset_id = 'a/b/c'\n", "must be a hub id"),
        ("[basic]\nlogs_dir = '../logs'\n", 'basic.logs_dir in profiles/mine.toml line 3 = "../logs" leads out of'),
        ("[sft]\naya_output_dir = 'a/../../b'\n", "sft.aya_output_dir in profiles/mine.toml line 3 = "),
        ("[data]\nsource='jsonl'\npath = '../d'\n", "data.path in profiles/mine.toml line 4 = "),
        (
            "[data]\neval_split = 'test'\neval_fraction = 0.1\n",
            "data.eval_fraction = 0.1 in profiles/mine.toml line 4 holds rows out to evaluate on, and data.eval_split",
        ),
        ("[data]\neval_fraction = 1\n", "must be a number above 0 and below 1"),
        (
            "[data]\neval_fraction = 0.1\n[sft]\nmetric_for_best_model = 'eval_cidre'\n",
            'in profiles/mine.toml line 5 is no figure of this run\'s evaluations. Did you mean "eval_cider"',
        ),
        (
            "[data]\neval_fraction = 0.1\nlanguages = ['en']\n[sft]\nmetric_for_best_model = 'loss_fr'\n",
            "line 6 is no figure of this run's evaluations. Did you mean \"eval_loss",
        ),
        (
            "[basic]\neval_captions = 0\n[data]\neval_fraction = 0.1\n[sft]\nmetric_for_best_model = 'cider'\n",
            "needs captions to score, and basic.eval_captions = 0 in profiles/mine.toml line 3 has none made.",
        ),
        (
            "[data]\neval_fraction = 0.1\n[sft]\nmetric_for_best_model = 'eval_chrf_zh'\ngreater_is_better = false\n",
            "would keep the worst checkpoint: of eval_chrf_zh, which sft.metric_for_best_model in profiles/mine.toml "
            "line 5 names, more is better. Leave it out, or set sft.greater_is_better = true.",
        ),
        (
            "[data]\neval_fraction = 0.1\n[sft]\nmetric_for_best_model = 'entropy'\n",
            "names a figure of which nobody can say whether more or less of it is better.",
        ),
        (
            "[sft]\nmetric_for_best_model = 'eval_cider'\n",
            "in profiles/mine.toml line 3 has no effect without an evaluation.",
        ),
        (
            "[data]\neval_split = 'test'\n[sft]\ngreater_is_better = true\n",
            "of eval_loss, which sft.metric_for_best_model in the defaults names, less is better.",
        ),
    ],
)
def test_a_mistake_is_one_sentence_with_its_place_and_a_fix(write: Callable[..., str], text: str, says: str) -> None:
    error = refusal(write(text))
    assert says.lower() in str(error).lower()
    assert "\n" not in error.message
    assert error.fix


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["sft.lr=abc"], 'sft.lr in --set sft.lr=abc must be a number above 0 and at most 1, not "abc".'),
        (["sft.lr"], "--set sft.lr is not of the form table.key=value."),
        (["=1"], "--set =1 is not of the form"),
        (["sft.lr.x=1"], "Did you mean sft.lr?"),
        (["qlora=1"], "qlora in --set qlora=1 is not a key"),
        (["sft.seed=1\nsft.lr=2"], "sft.seed in --set sft.seed=1?sft.lr=2 must be a whole number"),
        (["sft.lr=\x1b[2J"], 'in --set sft.lr=?[2J must be a number above 0 and at most 1, not "\\u001b[2J".'),
        (["basic.revision=\udcff"], "is not UTF-8 text."),
        (["sft.save_steps=" + "9" * 5000], "must be a whole number"),
        (["sft.lr=" + "[" * 5000], "must be a number"),
        (["data.columns.image="], "must be a table of texts"),
        (["data.columns=image"], 'must be a table of texts, not "image".'),
    ],
)
def test_a_mistaken_override(overrides: list[str], says: str) -> None:
    error = refusal("aya_adv", *overrides)
    assert says in str(error)
    assert len(str(error)) < 400
    assert str(error).isprintable()


@pytest.mark.parametrize(
    ("metric", "greater"),
    [
        ("cider", True),
        ("eval_bleu4_yue", True),
        ("eval_loss_si", False),
        ("eval_mean_token_accuracy", True),
        ("eval_caption_failures", False),
        ("eval_entropy", False),
        ("eval_entropy", True),
    ],
)
def test_any_figure_of_the_evaluation_decides(write: Callable[..., str], metric: str, greater: bool) -> None:
    write(
        f"[data]\neval_fraction = 0.1\n[sft]\nmetric_for_best_model = '{metric}'\n"
        f"greater_is_better = {str(greater).lower()}\n"
    )
    assert resolve("mine").config.sft.metric_for_best_model == metric


def test_a_rule_is_silent_about_a_value_that_was_refused(write: Callable[..., str]) -> None:
    error = refusal(write("[basic]\nmodel_source = 'foldr'\nmodel_path = 'm'\n"))
    assert error.message.startswith("basic.model_source in profiles/mine.toml line 3 must be one of")
    assert error.fix == 'Did you mean "folder"?'


def test_the_family_must_be_stated(project: Path) -> None:
    (project / "profiles" / "mine.toml").write_text("")
    error = refusal("mine")
    assert str(error) == ('profiles/mine.toml states no family. Add family = "llama32" or family = "aya" at its top.')
    (project / "profiles" / "mine.toml").write_text('family = "llama"\n')
    assert refusal("mine").fix == 'Did you mean "llama32"?'


@pytest.mark.parametrize("name", ["aya_adw", "ayaadv", "AYA_ADV"])
def test_an_unknown_profile_names_the_nearest(project: Path, name: str) -> None:
    error = refusal(name)
    assert error.message == f'There is no profile "{name}" in {project}/profiles or {bundled_profiles_dir()}.'
    assert error.fix.startswith("Did you mean aya_adv")


@pytest.mark.parametrize("name", ["", ".", "..", "zzzzzzzz", "a\0b", "*"])
def test_a_name_that_is_like_none(name: str) -> None:
    assert refusal(name).message.startswith("There is no profile ")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("gone.toml", "gone.toml does not exist."),
        ("profiles/", "profiles is a folder."),
        ("pipe.toml", "pipe.toml is not a regular file."),
        ("latin.toml", "latin.toml line 2 is not UTF-8 text."),
        ("big.toml", "too many for a profile."),
        ("syntax.toml", "syntax.toml line 3 is not valid TOML: "),
        ("open.toml", "open.toml line 2 is not valid TOML: "),
        ("twice.toml", "twice.toml line 3 is not valid TOML: cannot overwrite a value."),
        ("deep.toml", "deep.toml holds a value too large to read."),
        ("digits.toml", "digits.toml holds a value too large to read."),
        ("x" * 300 + ".toml", "cannot be read: file name too long."),
        ("a\0b.toml", "is no path."),
        ("~nobody-has-this-name/x.toml", "home folder that does not exist"),
    ],
)
def test_a_file_that_cannot_be_used(project: Path, path: str, says: str) -> None:
    os.mkfifo(project / "pipe.toml")
    (project / "latin.toml").write_bytes(b'family = "aya"\ndescription = "caf\xe9"\n')
    (project / "big.toml").write_bytes(b"#" * (2 << 20))
    (project / "syntax.toml").write_text('family = "aya"\n[sft]\nlr = = 3\n')
    (project / "open.toml").write_text('family = "aya"\ndescription = """')
    (project / "twice.toml").write_text('family = "aya"\nmode = 1\nmode = 2\n')
    (project / "deep.toml").write_text("a = " + "[" * 100_000)
    (project / "digits.toml").write_text("a = " + "1" * 10_000)
    error = refusal(path)
    assert says in error.message
    assert "\n" not in error.message
    assert error.fix


def test_an_unreadable_file(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        monkeypatch.setenv("INFT_HOME", folder)
        secret = Path(folder) / "secret.toml"
        secret.write_text('family = "aya"\n')
        Path(folder).chmod(0o755)
        secret.chmod(0)
        me = os.geteuid()
        try:
            if me == 0:
                os.seteuid(65534)  # root reads everything
            error = refusal(str(secret))
        finally:
            os.seteuid(me)
    assert error.message == "secret.toml cannot be read: permission denied."


# --- weight


def test_reading_a_profile_imports_nothing_heavy(project: Path) -> None:
    code = (
        "import sys, inft.profiles; inft.profiles.resolve('aya_adv');"
        "print(sorted({'torch', 'transformers', 'datasets', 'tomlkit', 'difflib', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_configuration_is_frozen() -> None:
    config = resolve("aya_adv").config
    with pytest.raises(AttributeError):
        config.mode = "basic"


def test_only_knobs_that_shape_the_curve_count_as_changes() -> None:
    old = resolve("demo_aya").config
    neutral = [
        "sft.save_steps=7",
        "basic.logs_dir=elsewhere",
        "data.num_workers=3",
        "description=x",
        "basic.stall_sec=9",
    ]
    assert curve_changes(old, resolve("demo_aya", neutral).config) == []
    shaping = ["sft.lr=1e-6", "lora.r=8", "data.batch_size=8", "mode=advanced", "data.seed=7"]
    assert curve_changes(old, resolve("demo_aya", [*neutral, *shaping]).config) == [
        "mode",
        "lora.r",
        "sft.lr",
        "data.batch_size",
        "data.seed",
    ]


def test_a_new_knob_counts_as_shaping_the_curve_until_somebody_says_otherwise() -> None:
    assert {info.name for info in describe_fields() if not info.shapes_curve and info.table == "lora"} == set()
