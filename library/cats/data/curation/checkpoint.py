"""Saves the progress of a curation: a line for each chunk of entries, and the images of all entries in one file.

An interrupted curation resumes after the last complete line; a line is written once its images are.
"""

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np

from library.cats.data.dataset import SIZE

FILES = ("checkpoint.jsonl", "images.raw")
_BYTES = SIZE * SIZE * 3


class Entry(NamedTuple):
    """A raw image: its name, its bytes, the side of its central square in pixels, and why it is dropped or nothing."""

    name: str
    size: int
    side: int
    reason: str


class Checkpoint(ExitStack):
    """Entries in the order of their source, each with an image of 75x75; as a context, it closes its files."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        """Resumes from an existing folder if the source of its entries has the same fingerprint, else starts afresh."""
        super().__init__()
        self._lines, self._images = (self.enter_context((folder / name).open("a+b")) for name in FILES)
        self.entries: list[Entry] = []
        end = self._read(fingerprint)
        self._lines.truncate(end)
        self._images.truncate(len(self.entries) * _BYTES)
        if not end:
            self._write(fingerprint)

    def append(self, entries: Sequence[Entry], images: Sequence[np.ndarray]) -> None:
        """Saves a chunk of entries with the image `[75, 75, 3]` uint8 of each."""
        self._images.write(np.stack(images).tobytes())
        self._images.flush()
        self._write(entries)
        self.entries += entries

    def images(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """The images `[n, 75, 75, 3]` uint8 of some entries; read rather than mapped, which bounds the memory used."""
        images = np.empty((len(rows), SIZE, SIZE, 3), dtype=np.uint8)
        for image, row in zip(images, rows, strict=True):
            self._images.seek(int(row) * _BYTES)
            self._images.readinto(image.reshape(-1).data)
        return images

    def _read(self, fingerprint: str) -> int:
        """Reads the entries whose lines and images are complete; returns where the last such line ends."""
        self._lines.seek(0)
        num_images = self._images.seek(0, os.SEEK_END) // _BYTES
        end = 0
        for line in self._lines:
            value = json.loads(line) if line.endswith(b"\n") else None
            if value is None or (not end and value != fingerprint):
                break
            if end:
                chunk = [Entry(*fields) for fields in value]
                if len(self.entries) + len(chunk) > num_images:
                    break
                self.entries += chunk
            end += len(line)
        return end

    def _write(self, value: object) -> None:
        self._lines.write(json.dumps(value).encode() + b"\n")
        self._lines.flush()
