"""Downloads raw images from an http(s) address with Keras, either completely or not at all."""

import errno
import hashlib
import io
import socket
import sys
from contextlib import redirect_stdout
from pathlib import Path
from urllib.parse import unquote, urlsplit

from library.framework.environment import start_keras
from library.framework.errors import UserError


def is_address(cats: str) -> bool:
    """Whether this is an http(s) address rather than a path."""
    return cats.lower().startswith(("http://", "https://"))


def file_name(address: str) -> str:
    """The file name in an address, or else its host; UserError if the address is malformed."""
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise UserError(f"cats: {address!r} is no address ({error}); check it") from None
    return unquote(parts.path).rstrip("/").rpartition("/")[2] or parts.netloc


def download(address: str, folder: Path, sha256: str) -> Path:
    """Downloads a file into a folder, unless an earlier call has, and returns its path; no checksum accepts any file.

    UserError, and no file, if the download fails or the checksum differs; OSError if the folder cannot be written.
    """
    path = folder.resolve() / hashlib.sha256(address.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _get_file(address, path.with_suffix(".part")).rename(path)
    if not sha256:
        return path
    with path.open("rb") as file:  # not by get_file, which does not say which checksum it found
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256.lower():
        path.unlink()
        raise UserError(f"cats: {address!r} has the checksum {found}, not SHA256={sha256.lower()}; check both")
    return path


def _get_file(address: str, path: Path) -> Path:
    start_keras(None)
    import keras

    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(30)  # seconds without a byte
    try:
        with redirect_stdout(sys.stderr if sys.stderr.isatty() else io.StringIO()):  # a bar, on a terminal only
            keras.utils.get_file(path.name, address, cache_subdir=str(path.parent), force_download=True)
    except Exception as error:  # get_file raises a bare one in place of urllib's
        if isinstance(error, OSError) and (error.filename or error.errno in (errno.ENOSPC, errno.EDQUOT)):
            raise
        reason = " ".join(str(error.__context__ or error).strip("<>").removeprefix("urlopen error ").split())[:100]
        raise UserError(f"cats: {address!r} cannot be downloaded ({reason}); check it and the network") from None
    finally:
        socket.setdefaulttimeout(timeout)
    return path
