"""The end of a trainer's process: nothing that a library left running in it can keep it."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from typing import NoReturn

LAST_WORDS_S = 30.0
"""How long libraries may take for what they do at exit: a tracking service sends its last figures then."""


def leave(code: int) -> NoReturn:
    """Ends this process, the run of which has said its last word.

    The interpreter's own exit would wait for every thread of a download or a tracker, and for the GPU's driver.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # what comes now comes too late to change the run's exit code
    last_words = threading.Thread(target=atexit._run_exitfuncs, name="inft-exit", daemon=True)
    last_words.start()
    last_words.join(LAST_WORDS_S)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(code)
