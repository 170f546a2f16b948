"""From a pile of images to a set of cats: decoded, without duplicates, split, kept as one array and a report.

All that is done is kept as it is done, so that the same command goes on where it was stopped.
"""

import errno
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from library.cats.data import dataset
from library.cats.data.curation.archives import BadSource, Content, Source, none_found
from library.cats.data.curation.checkpoint import Entry, Journal
from library.cats.data.curation.contact_sheets import Sheet, sheets
from library.cats.data.curation.decoding import Picture, decode
from library.cats.data.curation.filtering import Dropped, Sifted, dropped, sift
from library.cats.data.dataset import FEWEST, IMAGES, PARTS, REPORT, SIZE
from library.framework.environment import available_cores
from library.framework.errors import UserError
from library.framework.training.splits import digest

_CHUNK, _CHUNK_BYTES = 256, 1 << 25

Show = Callable[[int, int | None], None]
"""Told how much is done, of how much if that is known."""


@dataclass(frozen=True)
class Curation:
    """What came of it.

    Attributes:
        folder: where the set is.
        digest: of its images and their split.
        splits: how many images each part has.
        alike: how many images have one much like them, on the same side of the split.
        dropped: all that is not in it.
        sheets: some of these by their reason.
    """

    folder: Path
    digest: str
    splits: Mapping[str, int]
    alike: int
    dropped: Sequence[Dropped]
    sheets: Mapping[str, Sheet]


def curate(source: Source, folder: Path, show: Show) -> Curation:
    """Makes a set of cats, or goes on with one that was begun from the same source.

    Args:
        source: the images.
        folder: where the set is to be; replaces a set that is there.
        show: told after every chunk how many images are behind it, of how many.

    Raises:
        UserError: there is no image, too few are left, the disk is full, or the folder is of something else.
    """
    _check_target(folder)
    partial = folder.with_name(f"{folder.name}.partial")
    with writing(partial):
        partial.mkdir(parents=True, exist_ok=True)
        try:
            with Journal(partial, source.fingerprint) as journal:
                curation = _curate(source, journal, partial, folder, show)
        except BadSource:
            shutil.rmtree(partial)  # there is nothing to go on with
            raise
        _move(partial, folder)
    return curation


def _curate(source: Source, journal: Journal, partial: Path, folder: Path, show: Show) -> Curation:
    _check_room(partial, source, len(journal.entries))
    for entries, images in _decoded(source, len(journal.entries)):
        journal.append(entries, images)
        show(len(journal.entries), source.total)
    if not journal.entries:
        raise none_found(source)
    sifted = sift(journal)
    gone = dropped(journal, sifted)
    _check_enough(source, sifted, gone)
    report = _write(journal, sifted, partial, source, gone)
    return Curation(folder, report["digest"], report["splits"], sifted.alike, gone, sheets(journal, sifted))


def _check_target(folder: Path) -> None:
    """Refuses a folder that holds anything but an earlier set."""
    if folder.exists() and not dataset.read_report(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(f"out: {str(folder)!r} is there and is no set of cats; give another OUT=folder")


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Says in one line why a folder does not take what is written to it within the block."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"out: the disk of {str(folder)!r} is full; make room and give the same command again: it goes on"
            ) from error
        raise UserError(
            f"out: {str(folder)!r} cannot be written ({error.strerror}); give another STORE= or OUT=folder"
        ) from error


def _check_room(partial: Path, source: Source, done: int) -> None:
    """Says beforehand what the disk cannot hold: the images as they are decoded, and once more in their order."""
    needed = (2 * (source.total or done) - done) * SIZE * SIZE * 3
    free = shutil.disk_usage(partial).free
    if needed > free:
        raise UserError(
            f"out: {needed / 2**20:,.0f} MiB are needed in {str(partial)!r} and {free / 2**20:,.0f} are free; "
            "make room, or give another STORE= or OUT=folder"
        )


def _decoded(source: Source, done: int) -> Iterator[tuple[list[Entry], list[np.ndarray]]]:
    """Chunks of entries and their images; while one is decoded, the next is read."""
    with ThreadPoolExecutor(available_cores()) as pool:
        chunks = ((chunk, pool.map(decode, [content for _, content in chunk])) for chunk in _chunks(source.read(done)))
        ahead = next(chunks, None)
        while ahead:
            (chunk, pictures), ahead = ahead, next(chunks, None)
            yield _entries(chunk, list(pictures))


def _chunks(stream: Iterator[tuple[str, Content]]) -> Iterator[list[tuple[str, Content]]]:
    """As many as are decoded at once: few where they are large."""
    chunk: list[tuple[str, Content]] = []
    size = 0
    for name, content in stream:
        chunk.append((name, content))
        size += _size(content)
        if len(chunk) == _CHUNK or size > _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _entries(chunk: Sequence[tuple[str, Content]], pictures: Sequence[Picture]) -> tuple[list[Entry], list[np.ndarray]]:
    entries = [
        Entry(name, _size(content), picture.side, picture.reason)
        for (name, content), picture in zip(chunk, pictures, strict=True)
    ]
    return entries, [picture.image for picture in pictures]


def _size(content: Content) -> int:
    return content.nbytes if isinstance(content, np.ndarray) else len(content or b"")


def _check_enough(source: Source, sifted: Sifted, gone: Sequence[Dropped]) -> None:
    sizes = [len(part) for part in sifted.parts]
    if sum(sizes) < FEWEST or min(sizes) < 1:
        reasons = ", ".join(f"{count} {reason}" for reason, count in Counter(one.reason for one in gone).items())
        raise BadSource(
            f"cats: {sum(sizes)} of {sum(sizes) + len(gone)} images of {source.given!r} are left"
            f"{f' ({reasons})' if reasons else ''}, {' + '.join(map(str, sizes))} to {', '.join(PARTS)}; "
            f"allowed is {FEWEST} or more that are not all alike"
        )


def _write(journal: Journal, sifted: Sifted, folder: Path, source: Source, gone: Sequence[Dropped]) -> dict[str, Any]:
    """Writes `images.npy` and `curation.json`; returns what is in the latter."""
    sizes = [len(part) for part in sifted.parts]
    rows = np.concatenate(sifted.parts)
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(rows), SIZE, SIZE, 3)}
    with (folder / IMAGES).open("wb") as file:  # not mapped: a full disk would end the process without a word
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(rows), _CHUNK):
            file.write(journal.images(rows[start : start + _CHUNK]).tobytes())
    images = np.load(folder / IMAGES, mmap_mode="r")
    report = {
        "source": source.given,
        "digest": digest(np.split(images, np.cumsum(sizes)[:-1])),
        "splits": dict(zip(PARTS, sizes, strict=True)),
        "alike": sifted.alike,
        "dropped": [asdict(one) for one in gone],
        "names": [journal.entries[row].name for row in rows],
    }
    (folder / REPORT).write_text(json.dumps(report, indent=1), encoding="utf-8")
    return report


def _move(partial: Path, folder: Path) -> None:
    """Puts the finished set in its place, in one step where there was none before."""
    for name in ("journal.jsonl", "images.raw"):
        (partial / name).unlink()
    old = folder.with_name(f"{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
