"""The moment at which `status.json` passes from the supervisor to the trainer.

The supervisor starts the trainer with an open pipe as its stdin, writes down both processes and closes the pipe. The
trainer waits for that close, also the kernel's if the supervisor dies, and is the one writer from then on.
"""

from __future__ import annotations

import os
from dataclasses import replace

from inft.machine.processes import is_alive, this_process
from inft.runs.directory import RunDirectory
from inft.runs.status import Pids, read_status

SUPERVISED = "INFT_SUPERVISED"
"""The environment variable that tells a trainer to wait for its supervisor's word; 1 = wait."""


def take_over(run: RunDirectory) -> Pids:
    """Waits for the supervisor's word, if there is a supervisor, and makes this process the writer of the status.

    Returns:
        The processes of the run: this one as its trainer, and its supervisor if one started this process.

    Raises:
        OSError: `status.json` is there and cannot be read.
    """
    # Taken out, so that no process started from here waits for a word of its own.
    if os.environ.pop(SUPERVISED, "0") == "1":
        _wait_for_the_word()
    found = read_status(run.status_json)
    pids = found.pids if found is not None else Pids()
    recorded = pids.trainer
    if recorded is not None and recorded.pid == os.getpid() and is_alive(recorded):
        return pids
    return replace(pids, supervisor=None, trainer=this_process())


def _wait_for_the_word() -> None:
    """Reads stdin until every writer has closed it."""
    while os.read(0, 64):
        pass
