"""The figures of an evaluation that a checkpoint can be chosen by, as its event calls them."""

from __future__ import annotations

from inft.config import Config

PREFIX = "eval_"

CAPTION_METRICS = ("chrf", "bleu4", "cider")

_OF_TOKENS: dict[str, bool | None] = {"loss": False, "mean_token_accuracy": True, "entropy": None}


def figures_to_choose_by(config: Config) -> dict[str, bool | None]:
    """What the evaluations of a run measure of the model, and whether more of it is better; None = nobody can say.

    >>> from inft.profiles import resolve
    >>> found = figures_to_choose_by(resolve("aya_basic", ["data.languages=en", "data.eval_fraction=0.1"]).config)
    >>> [name for name, more_is_better in found.items() if more_is_better is False]
    ['eval_loss', 'eval_loss_en', 'eval_caption_failures']
    """
    languages = sorted(set(config.data.languages))
    figures = {**_OF_TOKENS, **{f"loss_{language}": False for language in languages}}
    if config.basic.eval_captions:
        for metric in CAPTION_METRICS:
            figures |= {metric: True, **{f"{metric}_{language}": True for language in languages}}
        figures["caption_failures"] = False
    return {PREFIX + name: more_is_better for name, more_is_better in figures.items()}


def more_is_better(config: Config) -> bool:
    """Whether more of the figure that checkpoints are chosen by is better, as stated or else as of its kind.

    >>> from inft.profiles import resolve
    >>> by_cider = ["data.eval_fraction=0.1", "sft.metric_for_best_model=cider"]
    >>> more_is_better(resolve("aya_basic", by_cider).config), more_is_better(resolve("aya_basic", []).config)
    (True, False)
    """
    stated = config.sft.greater_is_better
    return bool(figures_to_choose_by(config)[full_name(config.sft.metric_for_best_model)] if stated is None else stated)


def criterion(config: Config) -> dict[str, object]:
    """What decides which checkpoint is the best, by name: figures are comparable where all of it is the same.

    >>> from inft.profiles import resolve
    >>> criterion(resolve("aya_basic", ["data.eval_fraction=0.1"]).config)
    {'sft.metric_for_best_model': 'eval_loss', 'sft.greater_is_better': False}
    """
    if not config.evaluates:
        return {}
    name, basic = full_name(config.sft.metric_for_best_model), config.basic
    found: dict[str, object] = {
        "sft.metric_for_best_model": name,
        "sft.greater_is_better": more_is_better(config),
    }
    if any(name.startswith(f"{PREFIX}{metric}") for metric in (*CAPTION_METRICS, "caption_failures")):
        found |= {
            "basic.eval_captions": basic.eval_captions,
            "basic.gen_max_new_tokens": basic.gen_max_new_tokens,
            "basic.gen_num_beams": basic.gen_num_beams,
        }
    return found


def full_name(metric: str) -> str:
    """A figure's name in the event; the Trainer takes one without the prefix, too.

    >>> full_name("cider"), full_name("eval_loss")
    ('eval_cider', 'eval_loss')
    """
    return metric if metric.startswith(PREFIX) else PREFIX + metric
