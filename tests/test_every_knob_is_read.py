"""A knob that does nothing is a defect: every parameter is read somewhere outside of its declaration."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path

import inft
from inft.params import BasicParams, LoRAParams, MUNIChusLoadConfig, QLoRAParams, SFTParams

PACKAGE = Path(inft.__file__).parent
DECLARED = PACKAGE / "params.py"
TABLES = (BasicParams, QLoRAParams, LoRAParams, SFTParams, MUNIChusLoadConfig)


def attributes_read() -> set[str]:
    """Names of all attributes that the package's code reads, where the code is more than a check of the value."""
    names = set()
    for path in PACKAGE.rglob("*.py"):
        if path == DECLARED or path.parent.name == "profiles":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                names.add(node.attr)
    return names


def test_every_parameter_is_read() -> None:
    read = attributes_read()
    idle = [f"{table.__name__}.{field.name}" for table in TABLES for field in fields(table) if field.name not in read]
    assert idle == []
