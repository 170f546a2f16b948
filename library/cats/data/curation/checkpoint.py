"""What a curation has behind it, on disk: a line for every chunk of entries, and all their images in one file.

An interrupted one goes on after the last whole line; a line is written when its images are.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np

from library.cats.data.dataset import SIZE

_SHAPE = (SIZE, SIZE, 3)
_BYTES = SIZE * SIZE * 3


class Entry(NamedTuple):
    """An image file as it was found.

    Attributes:
        name: in its folder or archive.
        size: in bytes.
        side: of the square that was cut from it, in pixels.
        reason: why it is dropped; empty if it is not.
    """

    name: str
    size: int
    side: int
    reason: str


class Journal:
    """Entries in the order of their source, each with an image of 75x75."""

    def __init__(self, folder: Path, source: str) -> None:
        """Goes on with what is in a folder if it came of the same source; else begins anew.

        Args:
            folder: which must exist.
            source: what the entries come from, said so that it differs as soon as they may.
        """
        self._lines = (folder / "journal.jsonl").open("a+b")
        self._images = (folder / "images.raw").open("a+b")
        self.entries: list[Entry] = []
        end = self._read(source)
        self._lines.truncate(end)
        self._images.truncate(len(self.entries) * _BYTES)
        if not end:
            self._write(source)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lines, self._images:  # both are closed, even where one cannot write what it still holds
            pass

    def append(self, entries: Sequence[Entry], images: Sequence[np.ndarray]) -> None:
        """Keeps a chunk of entries with the image `[75, 75, 3]` uint8 of each."""
        self._images.write(np.stack(images).tobytes())
        self._images.flush()
        self._write(entries)
        self.entries += entries

    def images(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """The images `[n, 75, 75, 3]` uint8 of some entries, read, not mapped, so that memory stays what it is."""
        images = np.empty((len(rows), *_SHAPE), dtype=np.uint8)
        for image, row in zip(images, rows, strict=True):
            self._images.seek(int(row) * _BYTES)
            self._images.readinto(image.reshape(-1).data)
        return images

    def _read(self, source: str) -> int:
        """Takes in the entries whose lines and images are whole; returns where the last such line ends."""
        self._lines.seek(0)
        written = self._images.seek(0, os.SEEK_END) // _BYTES
        end = 0
        for line in self._lines:
            known = json.loads(line) if line.endswith(b"\n") else None
            if known is None or (not end and known != source):
                break
            if end:
                chunk = [Entry(*values) for values in known]
                if len(self.entries) + len(chunk) > written:
                    break
                self.entries += chunk
            end += len(line)
        return end

    def _write(self, what: object) -> None:
        self._lines.write(json.dumps(what).encode() + b"\n")
        self._lines.flush()
