"""Which of the images stay: one of each photo, from its largest original, and on which side of the split."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from library.cats.data.curation import duplicates
from library.cats.data.curation.checkpoint import Journal

EXACT, NEAR = "exact duplicate", "near duplicate"
_CHUNK = 256


@dataclass(frozen=True)
class Dropped:
    """An image that is not in the set; `kept` names the one that it is a copy of, as far as `similarity` says."""

    name: str
    reason: str
    kept: str = ""
    similarity: float = 0.0


@dataclass(frozen=True)
class Copy:
    """Of which row an image is a copy, exact or near, and their correlation."""

    reason: str
    of: int
    similarity: float


@dataclass(frozen=True)
class Sifted:
    """Rows of the journal.

    Attributes:
        parts: those that train, validate and test.
        copies: those that are copies, and what of.
        alike: how many that stay have one much like them, on the same side of the split.
    """

    parts: Sequence[np.ndarray]
    copies: Mapping[int, Copy]
    alike: int


def sift(journal: Journal) -> Sifted:
    """Finds copies, of which the one from the largest original stays, and deals out the others."""
    sound = [row for row, entry in enumerate(journal.entries) if not entry.reason]
    small, digests = _looked_at(journal, sound)
    ranked = sorted(sound, key=lambda row: (-journal.entries[row].side, -journal.entries[row].size, digests[row]))
    first: dict[str, int] = {}
    copies = {}
    for row in ranked:
        if first.setdefault(digests[row], row) != row:
            copies[row] = Copy(EXACT, first[digests[row]], 1.0)
    distinct = np.array(list(first.values()), dtype=np.int64)
    places = {row: place for place, row in enumerate(sound)}
    found = duplicates.find(small[[places[row] for row in first.values()]])
    for place in np.flatnonzero(found.original >= 0):
        copies[int(distinct[place])] = Copy(NEAR, int(distinct[found.original[place]]), float(found.similarity[place]))
    stays = found.original < 0
    kept, groups = distinct[stays], found.groups[stays]
    parts = split(groups, [digests[row] for row in kept])
    _, sizes = np.unique(groups, return_counts=True)
    return Sifted([kept[part] for part in parts], copies, int(sizes[sizes > 1].sum()))


def _looked_at(journal: Journal, rows: Sequence[int]) -> tuple[np.ndarray, dict[int, str]]:
    """Thumbnails and digests of some images, chunk by chunk."""
    small, digests = [np.empty((0, 16, 16), dtype=np.float32)], {}
    for start in range(0, len(rows), _CHUNK):
        images = journal.images(rows[start : start + _CHUNK])
        small.append(duplicates.thumbnails(images))
        for row, image in zip(rows[start : start + _CHUNK], images, strict=True):
            digests[row] = hashlib.blake2b(image.tobytes(), digest_size=16).hexdigest()
    return np.concatenate(small), digests


def dropped(journal: Journal, sifted: Sifted) -> list[Dropped]:
    """All that does not stay, in the order of the journal."""
    gone = []
    for row, entry in enumerate(journal.entries):
        if entry.reason:
            gone.append(Dropped(entry.name, entry.reason))
        elif copy := sifted.copies.get(row):
            gone.append(Dropped(entry.name, copy.reason, journal.entries[copy.of].name, copy.similarity))
    return gone


HELD = 10  # one image in so many validates, and as many test


def split(groups: np.ndarray, digests: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of the images that train, validate and test, each in an order drawn by their digests.

    Groups are dealt out in the order of their digests: to the test while they have room in it, then to validation;
    a group for which both are too small trains, as all others do.

    Args:
        groups: `[n]` a number for each image; those of one number stay together.
        digests: of each image's pixels, so that their order is a lot that is drawn alike everywhere.
    """
    order = np.array(sorted(range(len(digests)), key=digests.__getitem__), dtype=np.int64)
    room = len(order) // HELD
    sizes = dict(zip(*np.unique(groups, return_counts=True), strict=True))
    sides: dict[int, str] = {}
    left = {"test": room, "validation": room}
    for group in groups[order]:
        if group not in sides:
            side = sides[group] = next((side for side, free in left.items() if sizes[group] <= free), "train")
            if side in left:
                left[side] -= sizes[group]
    drawn = np.array([sides[group] for group in groups[order]])
    return order[drawn == "train"], order[drawn == "validation"], order[drawn == "test"]
