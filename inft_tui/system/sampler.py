"""Samples of this machine for as long as the console lasts, as a run's `hardware.jsonl` has them of its own.

    python -P -m inft_tui.system.sampler PID INTERVAL_S FOLDER/hardware.jsonl

The program is the one that samples for a run; when its stdin closes, which also happens if the console was killed, it
ends and takes its folder with it. A driver that hangs holds this process and nobody else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from inft.runs import hardware
from inft.runs.launch import own_path

MODULE = "inft_tui.system.sampler"
INTERVAL_S = 5.0
"""Between two samples; each takes a few ms of another process, and some of drawing."""
_CLOSING_S = 0.5


class Sampler:
    """The process, from its start to its end.

    Attributes:
        path: the file that it writes.

    Args:
        interval_s: seconds from one sample to the next.

    Raises:
        OSError: there is no room for its folder, or no process can be started.
    """

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        folder = Path(tempfile.mkdtemp(prefix="inft-system-"))
        self.path = folder / "hardware.jsonl"
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", MODULE, str(os.getpid()), str(interval_s), str(self.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **own_path()},
                start_new_session=True,
            )
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    @property
    def is_running(self) -> bool:
        """Whether it still samples."""
        return self._process.poll() is None

    def close(self) -> None:
        """Ends it; one that a driver holds is left to the kernel, with its folder taken away."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_CLOSING_S)
        shutil.rmtree(self.path.parent, ignore_errors=True)


def main() -> None:
    """The process that takes the samples."""
    try:
        hardware.main()
    finally:
        shutil.rmtree(Path(sys.argv[3]).parent, ignore_errors=True)


if __name__ == "__main__":
    main()
