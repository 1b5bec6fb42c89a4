"""What has to hold between the parameters of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from inft.config import Config
from inft.evaluation_figures import figures_to_choose_by, full_name
from inft.profiles.knobs import close
from inft.profiles.problems import Problem
from inft.sft_params import SFTParams
from inft.wording import did_you_mean, shown

Where = Callable[[str], str]
"""Says where a dotted key got its value: "profiles/x.toml line 12"."""


def check_evaluation(config: Config, where: Where) -> Iterator[Problem]:
    """Every rule about evaluations that `config` breaks."""
    yield from _rows(config, where)
    if config.evaluates:
        yield from _metric(config, where)
    elif config.sft.metric_for_best_model != SFTParams.metric_for_best_model:
        metric = "sft.metric_for_best_model"
        yield Problem(
            f"{metric} = {shown(config.sft.metric_for_best_model)} in {where(metric)} has no effect without an "
            "evaluation.",
            "State data.eval_fraction = 0.02, say, or data.eval_split, or leave it out.",
            (metric, "data.eval_fraction", "data.eval_split"),
        )


def _rows(config: Config, where: Where) -> Iterator[Problem]:
    fraction, split = "data.eval_fraction", "data.eval_split"
    if config.data.eval_fraction is not None and config.data.eval_split is not None:
        yield Problem(
            f"{fraction} = {config.data.eval_fraction:g} in {where(fraction)} holds rows out to evaluate on, and "
            f"{split} = {shown(config.data.eval_split)} in {where(split)} names others.",
            'Leave one of them out, or set it to "none".',
            (fraction, split),
        )


def _metric(config: Config, where: Where) -> Iterator[Problem]:
    metric, greater, captions = "sft.metric_for_best_model", "sft.greater_is_better", "basic.eval_captions"
    name, figures = full_name(config.sft.metric_for_best_model), figures_to_choose_by(config)
    if name not in figures:
        stated = f"{metric} = {shown(config.sft.metric_for_best_model)} in {where(metric)}"
        if name in figures_to_choose_by(replace(config, basic=replace(config.basic, eval_captions=1))):
            yield Problem(
                f"{stated} needs captions to score, and {captions} = 0 in {where(captions)} has none made.",
                f"State {captions} = 4, or choose one of {', '.join(figures)}.",
                (metric, captions),
            )
            return
        yield Problem(
            f"{stated} is no figure of this run's evaluations.",
            did_you_mean([shown(near) for near in close(tuple(figures), name)])
            or f"Choose one of {', '.join(figures)}.",
            (metric, "data.languages"),
        )
        return
    more_is_better, asked = figures[name], config.sft.greater_is_better
    if more_is_better is None and asked is None:
        yield Problem(
            f"{metric} = {shown(config.sft.metric_for_best_model)} in {where(metric)} names a figure of which nobody "
            "can say whether more or less of it is better.",
            f"State {greater} = true or false.",
            (metric, greater),
        )
    elif more_is_better is not None and asked is not None and more_is_better != asked:
        yield Problem(
            f"{greater} = {str(asked).lower()} in {where(greater)} would keep the worst checkpoint: of {name}, which "
            f"{metric} in {where(metric)} names, {'more' if more_is_better else 'less'} is better.",
            f"Leave it out, or set {greater} = {str(more_is_better).lower()}.",
            (greater, metric),
        )
