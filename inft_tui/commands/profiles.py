"""`profiles`: which there are, and every value of one with where it came from."""

from __future__ import annotations

import msgspec

from inft.errors import ExitCode
from inft.profiles import FieldInfo, ProfileSummary, Resolved, describe_fields, list_profiles, resolve
from inft.runs.visible import visible
from inft_tui.terminal import out, out_json, shown_path
from inft_tui.values import value_text


def run_list(*, as_json: bool) -> int:
    """Prints a line per profile."""
    found = list_profiles()
    if as_json:
        listed = [
            {
                "name": summary.name,
                "family": summary.family,
                "mode": summary.mode,
                "description": summary.description,
                "path": str(summary.path),
                "problem": summary.problem,
            }
            for summary in found
        ]
        out_json(msgspec.json.encode({"profiles": listed}).decode("utf-8"))
        return ExitCode.FINISHED
    for line in _list_lines(found):
        out(line)
    return ExitCode.FINISHED


def run_show(name: str, *, as_json: bool) -> int:
    """Prints every value of the profile `name`.

    Raises:
        ConfigError: there is no such profile, or it cannot be used.
    """
    resolved = resolve(name)
    if as_json:
        out_json(msgspec.json.encode(_as_data(resolved)).decode("utf-8"))
    else:
        for line in _show_lines(resolved):
            out(line)
    return ExitCode.FINISHED


def _list_lines(found: list[ProfileSummary]) -> list[str]:
    if not found:
        return ["There are no profiles here."]
    width = max(len(summary.name) for summary in found)
    lines: list[str] = []
    for summary in found:
        kind = f"{summary.family} {summary.mode}".strip()
        about = f"cannot be used: {summary.problem}" if summary.problem else summary.description
        lines.append(visible(f"{summary.name:<{width}}  {kind:<16}  {about}"))
    folders = sorted({visible(shown_path(summary.path.parent)) for summary in found})
    return [*lines, "", f"They are in {' and '.join(folders)}; `inft-tui profiles NAME` shows every value of one."]


def _show_lines(resolved: Resolved) -> list[str]:
    lines: list[str] = []
    table = ""
    for info in describe_fields():
        if info.table != table:
            table = info.table
            lines += ["", f"[{table}]"]
        origin = resolved.origins[info.key]
        lines.append(f"{info.name} = {value_text(_value(resolved, info))}  # {visible(origin)}")
        lines.append(f"    {_about(info)}")
    return lines


def _about(info: FieldInfo) -> str:
    bounds = info.bounds if info.kind in ("int", "float") else ""
    resume = "" if info.shapes_curve else "free to change on resume"
    facts = [fact for fact in (info.unit, bounds, ", ".join(info.choices), resume) if fact]
    return f"{info.description} ({'; '.join(facts)})" if facts else info.description


def _as_data(resolved: Resolved) -> dict[str, object]:
    config = resolved.config
    values = [
        {
            "key": info.key,
            "value": _value(resolved, info),
            "default": info.default,
            "origin": resolved.origins[info.key],
            "unit": info.unit,
            "bounds": info.bounds,
            "choices": info.choices,
            "shapes_curve": info.shapes_curve,
            "description": info.description,
        }
        for info in describe_fields()
    ]
    return {"profile": config.profile, "family": config.family, "mode": config.mode, "values": values}


def _value(resolved: Resolved, info: FieldInfo) -> object:
    table: object = vars(resolved.config)[info.table] if info.table else resolved.config
    return vars(table)[info.name]
