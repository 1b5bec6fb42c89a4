"""Where every command ends: whatever went wrong becomes one sentence and an exit code, never a traceback."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from inft.errors import ExitCode, InftError
from inft.runs.redact import redact
from inft.runs.visible import visible
from inft_tui.paragraphs import indented
from inft_tui.terminal import err, out_json, silence_stdout

CRASH_LOG = "inft-tui-crash.log"


def exit_code_of(command: Callable[[], int], *, as_json: bool = False) -> int:
    """Runs `command` and gives the exit code for how it ended.

    Args:
        command: returns its own exit code.
        as_json: also say an error as an alert event on stdout.
    """
    try:
        return command()
    except InftError as error:
        fix = error.fix if as_json else error.fix_with_details
        report(error.kind, error.message, fix, as_json=as_json)
        return error.exit_code
    except KeyboardInterrupt:
        err("Stopped.")
        return ExitCode.STOPPED
    except BrokenPipeError:
        # `inft-tui profiles | head` is no error.
        silence_stdout()
        return ExitCode.FINISHED
    except Exception as error:  # noqa: BLE001 - the outermost edge: a defect of ours must not print its traceback
        message = f"inft-tui failed in a way it should not: {type(error).__name__}: {error}."
        report("internal", message, _record_crash(), as_json=as_json)
        return ExitCode.INTERNAL


def report(kind: str, message: str, fix: str, *, as_json: bool) -> None:
    """Says an error on stderr, and as an alert event on stdout if asked to.

    Args:
        kind: one word to filter by.
        message: what and where.
        fix: what to do; may be empty.
        as_json: whether stdout carries events.
    """
    # A message about several problems has a line for each.
    for line in redact(f"error: {message}\n  {fix}").rstrip().split("\n"):
        for part in indented(visible(line), sys.stderr):
            err(part)
    if as_json:
        # Only an error needs these 20 ms.
        import msgspec

        from inft.runs.events import alert
        from inft.runs.jsonl import strict

        event = strict(alert(level="error", kind=kind, message=message, fix=fix))
        try:
            out_json(msgspec.json.encode(event).decode("utf-8"))
        except BrokenPipeError:
            silence_stdout()


def _record_crash() -> str:
    """Appends the present exception's traceback to the crash log and says where that is."""
    from inft.params import BasicParams
    from inft.project import inside, project_root

    try:
        # The configuration may be what failed, so the default folder has to do.
        path: Path = inside(project_root(), BasicParams().logs_dir, "basic.logs_dir") / CRASH_LOG
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(redact(traceback.format_exc()) + "\n")
    except (OSError, InftError) as error:
        return f"Its traceback could not be kept ({error}); please report what you did."
    return f"The traceback is in {path}; please report it."
