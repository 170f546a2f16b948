"""Which images show the same photo, and which are so alike that they must not be parted by a split.

Photos are compared as 16x16 greys: what recompressing, resampling or recolouring changes is gone, what is seen is not.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

# Measured on 7,000 real faces. A photo correlates with its copy at 0.98 or more in 999 of 1,000 cases after JPEG of
# quality 20 and in all after halving its size. Of the pairs above 0.97 all are copies, most recoloured; from 0.93 to
# 0.97 they are the same cat a moment later, or two that are much alike: both stay, on one side of the split.
SAME = 0.97
ALIKE = 0.93
_SIDE = 16
_COARSE = 16  # of 128 coordinates of each half
_BLOCK = 256  # rows compared at once: 30 MB of similarities to 30,000 others


@dataclass(frozen=True)
class Duplicates:
    """What comparing all with all found.

    Attributes:
        original: `[n]` the image that each is a copy of, or -1.
        similarity: `[n]` float32 correlation with that one.
        groups: `[n]` a number for each image, equal where one leads to the other by images that are alike.
    """

    original: np.ndarray
    similarity: np.ndarray
    groups: np.ndarray


def thumbnails(images: np.ndarray) -> np.ndarray:
    """`[n, 16, 16]` float32 greys of `[n, height, width, 3]` uint8 RGB."""
    greys = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images)
    small = [cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) for grey in greys]
    return np.array(small, dtype=np.float32).reshape(-1, _SIDE, _SIDE)


def find(small: np.ndarray) -> Duplicates:
    """Compares every image, and its mirror image, with all before it; an image is a copy of one that stays, or stays.

    So no two that stay are copies of each other, and none goes for being like one that went. The time is quadratic:
    a few seconds for 30,000 on two cores; the memory is not.

    Args:
        small: thumbnails `[n, 16, 16]`, those first that are to stay.
    """
    even, odd = (_turned(half) for half in _halves(small))
    coarse = _coarse(even, odd)
    n = len(small)
    original, similarity = np.full(n, -1), np.zeros(n, dtype=np.float32)
    groups = np.arange(n)
    for start in range(0, n, _BLOCK):
        rows, columns = _candidates(*coarse, start, min(start + _BLOCK, n))
        similar = _correlations(even, odd, rows, columns)
        for row in np.unique(rows[similar >= SAME]):  # in their order, as one that goes makes no other go
            stays = np.flatnonzero((rows == row) & (original[columns] < 0))
            nearest = stays[similar[stays].argmax()] if len(stays) else -1
            if len(stays) and similar[nearest] >= SAME:
                original[row], similarity[row] = columns[nearest], similar[nearest]
        both = (similar >= ALIKE) & (original[rows] < 0) & (original[columns] < 0)
        groups = _joined(groups, rows[both], columns[both])
    return Duplicates(original, similarity, groups)


def _coarse(even: np.ndarray, odd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first coordinates of both halves, with the length of the others among those of the first half.

    The product of the lengths is the most that the others can add to a correlation (Cauchy-Schwarz).
    """
    rest = [np.linalg.norm(half[:, _COARSE:], axis=1, keepdims=True) for half in (even, odd)]
    return np.concatenate([even[:, :_COARSE], *rest], axis=1), odd[:, :_COARSE].copy()


def _candidates(even: np.ndarray, odd: np.ndarray, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of an image from start to stop and one before it that may be alike: of 30,000 faces, one for each."""
    bound = odd[start:stop] @ odd[:stop].T
    np.abs(bound, out=bound)
    bound += even[start:stop] @ even[:stop].T
    rows, columns = np.divmod(np.flatnonzero(bound > ALIKE - 1e-4), stop)  # by which it may be rounded
    earlier = columns < start + rows
    return start + rows[earlier], columns[earlier]


def _correlations(even: np.ndarray, odd: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Of each pair, or of one with the other's mirror image, whichever is larger."""
    similar = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), 1 << 14):  # a few at a time, as there are many where all images are alike
        some = slice(start, start + (1 << 14))
        similar[some] = np.einsum("nd,nd->n", even[rows[some]], even[columns[some]])
        similar[some] += np.abs(np.einsum("nd,nd->n", odd[rows[some]], odd[columns[some]]))
    return similar


def _halves(small: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`[n, 128]` of what a mirror keeps of each image, and of what it turns into its negative.

    Both together have mean 0 and length 1. So the correlation with an image is the product of the first halves plus
    that of the second, with its mirror image minus that of the second: the larger of the two costs no more than one.
    """
    flat = small - small.mean(axis=(1, 2), keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=(1, 2), keepdims=True), 1e-6) * np.sqrt(np.float32(2))
    left, right = flat[:, :, : _SIDE // 2], flat[:, :, : _SIDE // 2 - 1 : -1]
    size = _SIDE * _SIDE // 2
    return (left + right).reshape(-1, size), (left - right).reshape(-1, size)


def _turned(half: np.ndarray) -> np.ndarray:
    """The same in coordinates of which the first hold most: products stay as they are."""
    return np.asarray(half @ np.linalg.eigh(half.T @ half)[1][:, ::-1], dtype=np.float32)


def _joined(groups: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The groups when each image of `rows` is put together with that of `columns`."""
    if not len(rows):
        return groups
    n = len(groups)
    # Nodes are the images and, from n on, the groups that there were.
    ends = np.concatenate([rows, np.arange(n)]), np.concatenate([columns, n + groups])
    graph = coo_matrix((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(2 * n, 2 * n))
    return np.asarray(connected_components(graph, directed=False)[1][:n])
