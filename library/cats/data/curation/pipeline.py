"""Curates raw images into a set of cats: decodes, deduplicates and splits them, and writes one array and a report.

Progress is saved throughout, so that the same command resumes an interrupted curation.
"""

import errno
import json
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from library.cats.data import dataset
from library.cats.data.curation.archives import SUFFIXES, BadSource, Content, Source
from library.cats.data.curation.checkpoint import FILES, Checkpoint, Entry
from library.cats.data.curation.contact_sheets import ContactSheet, contact_sheets
from library.cats.data.curation.decoding import decode
from library.cats.data.curation.filtering import Dropped, Selection, filter_images, list_dropped
from library.cats.data.dataset import IMAGES, MIN_IMAGES, REPORT, SIZE, SPLITS
from library.framework.environment import available_cores, option
from library.framework.errors import UserError
from library.framework.training.splits import digest

_CHUNK_BYTES = 1 << 25
_ROWS = 256  # written at once
Show = Callable[[int, int | None], None]
"""Shows progress: how many images are done, and of how many if that is known."""


@dataclass(frozen=True)
class Curation:
    """A curated set: its folder, the digest of its images and their split, and the number of images in each split.

    Attributes:
        alike: number of images that have a similar one, on the same side of the split.
        dropped: all images that are not in the set.
        sheets: some of those, by reason.
    """

    folder: Path
    digest: str
    splits: Mapping[str, int]
    alike: int
    dropped: Sequence[Dropped]
    sheets: Mapping[str, ContactSheet]


def curate(source: Source, folder: Path, show: Show, chunk_size: int = 256) -> Curation:
    """Curates a set of cats, or resumes an interrupted curation of the same source; replaces an earlier set.

    Shows progress after every chunk: `chunk_size` images, fewer if they are large, are decoded between two checkpoints.
    UserError if there is no image, too few are left, the disk is full, or the folder holds something else.
    """
    if folder.exists() and not dataset.read_report(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(f"out: {str(folder)!r} exists and is no set of cats; give another {option(out='folder')}")
    partial = folder.with_name(f"{folder.name}.partial")
    # Pillow's warnings are ignored here and not around each image, as threads share the filters.
    with writing(partial), warnings.catch_warnings(action="ignore"):
        partial.mkdir(parents=True, exist_ok=True)
        try:
            with Checkpoint(partial, source.fingerprint) as checkpoint:
                curation = _curate(source, checkpoint, partial, folder, show, chunk_size)
        except BadSource:
            shutil.rmtree(partial)  # there is nothing to resume
            raise
        for name in FILES:
            (partial / name).unlink()
        # In one step if there was no set before.
        old = folder.with_name(f"{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        partial.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    return curation


def _curate(
    source: Source, checkpoint: Checkpoint, partial: Path, folder: Path, show: Show, chunk_size: int
) -> Curation:
    done = len(checkpoint.entries)
    needed = (2 * (source.total or done) - done) * SIZE * SIZE * 3  # decoded images, and copies in the final order
    free = shutil.disk_usage(partial).free
    if needed > free:
        raise UserError(
            f"out: {needed / 2**20:,.0f} MiB are needed in {str(partial)!r} and {free / 2**20:,.0f} are free; "
            f"make room, or give another store or {option(out='folder')}"
        )
    for entries, images in _decode_chunks(source, done, chunk_size):
        checkpoint.append(entries, images)
        show(len(checkpoint.entries), source.total)
    if not checkpoint.entries:
        counts = ", ".join(f"{count} {suffix}" for suffix, count in source.others.most_common(8))
        raise BadSource(
            f"cats: {source.given!r} holds no image among its {source.others.total()} files"
            f"{f' ({counts})' if counts else ''}; allowed are {', '.join(SUFFIXES)}"
        )
    selection = filter_images(checkpoint)
    dropped = list_dropped(checkpoint, selection)
    report = _write(checkpoint, selection, partial, source, dropped)
    sheets = contact_sheets(checkpoint, selection)
    return Curation(folder, report["digest"], report["splits"], selection.alike, dropped, sheets)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns errors of writing to a folder within the block into errors of one line."""
    try:
        yield
    except OSError as error:
        message = f"{str(folder)!r} cannot be written ({error.strerror}); give another store or {option(out='folder')}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"the disk of {str(folder)!r} is full; make room and give the same command again: it resumes"
        raise UserError(f"out: {message}") from error


def _decode_chunks(source: Source, skip: int, chunk_size: int) -> Iterator[tuple[list[Entry], list[np.ndarray]]]:
    """Chunks of entries and their images; while one chunk is decoded, the next is read."""
    with ThreadPoolExecutor(available_cores()) as pool:
        raw = _chunks(source.read(skip), chunk_size)
        chunks = ((chunk, pool.map(decode, [content for _, content in chunk])) for chunk in raw)
        ahead = next(chunks, None)
        while ahead:
            (chunk, decoded), ahead = ahead, next(chunks, None)
            pairs = list(zip(chunk, decoded, strict=True))
            entries = [Entry(name, _size(content), one.side, one.reason) for (name, content), one in pairs]
            yield entries, [picture.image for _, picture in pairs]


def _chunks(stream: Iterator[tuple[str, Content]], chunk_size: int) -> Iterator[list[tuple[str, Content]]]:
    """Chunks of `chunk_size` images, or of fewer if they are large."""
    chunk: list[tuple[str, Content]] = []
    size = 0
    for name, content in stream:
        chunk.append((name, content))
        size += _size(content)
        if len(chunk) == chunk_size or size > _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _size(content: Content) -> int:
    return content.nbytes if isinstance(content, np.ndarray) else len(content or b"")


def _write(
    checkpoint: Checkpoint, selection: Selection, folder: Path, source: Source, dropped: Sequence[Dropped]
) -> dict[str, Any]:
    """Writes `images.npy` and `curation.json`, unless too few images are left; returns the contents of the latter."""
    sizes = [len(rows) for rows in selection.splits]
    if sum(sizes) < MIN_IMAGES or min(sizes) < 1:
        reasons = ", ".join(f"{count} {reason}" for reason, count in Counter(one.reason for one in dropped).items())
        raise BadSource(
            f"cats: {sum(sizes)} of {sum(sizes) + len(dropped)} images of {source.given!r} are left"
            f"{f' ({reasons})' if reasons else ''}, {' + '.join(map(str, sizes))} for {', '.join(SPLITS)}; "
            f"allowed is {MIN_IMAGES} or more that are not all alike"
        )
    rows = np.concatenate(selection.splits)
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(rows), SIZE, SIZE, 3)}
    with (folder / IMAGES).open("wb") as file:  # not mapped: a full disk would kill the process without a message
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(rows), _ROWS):
            file.write(checkpoint.images(rows[start : start + _ROWS]).tobytes())
    images = np.load(folder / IMAGES, mmap_mode="r")
    report = {
        "source": source.given,
        "digest": digest(np.split(images, np.cumsum(sizes)[:-1])),
        "splits": dict(zip(SPLITS, sizes, strict=True)),
        "alike": selection.alike,
        "dropped": [asdict(one) for one in dropped],
        "names": [checkpoint.entries[row].name for row in rows],
    }
    (folder / REPORT).write_text(json.dumps(report, indent=1), encoding="utf-8")
    return report
