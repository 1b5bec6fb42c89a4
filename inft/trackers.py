"""Tracking services that figures can go to, and the package that each needs."""

from __future__ import annotations

import importlib.util

TRACKER_PACKAGES = {
    "wandb": "wandb",
    "mlflow": "mlflow",
    "tensorboard": "tensorboard",
    "comet_ml": "comet_ml",
    "trackio": "trackio",
    "swanlab": "swanlab",
}


def missing_package(name: str) -> str | None:
    """The package of `sft.report_to` that is not installed; None if nothing is missing."""
    package = TRACKER_PACKAGES.get(name)
    return None if package is None or importlib.util.find_spec(package) is not None else package
