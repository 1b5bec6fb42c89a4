"""Which lines of a log say that something went wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator

from inft_tui.logs.patterns import LineMatcher
from inft_tui.logs.shown import Rendering, as_is

_ERROR = re.compile(
    r"""
      Traceback\ \(most\ recent\ call\ last\)
    | ^[\w.]*(Error|Exception|KeyboardInterrupt|SystemExit)(:\ |:?$)  # a traceback's last line
    | \[rank\d+\]:[\w.\ ]*(Error|Exception):
    | \b(ERROR|CRITICAL|FATAL)\b(?![\s\w]*[=/])                        # a logger's level
    | ^[\s\w.:/\\-]*\b[Ee]rror:\s                                      # x.cpp:12: error: ..., our own
    | \b[Ff]atal\ ([Pp]ython\ )?error\b
    | \bCUDA\ (error|out\ of\ memory|driver\ error)
    | \b(CUDA|CUBLAS|CUDNN|CUSOLVER|CUSPARSE|NCCL)_(STATUS|ERROR)_(?!SUCCESS\b)\w+
    | \b(NCCL|cuDNN|cuBLAS)\ error\b
    | \bdevice-side\ assert\b
    | \b(DataLoader\ worker|process|worker)\b.*\b(is\ killed|exited\ unexpectedly|was\ killed)\b
    | \b(Segmentation\ fault|Bus\ error|Aborted|core\ dumped|Out\ of\ memory:|oom-kill)
    | ^Killed\b
    | \bNo\ space\ left\ on\ device\b
    | \bNVRM:\ Xid\b
    | \b(eval\ )?loss\ not\ finite\b # ours, in words
    | ^([\d:]{8}\ \ )?training\ failed\b # the same, behind the time of day
    """,
    re.VERBOSE,
)

_NEEDLES = (
    b"error",
    b"traceback",
    b"exception",
    b"interrupt",
    b"systemexit",
    b"critical",
    b"fatal",
    b"cuda",
    b"_status_",
    b"device-side",
    b"killed",
    b"oom-kill",
    b"exited",
    b"segmentation fault",
    b"aborted",
    b"core dumped",
    b"out of memory",
    b"no space",
    b"xid",
    b"nonfinite",
    b"not finite",
    b"failed",
)
"""What every error line holds one of, in small letters; a block of lines without any of them is passed over."""


def is_error(text: str) -> bool:
    """Whether a line, as it is shown, says that something went wrong.

    >>> is_error("ValueError: no rows"), is_error("mean error 0.3, 0 errors")
    (True, False)
    """
    return _ERROR.search(text) is not None


_WARNING = re.compile(r"\bWARN(ING)?\b|^[\w./:\\ -]*\bwarning:\s|\b\w*Warning:\s", re.ASCII)


def is_warning(text: str) -> bool:
    """Whether a line, as it is shown, warns of something.

    >>> is_warning("x.py:3: UserWarning: slow"), is_warning("12:00:01  warning: few rows"), is_warning("warnings: 0")
    (True, True, False)
    """
    return _WARNING.search(text) is not None


class ErrorLines:
    """Finds the error lines of a log.

    Args:
        rendering: how its lines are shown.
    """

    def __init__(self, rendering: Rendering = as_is) -> None:
        self._lines = LineMatcher(rendering, is_error)

    def starts(self, block: bytes) -> Iterator[int]:
        """Where in `block`, which holds whole lines, the error lines begin."""
        small = block.lower()
        if not any(needle in small for needle in _NEEDLES):
            return
        yield from self._lines.starts(block)
