"""Selects the images that stay: one copy of each photo, from its largest original, and its side of the split."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from library.cats.data.curation import altered_copies, duplicates
from library.cats.data.curation.checkpoint import Checkpoint

EXACT, NEAR = "exact duplicate", "near duplicate"
_CHUNK_SIZE = 256


@dataclass(frozen=True)
class Dropped:
    """An image that is not in the set; of a copy also the name of its original, `kept`, and their correlation."""

    name: str
    reason: str
    kept: str = ""
    similarity: float = 0.0


class Reason(NamedTuple):
    """Why an image is dropped; of an exact or near copy also the row of its original, and their correlation."""

    reason: str
    original: int = -1
    similarity: float = 0.0


@dataclass(frozen=True)
class Selection:
    """The rows of a checkpoint for training, validation and test; why each other row, in ascending order, is dropped.

    `alike` is the number of images that stay and have a similar one, on the same side of the split.
    """

    splits: Sequence[np.ndarray]
    dropped: Mapping[int, Reason]
    alike: int


def filter_images(checkpoint: Checkpoint) -> Selection:
    """Drops unusable images and all copies but the one from the largest original, and splits the rest."""
    entries = checkpoint.entries
    usable = [row for row, entry in enumerate(entries) if not entry.reason]
    dropped = {row: Reason(entry.reason) for row, entry in enumerate(entries) if entry.reason}
    none = np.empty((0, 1, 1, 3), dtype=np.uint8)
    describe = duplicates.thumbnails, duplicates.details, altered_copies.greys
    described = [[each(none) for each in describe]]
    digests = dict[int, str]()
    for start in range(0, len(usable), _CHUNK_SIZE):
        rows = usable[start : start + _CHUNK_SIZE]
        images = checkpoint.images(rows)
        described.append([each(images) for each in describe])
        hashes = (hashlib.blake2b(image.tobytes(), digest_size=16).hexdigest() for image in images)
        digests.update(zip(rows, hashes, strict=True))
    ranked = sorted(usable, key=lambda row: (-entries[row].side, -entries[row].size, digests[row]))
    first: dict[str, int] = {}
    for row in ranked:
        if first.setdefault(digests[row], row) != row:
            dropped[row] = Reason(EXACT, first[digests[row]], 1.0)
    distinct = np.array(list(first.values()), dtype=np.int64)
    places = np.searchsorted(usable, distinct)
    thumbnails, details, greys = (np.concatenate(chunks)[places] for chunks in zip(*described, strict=True))
    found = altered_copies.deduplicate_altered(duplicates.deduplicate(thumbnails, details), greys)
    for i in np.flatnonzero(found.original >= 0):
        dropped[int(distinct[i])] = Reason(NEAR, int(distinct[found.original[i]]), float(found.similarity[i]))
    stays = found.original < 0
    kept, groups = distinct[stays], found.groups[stays]
    splits = split(groups, [digests[row] for row in kept])
    _, sizes = np.unique(groups, return_counts=True)
    return Selection([kept[rows] for rows in splits], dict(sorted(dropped.items())), int(sizes[sizes > 1].sum()))


def list_dropped(checkpoint: Checkpoint, selection: Selection) -> list[Dropped]:
    """All images that do not stay, in the order of their source."""
    names = [entry.name for entry in checkpoint.entries]
    return [
        Dropped(names[row], reason, names[original] if original >= 0 else "", similarity)
        for row, (reason, original, similarity) in selection.dropped.items()
    ]


def split(groups: np.ndarray, digests: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Splits images into training, validation and test, a tenth each for the latter two, without parting any group.

    Groups are assigned in the order of their first digests: to the test split while it has room, then to validation,
    and to training if both lack room.

    Takes a number per image, `[n]`, equal for images that stay together, and the digests of their pixels, whose order
    is random but the same everywhere. Returns the indices of each split's images, in the order of their digests.
    """
    order = np.array(sorted(range(len(digests)), key=digests.__getitem__), dtype=np.int64)
    sizes = dict(zip(*np.unique(groups, return_counts=True), strict=True))
    room = {"test": len(order) // 10, "validation": len(order) // 10}
    sides: dict[int, str] = {}
    for group in groups[order]:
        if group not in sides:
            side = sides[group] = next((side for side, free in room.items() if sizes[group] <= free), "train")
            if side in room:
                room[side] -= sizes[group]
    assigned = np.array([sides[group] for group in groups[order]])
    return order[assigned == "train"], order[assigned == "validation"], order[assigned == "test"]
