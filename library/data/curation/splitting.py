"""Which images train, validate and test: settled by what they show, not by their names or their order.

The same images always fall on the same sides, and images that are alike on the same one.
"""

from collections.abc import Sequence

import numpy as np

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
