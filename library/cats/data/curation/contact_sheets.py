"""Contact sheets of what was dropped: whether a reason is a good one, a person sees at a glance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from matplotlib.figure import Figure

from library.cats.data.curation.checkpoint import Journal
from library.cats.data.curation.filtering import Sifted

_SHOWN = 48
_COLUMNS = 12


@dataclass(frozen=True)
class Sheet:
    """Some of the images dropped for one reason.

    Attributes:
        images: `[n, 75, 75, 3]` uint8, the most doubtful first.
        kept: `[n, 75, 75, 3]` uint8, what they are copies of; None for other reasons.
        captions: of each.
    """

    images: np.ndarray
    kept: np.ndarray | None
    captions: Sequence[str]


def sheets(journal: Journal, sifted: Sifted) -> Mapping[str, Sheet]:
    """A sheet for each reason; of files the largest first, of copies those least like what they are copies of."""
    files: dict[str, list[int]] = {}
    copies: dict[str, list[int]] = {}
    for row, entry in enumerate(journal.entries):
        if entry.reason:
            files.setdefault(entry.reason, []).append(row)
        elif row in sifted.copies:
            copies.setdefault(sifted.copies[row].reason, []).append(row)
    return {
        **{reason: _of_files(journal, rows) for reason, rows in files.items()},
        **{reason: _of_copies(journal, sifted, rows) for reason, rows in copies.items()},
    }


def _of_files(journal: Journal, rows: Sequence[int]) -> Sheet:
    shown = sorted(rows, key=lambda row: -journal.entries[row].side)[:_SHOWN]
    return Sheet(journal.images(shown), None, [PurePosixPath(journal.entries[row].name).name for row in shown])


def _of_copies(journal: Journal, sifted: Sifted, rows: Sequence[int]) -> Sheet:
    shown = sorted(rows, key=lambda row: sifted.copies[row].similarity)[: _SHOWN // 2]
    copies = [sifted.copies[row] for row in shown]
    kept = journal.images([copy.of for copy in copies])
    return Sheet(journal.images(shown), kept, [f"{copy.similarity:.3f}" for copy in copies])


def contact_sheet(sheet: Sheet, title: str) -> Figure:
    """Images in rows of twelve with a caption each; of copies, rows of six pairs: the copy, then what it is one of.

    Args:
        sheet: at least one image.
        title: of the figure.
    """
    tiles = sheet.images if sheet.kept is None else np.concatenate([sheet.images, sheet.kept], axis=2)
    columns = _COLUMNS if sheet.kept is None else _COLUMNS // 2
    rows = -(-len(tiles) // columns)
    figure = Figure(figsize=(_COLUMNS, 0.6 + 1.2 * rows), layout="constrained")
    figure.suptitle(title)
    for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.axis("off")
        if place < len(tiles):
            axes.imshow(tiles[place])
            axes.set_title(sheet.captions[place], fontsize=6)
    return figure
