"""Reads raw images from a folder, zip, tar or array as a stream of names and contents.

Archives are never extracted to disk, so no entry can be written outside its folder. A file's kind is told from its
first bytes, not from its name.
"""

import hashlib
import lzma
import posixpath
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np

from library.framework.environment import option
from library.framework.errors import UserError

Content = bytes | np.ndarray | None
"""A file's bytes or an array of pixels; None for a file of more than `MAX_FILE_BYTES`, which is not read."""

SUFFIXES = ("avif", "bmp", "dib", "gif", "jp2", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm", "tif", "tiff", "webp")
MAX_FILE_BYTES = 1 << 26
_DAMAGED = (zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError)
_READ_ERRORS = (*_DAMAGED, tarfile.TarError, OSError, RuntimeError, NotImplementedError)


class BadSource(UserError):
    """The raw images cannot be read."""


@dataclass(frozen=True)
class Source:
    """Raw images to curate, `given` as the path or address that the user wrote.

    The fingerprint changes whenever the images may have changed; the total is None if unknown before all are read.
    `read` yields names and contents from the nth image on; `others` then counts files that are no images, by suffix.
    """

    given: str
    fingerprint: str
    total: int | None
    read: Callable[[int], Iterator[tuple[str, Content]]]
    others: Counter[str] = field(default_factory=Counter)


def open_source(path: Path) -> Source:
    """Opens a folder, zip, tar or npy file.

    BadSource, then or while it is read, if the path does not exist, cannot be read or is of an unknown kind, an archive
    is broken, or an entry's name or link points outside its folder.
    """
    try:
        if path.is_dir():
            return _folder(path)
        with path.open("rb") as file:
            start = file.read(6)
        if start == b"\x93NUMPY":
            return _array(path)
        if zipfile.is_zipfile(path):
            return _zip(path)
        if start[:4] != b"PK\3\4" and tarfile.is_tarfile(path):
            return _tar(path)
    except _READ_ERRORS as error:
        raise _unreadable(path, error) from None
    if start[:4] == b"PK\3\4" or path.suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".xz", ".bz2"):
        raise BadSource(f"cats: {str(path)!r} is a broken archive (its end is missing or damaged); get it again")
    raise BadSource(f"cats: {str(path)!r} is no folder, zip, tar or npy; give one of these, or an address")


def printable(name: str) -> str:
    r"""A file's name with escapes such as `\xff` for what is not UTF-8, as databases and JSON refuse that."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _folder(path: Path) -> Source:
    others: Counter[str] = Counter()
    files = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    names = [name for name in files if _is_image(name, others)]
    sha = hashlib.sha256()
    for name in names:
        status = (path / name).stat()
        sha.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode(errors="surrogateescape"))

    def read(skip: int) -> Iterator[tuple[str, Content]]:
        for name in names[skip:]:
            try:
                with (path / name).open("rb") as file:
                    content = _read_limited(file)
            except OSError:
                content = b""  # which counts as a broken image
            yield printable(name), content

    return Source(printable(str(path)), f"folder {sha.hexdigest()}", len(names), read, others)


def _zip(path: Path) -> Source:
    others: Counter[str] = Counter()
    with zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
    for info in infos:
        _check_inside(path, info.filename)
    infos = [info for info in infos if _is_image(info.filename, others)]

    def read(skip: int) -> Iterator[tuple[str, Content]]:
        with zipfile.ZipFile(path) as archive:
            for info in infos[skip:]:
                try:
                    with archive.open(info) as file:
                        content = _read_limited(file)
                except _DAMAGED:
                    content = b""  # only this entry is damaged: it counts as a broken image
                except (RuntimeError, NotImplementedError, OSError) as error:  # a password, an unknown compression
                    raise _unreadable(path, error) from None
                yield printable(info.filename), content

    return Source(str(path), _fingerprint(path), len(infos), read, others)


def _tar(path: Path) -> Source:
    others: Counter[str] = Counter()

    def read(skip: int) -> Iterator[tuple[str, Content]]:
        others.clear()
        try:
            with tarfile.open(path) as archive:
                for member in islice(_members(path, archive, others), skip, None):
                    file = archive.extractfile(member)
                    yield printable(member.name), None if file is None else _read_limited(file)
        except _READ_ERRORS as error:
            raise _unreadable(path, error) from None

    return Source(str(path), _fingerprint(path), None, read, others)


def _members(path: Path, archive: tarfile.TarFile, others: Counter[str]) -> Iterator[tarfile.TarInfo]:
    """The images among a tar's regular files. Links within it are skipped, as their target is an entry of its own."""
    for member in archive:
        _check_inside(path, member.name)
        if member.issym():
            _check_inside(path, posixpath.join(posixpath.dirname(member.name), member.linkname))
        elif member.islnk():
            _check_inside(path, member.linkname)
        elif member.isfile() and _is_image(member.name, others):
            yield member


def _array(path: Path) -> Source:
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise _unreadable(path, error) from None
    grey, colour = images.ndim == 3, images.ndim == 4 and images.shape[3] in (3, 4)
    if not (grey or colour) or images.dtype not in (np.uint8, np.uint16):
        raise BadSource(
            f"cats: {str(path)!r} holds {images.dtype} {list(images.shape)}; "
            "allowed is uint8 or uint16 [n, height, width], or [n, height, width, 3 or 4] in colour"
        )

    def read(skip: int) -> Iterator[tuple[str, Content]]:
        for row in range(skip, len(images)):
            yield f"{row:06}", np.array(images[row])

    return Source(str(path), _fingerprint(path), len(images), read)


def _read_limited(file: IO[bytes]) -> bytes | None:
    raw = file.read(MAX_FILE_BYTES + 1)
    return raw if len(raw) <= MAX_FILE_BYTES else None


def _is_image(name: str, others: Counter[str]) -> bool:
    """Whether a file's suffix is an image's; other files are counted, hidden ones ignored."""
    parts = PurePosixPath(name).parts
    if parts[0] == "__MACOSX" or any(part.startswith(".") for part in parts):
        return False
    suffix = PurePosixPath(name).suffix.lower().removeprefix(".")
    if suffix not in SUFFIXES:
        others[suffix or "without a suffix"] += 1
    return suffix in SUFFIXES


def _check_inside(path: Path, name: str) -> None:
    plain = posixpath.normpath(name.replace("\\", "/"))
    if plain.startswith(("/", "../")) or plain == ".." or plain[1:2] == ":":
        raise BadSource(f"cats: {str(path)!r} has an entry that points outside its folder, {name!r}; nothing was read")


def _fingerprint(path: Path) -> str:
    status = path.stat()
    return f"{path.name} {status.st_size} {status.st_mtime_ns}"


def _unreadable(path: Path, error: Exception) -> BadSource:
    if isinstance(error, OSError) and error.strerror:
        return BadSource(f"cats: {str(path)!r} cannot be read ({error.strerror}); give another {option(cats='...')}")
    reason = " ".join(str(error).split())[:100] or type(error).__name__
    return BadSource(f"cats: {str(path)!r} is a broken archive ({reason}); get it again")
