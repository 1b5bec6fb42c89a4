"""How libraries that take seconds to load are loaded in fewer."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_loading() -> Iterator[None]:
    """In here the garbage collector rests, and what was made in here it never looks at.

    Modules, classes and functions are no garbage, and there are a million of them. Looking through them again and again
    took a quarter of the time in which the training libraries are loaded, and a second at the process's end.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()
