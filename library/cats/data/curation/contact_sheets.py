"""Contact sheets of dropped images, on which a person sees at a glance whether the reasons are good ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from matplotlib.figure import Figure

from library.cats.data.curation.checkpoint import Checkpoint
from library.cats.data.curation.filtering import Selection

_MAX_TILES = 48
_COLUMNS = 12


@dataclass(frozen=True)
class ContactSheet:
    """Some of the images that were dropped for one reason.

    Attributes:
        images: `[n, 75, 75, 3]` uint8, the most doubtful first.
        originals: `[n, 75, 75, 3]` uint8, what they are copies of; None for other reasons.
        captions: one per image.
    """

    images: np.ndarray
    originals: np.ndarray | None
    captions: Sequence[str]


def contact_sheets(checkpoint: Checkpoint, selection: Selection) -> Mapping[str, ContactSheet]:
    """A sheet per reason: the largest files first, and the copies that differ most from their originals first."""
    files: dict[str, list[int]] = {}
    copies: dict[str, list[int]] = {}
    for row, entry in enumerate(checkpoint.entries):
        if entry.reason:
            files.setdefault(entry.reason, []).append(row)
        elif row in selection.copies:
            copies.setdefault(selection.copies[row].reason, []).append(row)
    sheets = {}
    for reason, rows in files.items():
        rows = sorted(rows, key=lambda row: -checkpoint.entries[row].side)[:_MAX_TILES]
        captions = [PurePosixPath(checkpoint.entries[row].name).name for row in rows]
        sheets[reason] = ContactSheet(checkpoint.images(rows), None, captions)
    for reason, rows in copies.items():
        rows = sorted(rows, key=lambda row: selection.copies[row].similarity)[: _MAX_TILES // 2]
        found = [selection.copies[row] for row in rows]
        originals = checkpoint.images([copy.original for copy in found])
        sheets[reason] = ContactSheet(checkpoint.images(rows), originals, [f"{copy.similarity:.3f}" for copy in found])
    return sheets


def draw_contact_sheet(sheet: ContactSheet, title: str) -> Figure:
    """Draws captioned images in rows of twelve, or pairs of a copy and its original in rows of six.

    Args:
        sheet: at least one image.
        title: of the figure.
    """
    tiles = sheet.images if sheet.originals is None else np.concatenate([sheet.images, sheet.originals], axis=2)
    columns = _COLUMNS if sheet.originals is None else _COLUMNS // 2
    rows = -(-len(tiles) // columns)
    figure = Figure(figsize=(_COLUMNS, 0.6 + 1.2 * rows), layout="constrained")
    figure.suptitle(title)
    for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.axis("off")
        if place < len(tiles):
            axes.imshow(tiles[place])
            axes.set_title(sheet.captions[place], fontsize=6)
    return figure
