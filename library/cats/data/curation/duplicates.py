"""Finds images that show the same photo, and images so similar that a split must not part them.

Images are compared as 16x16 grey thumbnails, which recompressing, resampling and recolouring hardly change. Those of
figures on a plain ground are alike however the figures differ, so a copy has to agree in finer detail, too.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

# Measured on 7,000 real faces. A photo and its copy correlate at 0.98 or more in 999 of 1,000 cases after JPEG of
# quality 20, and always after halving the size. Pairs above 0.97 are all copies, most of them recoloured; pairs from
# 0.93 to 0.97 are the same cat a moment later, or two similar cats: both stay, on one side of the split.
COPY = 0.97
SIMILAR = 0.93
# Measured on 1,000 real faces and 200 silhouettes: details of copies correlate at 0.92 or more in 98 of 100 cases after
# JPEG of quality 20, and always after halving the size; those of distinct silhouettes leave 2 of 100 as copies.
DETAIL = 0.92
CLOSE_DETAIL = 0.8
"""What similar images have to agree in where similar ones are more than `MAX_GROUP` of all: silhouettes again."""
MAX_GROUP = 0.1
BLOCK_SIZE = 256  # rows compared at once: 30 MB of similarities to 30,000 others
_SIDE, _DETAIL_SIDE = 16, 32
_COARSE = 16  # of the 128 coordinates of each half


@dataclass(frozen=True)
class Duplicates:
    """The index `[n]` of the image that each is a copy of, or -1, and the correlation `[n]` float32 with that image.

    Groups are numbers `[n]`, equal for images connected by a chain of similar ones.
    """

    original: np.ndarray
    similarity: np.ndarray
    groups: np.ndarray


def thumbnails(images: np.ndarray, side: int = _SIDE) -> np.ndarray:
    """Thumbnails `[n, side, side]` uint8, grey levels, of images `[n, height, width, 3]` uint8 RGB."""
    greys = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images)
    small = [cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA) for grey in greys]
    return np.array(small, dtype=np.uint8).reshape(-1, side, side)


def details(images: np.ndarray) -> np.ndarray:
    """The thumbnails `[n, 32, 32]` uint8 by which `deduplicate` takes a second look at images."""
    return thumbnails(images, _DETAIL_SIDE)


def deduplicate(thumbs: np.ndarray, details: np.ndarray) -> Duplicates:
    """Compares each image and its mirror image with all earlier images, and finds the one it is a copy of.

    Takes thumbnails `[n, 16, 16]` and details `[n, 32, 32]`, in descending order of preference. Only images that stay
    count as originals: no two of them are copies of each other, and no image is dropped for resembling one that was
    dropped itself. Time is quadratic (a few seconds for 30,000 images on two cores), memory is linear.
    """
    even, odd = _mirror_halves(thumbs.astype(np.float32))
    # Coarse coordinates first; the norms of the rest bound what it adds to a correlation (Cauchy-Schwarz).
    rest = [np.linalg.norm(half[:, _COARSE:], axis=1, keepdims=True) for half in (even, odd)]
    coarse = np.concatenate([even[:, :_COARSE], *rest], axis=1), odd[:, :_COARSE].copy()
    n = len(thumbs)
    original, similarity = np.full(n, -1), np.zeros(n, dtype=np.float32)
    fine = _blur_removed(details)
    groups = close = np.arange(n)
    for start in range(0, n, BLOCK_SIZE):
        rows, columns = _candidates(*coarse, start, min(start + BLOCK_SIZE, n))
        similar = _correlations(even, odd, rows, columns)
        near = similar >= SIMILAR
        rows, columns, similar = rows[near], columns[near], similar[near]
        agree = _detail_correlations(fine, rows, columns)
        copies = (similar >= COPY) & (agree >= DETAIL)
        for row in np.unique(rows[copies]):  # in ascending order, as a copy is no original of later ones
            stays = np.flatnonzero(copies & (rows == row) & (original[columns] < 0))
            if len(stays):
                nearest = stays[similar[stays].argmax()]
                original[row], similarity[row] = columns[nearest], similar[nearest]
        both = (original[rows] < 0) & (original[columns] < 0)
        groups = join_groups(groups, rows[both], columns[both])
        both &= agree >= CLOSE_DETAIL
        close = join_groups(close, rows[both], columns[both])
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return Duplicates(original, similarity, np.where(sizes[group] > max(MAX_GROUP * n, 2), n + close, groups))


def join_groups(groups: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Groups `[n]`, of any numbers, and those of each pair made one."""
    if not len(rows):
        return groups
    n, groups = len(groups), np.unique(groups, return_inverse=True)[1]
    # Nodes of a graph are the images and, from n on, their previous groups.
    ends = np.concatenate([rows, np.arange(n)]), np.concatenate([columns, n + groups])
    graph = coo_matrix((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(2 * n, 2 * n))
    return np.asarray(connected_components(graph, directed=False)[1][:n])


def _blur_removed(details: np.ndarray) -> np.ndarray:
    """What a blur takes away from images `[n, 32, 32]`, float16 of mean 0 and norm 1."""
    fine = np.empty(details.shape, dtype=np.float16)
    for image, out in zip(details, fine, strict=True):
        sharp = image - cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.5)
        sharp -= sharp.mean()
        out[:] = sharp / max(float(np.linalg.norm(sharp)), 1e-6)
    return fine


def _detail_correlations(fine: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The correlation of the details of each pair, or of one with the other's mirror image, whichever is larger."""
    agree = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), 1 << 12):
        chunk = slice(start, start + (1 << 12))
        one, other = (fine[places[chunk]].astype(np.float32) for places in (rows, columns))
        direct, mirrored = (np.einsum("nij,nij->n", one, image) for image in (other, other[:, :, ::-1]))
        agree[chunk] = np.maximum(direct, mirrored)
    return agree


def _candidates(even: np.ndarray, odd: np.ndarray, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of an image in start:stop and an earlier one that may be similar; about one per image in 30,000 faces."""
    bound = odd[start:stop] @ odd[:stop].T
    np.abs(bound, out=bound)
    bound += even[start:stop] @ even[:stop].T
    rows, columns = np.divmod(np.flatnonzero(bound > SIMILAR - 1e-4), stop)  # less the rounding error
    earlier = columns < start + rows
    return start + rows[earlier], columns[earlier]


def _correlations(even: np.ndarray, odd: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The correlation of each pair, or of one with the other's mirror image, whichever is larger."""
    similar = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), 1 << 14):  # in chunks, as similar images make many pairs
        chunk = slice(start, start + (1 << 14))
        similar[chunk] = np.einsum("nd,nd->n", even[rows[chunk]], even[columns[chunk]])
        similar[chunk] += np.abs(np.einsum("nd,nd->n", odd[rows[chunk]], odd[columns[chunk]]))
    return similar


def _mirror_halves(thumbs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mirror-symmetric and the antisymmetric half of each image, `[n, 128]` each, in principal coordinates.

    Together they have mean 0 and norm 1. Hence the correlation of two images is the product of their symmetric halves
    plus that of the antisymmetric ones, and the correlation with the mirror image is their difference: the larger of
    the two costs no more than one. Principal coordinates keep products and put the largest coordinates first.
    """
    flat = thumbs - thumbs.mean(axis=(1, 2), keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=(1, 2), keepdims=True), 1e-6) * np.sqrt(np.float32(2))
    left, right = flat[:, :, : _SIDE // 2], flat[:, :, : _SIDE // 2 - 1 : -1]
    size = _SIDE * _SIDE // 2
    halves = ((left + right).reshape(-1, size), (left - right).reshape(-1, size))
    even, odd = (np.asarray(half @ np.linalg.eigh(half.T @ half)[1][:, ::-1], np.float32) for half in halves)
    return even, odd
