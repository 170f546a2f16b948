"""Contact sheets of dropped images, on which a person sees at a glance whether the reasons are good ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from matplotlib.figure import Figure

from library.cats.data.curation.checkpoint import Checkpoint
from library.cats.data.curation.filtering import EXACT, NEAR, Selection

_MAX_TILES = 48
_COLUMNS = 12


@dataclass(frozen=True)
class ContactSheet:
    """Some of the images that were dropped for one reason, the most doubtful first: `[n, 75, 75, 3]` uint8.

    The originals are what they are copies of, or None; each image has a caption.
    """

    images: np.ndarray
    originals: np.ndarray | None
    captions: Sequence[str]


def contact_sheets(checkpoint: Checkpoint, selection: Selection) -> Mapping[str, ContactSheet]:
    """A sheet per reason: the largest files first, and the copies that differ most from their originals first."""
    entries, dropped = checkpoint.entries, selection.dropped
    rows_of: dict[str, list[int]] = {}
    for row, why in dropped.items():
        rows_of.setdefault(why.reason, []).append(row)
    sheets = {}
    for reason, rows in rows_of.items():
        if reason in (EXACT, NEAR):
            rows = sorted(rows, key=lambda row: dropped[row].similarity)[: _MAX_TILES // 2]
            originals = checkpoint.images([dropped[row].original for row in rows])
            captions = [f"{dropped[row].similarity:.3f}" for row in rows]
        else:
            rows = sorted(rows, key=lambda row: -entries[row].side)[:_MAX_TILES]
            originals, captions = None, [PurePosixPath(entries[row].name).name for row in rows]
        sheets[reason] = ContactSheet(checkpoint.images(rows), originals, captions)
    return sheets


def draw_contact_sheet(sheet: ContactSheet, title: str) -> Figure:
    """Draws captioned images, at least one, in rows of twelve, or pairs of a copy and its original in rows of six."""
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
