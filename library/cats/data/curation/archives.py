"""Where images come from: a folder, a zip, a tar or an array, as a stream of names and contents.

Nothing is extracted to disk. What a file is, its first bytes tell and not its name.
"""

import hashlib
import posixpath
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np

from library.framework.errors import UserError

Content = bytes | np.ndarray | None
"""A file's bytes or an array of pixels; None for a file of more than `LARGEST` bytes, which is not read."""

KINDS = ("avif", "bmp", "dib", "gif", "jp2", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm", "tif", "tiff", "webp")
LARGEST = 1 << 26
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, OSError, RuntimeError, NotImplementedError)


class BadSource(UserError):
    """Images cannot be had from where they are said to be."""


@dataclass(frozen=True)
class Source:
    """A pile of images.

    Attributes:
        given: what it was called.
        fingerprint: differs as soon as the images may.
        total: how many there are; None if that is not known before all are read.
        read: names and contents from the nth on.
        others: how many files of which kind are no images; complete when all is read.
    """

    given: str
    fingerprint: str
    total: int | None
    read: Callable[[int], Iterator[tuple[str, Content]]]
    others: Counter[str] = field(default_factory=Counter)


def open_source(path: Path) -> Source:
    """Finds out what a path is.

    Raises:
        BadSource: it is not there, cannot be read, is of no kind that is known, or an entry's name or link points
            outside its folder; also while it is read, if an archive is broken.
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
    except _DAMAGE as error:
        raise _unreadable(path, error) from None
    if start[:4] == b"PK\3\4" or path.suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".xz", ".bz2"):
        raise BadSource(f"cats: {str(path)!r} is a broken archive (its end is missing or damaged); get it again")
    raise BadSource(f"cats: {str(path)!r} is no folder, zip, tar or npy; give CATS= one of these, or an address")


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
            yield name, _read_file(path / name)

    return Source(str(path), f"folder {sha.hexdigest()}", len(names), read, others)


def _read_file(path: Path) -> bytes | None:
    """A file's bytes; none where it cannot be read, which makes it a broken one."""
    try:
        with path.open("rb") as file:
            return _limited(file)
    except OSError:
        return b""


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
                yield info.filename, _read_zipped(path, archive, info)

    return Source(str(path), _fingerprint(path), len(infos), read, others)


def _read_zipped(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes | None:
    """An entry's bytes; none where these alone are damaged, which makes it a broken image."""
    try:
        with archive.open(info) as file:
            return _limited(file)
    except (zipfile.BadZipFile, zlib.error, EOFError):
        return b""
    except (RuntimeError, NotImplementedError, OSError) as error:  # such as of a password, or a method unknown
        raise _unreadable(path, error) from None


def _tar(path: Path) -> Source:
    others: Counter[str] = Counter()

    def read(skip: int) -> Iterator[tuple[str, Content]]:
        others.clear()
        try:
            with tarfile.open(path) as archive:
                for count, member in enumerate(_members(path, archive, others)):
                    if count >= skip:
                        file = archive.extractfile(member)
                        yield member.name, None if file is None else _limited(file)
        except _DAMAGE as error:
            raise _unreadable(path, error) from None

    return Source(str(path), _fingerprint(path), None, read, others)


def _members(path: Path, archive: tarfile.TarFile, others: Counter[str]) -> Iterator[tarfile.TarInfo]:
    """The images among a tar's files. Links within it are passed over: what they lead to is an entry of its own."""
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
            "allowed is uint8 or uint16 [n, height, width], with 3 or 4 channels after these if there is colour"
        )

    def read(skip: int) -> Iterator[tuple[str, Content]]:
        for row in range(skip, len(images)):
            yield f"{row:06}", np.array(images[row])

    return Source(str(path), _fingerprint(path), len(images), read)


def _limited(file: IO[bytes]) -> bytes | None:
    raw = file.read(LARGEST + 1)
    return raw if len(raw) <= LARGEST else None


def _is_image(name: str, others: Counter[str]) -> bool:
    """Whether a name is that of an image; the kinds of others are counted. Hidden files are neither."""
    parts = PurePosixPath(name).parts
    if parts[0] == "__MACOSX" or any(part.startswith(".") for part in parts):
        return False
    kind = PurePosixPath(name).suffix.lower().removeprefix(".")
    if kind not in KINDS:
        others[kind or "without a suffix"] += 1
    return kind in KINDS


def _check_inside(path: Path, name: str) -> None:
    plain = posixpath.normpath(name.replace("\\", "/"))
    if plain.startswith(("/", "../")) or plain == ".." or plain[1:2] == ":":
        raise BadSource(f"cats: {str(path)!r} has an entry that points outside its folder, {name!r}; nothing was taken")


def _fingerprint(path: Path) -> str:
    status = path.stat()
    return f"{path.name} {status.st_size} {status.st_mtime_ns}"


def _unreadable(path: Path, error: Exception) -> BadSource:
    told = " ".join(str(error).split())[:100] or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        return BadSource(f"cats: {str(path)!r} cannot be read ({error.strerror}); give CATS=folder|zip|tar|npy|address")
    return BadSource(f"cats: {str(path)!r} is a broken archive ({told}); get it again")


def none_found(source: Source) -> BadSource:
    """What to say of a source without a single image."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in source.others.most_common(8))
    return BadSource(
        f"cats: {source.given!r} holds no image among its {source.others.total()} files"
        f"{f' ({kinds})' if kinds else ''}; allowed are {', '.join(KINDS)}"
    )
