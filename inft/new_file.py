"""A file under a name that nothing has yet: there in full or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

from inft.errors import disk_error

# What file systems without hard links (FAT, some network shares, FUSE) answer.
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})


def create_file(path: Path, content: bytes) -> None:
    """Writes `content` to `path`, which nothing may have as its name.

    A reader, a full disk, a kill or a power cut never finds half of it, and what another program puts there this moment
    is not overwritten.

    Args:
        path: the file; its folder must exist.
        content: everything it holds.

    Raises:
        FileExistsError: something is there.
        DiskError: it could not be written; nothing is left of it.
    """
    # Not called after the file, whose name may be as long as a name can be.
    temporary = path.with_name(f".inft-new-{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _give_name(temporary, path)
    except FileExistsError:
        raise
    except OSError as error:
        raise disk_error(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _give_name(temporary: Path, path: Path) -> None:
    """Unlike a rename, a link fails where the name is taken."""
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        path.open("xb").close()
        try:
            temporary.replace(path)
        except OSError:
            path.unlink()
            raise
