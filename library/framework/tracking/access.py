"""Who may write a store: its owner, and the group of its folder where that folder lets it.

A second user, or a read-only disk, is an ordinary case: it either works or is one line that names the owner.
"""

import errno
import os
import shlex
import stat
from pathlib import Path

DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
DATABASES = ("mlflow.db", "optuna.db")


def is_of_disk(error: BaseException, *folders: Path) -> bool:
    """Whether an error is of a disk, or of what is in one of some folders."""
    if not isinstance(error, OSError):
        return False
    return error.errno in DISK_ERRORS or any(Path(str(error.filename)).is_relative_to(folder) for folder in folders)


def refusal(*paths: Path) -> str:
    """Why this process may not write the first path for which that is so; empty if it may write all that are there.

    Args:
        paths: the store's folder, and what is in it.
    """
    for path in paths:
        is_writable = os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
        if not is_writable and path.exists():
            if os.statvfs(path).f_flag & os.ST_RDONLY:
                return f"{path} is on a disk that is mounted read-only"
            share = f"`chmod -R g+w {shlex.quote(str(paths[0]))}`"
            return f"permission denied: {path} belongs to {_owner(path)}, who can let the group write with {share}"
    return ""


def share_with_group(root: Path) -> None:
    """Lets the group write what this process makes from now on, if it may write the store's folder.

    The umask does that for folders and files, but SQLite makes a database with the mode 644 and its journals with the
    mode of the database: so the databases are made here, empty, which SQLite takes for new ones.
    """
    if root.stat().st_mode & stat.S_IWGRP:
        os.umask(os.umask(0o077) & ~stat.S_IRWXG)
        for name in DATABASES:
            if not (root / name).exists():
                (root / name).touch(0o666)


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:  # as in a container
        return f"user {path.stat().st_uid}"
