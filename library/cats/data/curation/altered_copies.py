"""Finds copies of a photo that was cropped, framed, turned, mirrored or overlaid with a mark.

The correlation of thumbnails misses these, as the alterations move or cover pixels; a split must not part a photo and
its crop all the same.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from library.cats.data.curation.duplicates import Duplicates, join_groups, thumbnails
from library.framework.environment import available_cores

SIDE = 48
BLOCK_SIZE = 64  # rows compared at once
# Agreement of copies and of images that a split must not part. Measured on 6,000 real faces: pairs above 0.8 are the
# same photo, most of them recoloured; the few exceptions are all-black cats. Smooth random images on one grid reach
# 0.85. Of altered copies, 48 of 50 or more of each kind are above 0.86.
COPY = 0.86
SIMILAR = 0.8
# Each view: the scale of the part shown, its angle in degrees, and the offset of its centre as a share of the side. The
# alterations looked for differ from a view by at most a tenth in scale and 0.05 in place, which the alignment makes up
# for. Mirror images and inverse alterations need no views: each view of either image is compared with both.
_VIEWS = np.array(
    [(1, 0, 0, 0), (1, 90, 0, 0), (1, 180, 0, 0), (1, 270, 0, 0), (1, 5, 0, 0), (0.78, 0, 0, 0), (0.9, 0, 0, 0)]
    + [(0.9, 0, x, y) for x in (-0.03, 0.03) for y in (-0.03, 0.03)]
)
_WINDOW = 38  # side of the centre that is compared: what a turn of 5 degrees or a thin border leaves
_NEAREST = 2  # candidates of an image
_MIN_MOVED, _MIN_MARKED = 0.82, 0.6  # correlation of candidates
_COARSE = 20  # side of the centre while it is aligned
_FREQUENCIES = 8
_MIN_ALIGNED = 0.85  # correlation of aligned copies; it is 0.93 or more of those looked for
_MAX_TWO_LEVELS = 0.89  # of silhouettes it is above, also after a blur of 1.5 pixels; of real faces in 12 of 1,000
_WHITENING = 0.1  # of the largest variance, added to all
_SHRINKAGE = 64  # images: few have no mean and no principal axes worth removing
_ITERATIONS = cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 8, 1e-3
_SAMPLING = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


class _Candidates(NamedTuple):
    """Pairs whose first image, seen by a view and mirrored or not, may look like the second."""

    rows: np.ndarray
    columns: np.ndarray
    views: np.ndarray
    mirrored: np.ndarray


def greys(images: np.ndarray) -> np.ndarray:
    """Grey levels `[n, 48, 48]` uint8 of images `[n, height, width, 3]` uint8 RGB."""
    return thumbnails(images, SIDE)


def deduplicate_altered(found: Duplicates, greys: np.ndarray) -> Duplicates:
    """Adds altered copies, and groups of images that are nearly such, to the duplicates found in greys `[n, 48, 48]`.

    An altered copy of a copy counts as one of its original. Time is quadratic, memory is linear.
    """
    original, similarity = found.original.copy(), found.similarity.copy()
    stays = np.flatnonzero(original < 0)
    rows, columns, agreement = _match(greys[stays])
    rows, columns = stays[rows], stays[columns]
    for i in np.lexsort((-agreement, rows)):
        if agreement[i] >= COPY and original[rows[i]] < 0:
            earlier = columns[i]
            original[rows[i]], similarity[rows[i]] = (
                original[earlier] if original[earlier] >= 0 else earlier,
                agreement[i],
            )
    both = (original[rows] < 0) & (original[columns] < 0)
    return Duplicates(original, similarity, join_groups(found.groups, rows[both], columns[both]))


def _match(greys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of a later and an earlier image that agree by `SIMILAR` or more, and by how much.

    Each image's nearest ones by a coarse description are candidates. A candidate is aligned by an affine map (ECC,
    Evangelidis and Psarakis 2008), unless it may be marked, and judged by its details.
    """
    if len(greys) <= _NEAREST + 1:
        greys = np.concatenate([greys, np.zeros((_NEAREST + 2 - len(greys), SIDE, SIDE), np.uint8)])
    moved = _nearest(_describe_views(greys), _MIN_MOVED)
    marked = _nearest(_describe_details(greys)[np.newaxis], _MIN_MARKED)
    with ThreadPoolExecutor(available_cores()) as pool:
        aligned = pool.map(lambda pair: _align(greys[pair[0]], greys[pair[1]], *pair[2:]), zip(*moved, strict=True))
        agreement = [
            _agreement(one, _centre(greys[column])) for one, column in zip(aligned, moved.columns, strict=True)
        ]
    for row, column, _, mirrored in zip(*marked, strict=True):
        agreement.append(_agreement(_centre(greys[row])[:, :: -1 if mirrored else 1], _centre(greys[column])))
    agreed = np.array(agreement, dtype=np.float32)
    rows, columns = np.stack([np.concatenate(pair) for pair in zip(moved[:2], marked[:2], strict=True)])
    similar = agreed >= SIMILAR
    return np.maximum(rows, columns)[similar], np.minimum(rows, columns)[similar], agreed[similar]


def _nearest(views: np.ndarray, least: float) -> _Candidates:
    """The images nearest to some view of each, or to its mirror image, by descriptions `[views, n, 2, d]`.

    Descriptions are of norm 1, in two halves, of which the second changes its sign in a mirror image. The first view is
    the image itself.
    """
    n = views.shape[1]
    blocks = [slice(start, min(start + BLOCK_SIZE, n)) for start in range(0, n, BLOCK_SIZE)]
    with threadpool_limits(1), ThreadPoolExecutor(available_cores()) as pool:
        found = list(pool.map(lambda block: _nearest_in_block(views, block), blocks))
    column, similarity = np.concatenate(found, axis=2)
    rank, row = np.nonzero(2 * similarity[:-1] - similarity[1:] >= least)  # alike, or more so than the next
    column = column[rank, row].astype(np.int64)
    plain, mirrored = np.einsum("vphd,phd->hvp", views[:, row], views[0, column])
    view = (plain + np.abs(mirrored)).argmax(axis=0)
    return _Candidates(row, column, view, mirrored[view, np.arange(len(row))] < 0)


def _nearest_in_block(views: np.ndarray, block: slice) -> np.ndarray:
    """The indices of the nearest images of a block, and their correlations: `[2, _NEAREST, block]`."""
    even, odd = views[0].transpose(1, 2, 0)
    best, similar, antisymmetric = np.full((3, block.stop - block.start, views.shape[1]), -1, np.float32)
    for view in views[:, block].transpose(0, 2, 1, 3):
        np.matmul(view[0], even, out=similar)
        np.matmul(view[1], odd, out=antisymmetric)
        similar += np.abs(antisymmetric, out=antisymmetric)
        np.maximum(best, similar, out=best)
    here = np.arange(len(best))
    last = block.start + here  # itself, then what was found before
    found = []
    for _ in range(_NEAREST + 1):
        best[here, last] = -1
        last = best.argmax(axis=1)
        found.append((last, best[here, last]))
    return np.array(found).swapaxes(0, 1)


def _describe_views(greys: np.ndarray) -> np.ndarray:
    """Low frequencies `[views, n, 2, 32]` of each view's centre, whitened, so that faces count by their differences."""
    side = SIDE // 2
    small = np.array([cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA) for grey in greys], np.float32)
    small = small.reshape(len(small), -1)
    views = np.stack([_unit(small @ projection) for projection in _projections(side)])
    views = views.reshape(*views.shape[:2], 2, -1)
    views[:, :, 0] -= views[0, :, 0].sum(axis=0) / (len(greys) + _SHRINKAGE)
    for half in range(2):
        own = views[0, :, half]
        variance, axes = np.linalg.eigh(own.T @ own)
        views[:, :, half] = views[:, :, half] @ (axes / np.sqrt(variance + _WHITENING * max(variance[-1], 1e-6)))
    return _unit(views.reshape(*views.shape[:2], -1)).reshape(views.shape)


def _projections(side: int) -> np.ndarray:
    """Matrices `[views, side * side, 64]`: the cosine transform of each view is linear in an image's pixels.

    The lowest frequencies weigh less, as most images agree in them.
    """
    order, place = np.arange(_FREQUENCIES)[:, np.newaxis], np.arange(16) + 0.5
    basis = np.cos(np.pi / 16 * order * place)
    basis /= np.linalg.norm(basis, axis=1, keepdims=True)
    weight = 1 - np.exp(-(order**2 + order.T**2) / 4)
    pixels = [cv2.GaussianBlur(one, (0, 0), 0.7) for one in np.eye(side * side).reshape(-1, side, side)]
    projections = []
    for view in range(len(_VIEWS)):
        shape = _sampling(view, False, 16, side)
        seen = [
            cv2.warpAffine(one, shape, (16, 16), flags=_SAMPLING, borderMode=cv2.BORDER_REPLICATE) for one in pixels
        ]
        transformed = weight * (basis @ np.array(seen) @ basis.T)
        halves = [transformed[:, :, parity::2].reshape(len(pixels), -1) for parity in range(2)]
        projections.append(np.concatenate(halves, axis=1))
    return np.array(projections, np.float32)


def _describe_details(greys: np.ndarray) -> np.ndarray:
    """Details `[n, 2, 200]` at equal contrast everywhere, so that a mark counts no more than what it covers."""
    side, edge = SIDE // 2, 2
    details = np.empty((len(greys), side - 2 * edge, side - 2 * edge), np.float32)
    for grey, out in zip(greys, details, strict=True):
        sharp = _without_blur(cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA), 1.0)
        sharp /= np.sqrt(cv2.GaussianBlur(sharp * sharp, (0, 0), 2.0)) + 4
        out[:] = np.clip(sharp, -1.5, 1.5)[edge:-edge, edge:-edge]
    left, right = details[:, :, : side // 2 - edge], details[:, :, : side // 2 - edge - 1 : -1]
    halves = np.stack([left + right, left - right], axis=1).reshape(len(greys), -1)
    return _unit(halves).reshape(len(greys), 2, -1)


def _align(seen: np.ndarray, other: np.ndarray, view: int, mirrored: bool) -> np.ndarray:
    """The part of an image that resembles the centre of another most, `[38, 38]` uint8; black if none does."""
    coarse = cv2.resize(_centre(other), (_COARSE, _COARSE), interpolation=cv2.INTER_AREA)
    start = _sampling(view, mirrored, _COARSE)
    try:
        whole = np.full(seen.shape, 255, np.uint8)
        correlation, found = cv2.findTransformECC(coarse, seen, start, cv2.MOTION_AFFINE, _ITERATIONS, whole, 3)
    except cv2.error:  # no overlap, or nothing to align
        correlation = 0.0
    if correlation < _MIN_ALIGNED:
        return np.zeros((_WINDOW, _WINDOW), np.uint8)
    middle, linear = found @ (_COARSE / 2 - 0.5, _COARSE / 2 - 0.5, 1), found[:, :2] * (_COARSE / _WINDOW)
    sampling = np.column_stack([linear, middle - linear.sum(axis=1) * (_WINDOW / 2 - 0.5)])
    return cv2.warpAffine(seen, sampling, (_WINDOW, _WINDOW), flags=_SAMPLING, borderMode=cv2.BORDER_REPLICATE)


def _agreement(one: np.ndarray, other: np.ndarray) -> float:
    """The median, over all places with details, of the correlation of details around each: a mark covers a minority.

    0 for two silhouettes: once they are aligned, there are hardly any details by which they could differ.
    """
    fine, others_fine = _without_blur(one, 1.5), _without_blur(other, 1.5)
    products = fine * others_fine, fine * fine, others_fine * others_fine
    both, own, others = (cv2.blur(product, (9, 9)) for product in products)
    detailed = own + others > 8
    agreement = float(np.median((both / np.sqrt(own * others + 16))[detailed])) if detailed.mean() > 0.2 else 0.0
    is_outline = agreement >= SIMILAR and min(_two_levels(one), _two_levels(other)) > _MAX_TWO_LEVELS
    return 0.0 if is_outline else agreement


def _two_levels(grey: np.ndarray) -> float:
    """The share of the variance between dark and bright pixels, parted at best (Otsu 1979); 1 of two greys."""
    bright = grey > cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0]
    share = bright.mean()
    if not 0 < share < 1:
        return 0.0
    return float(share * (1 - share) * (grey[bright].mean() - grey[~bright].mean()) ** 2 / grey.var())


def _centre(grey: np.ndarray) -> np.ndarray:
    edge = (SIDE - _WINDOW) // 2
    return grey[edge:-edge, edge:-edge]


def _sampling(view: int, mirrored: bool, size: int, side: int = SIDE) -> np.ndarray:
    """The affine map `[2, 3]` from pixels of a view's centre, `size` on each side, to those of an image."""
    scale, angle, *offset = _VIEWS[view]
    radians, step = np.deg2rad(angle), _WINDOW / SIDE * side / size * scale
    linear = step * np.array([[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]])
    if mirrored:
        linear[:, 0] *= -1
    middle = (side - 1) / 2 + side * np.array(offset)
    return np.column_stack([linear, middle - linear.sum(axis=1) * (size - 1) / 2]).astype(np.float32)


def _without_blur(grey: np.ndarray, sigma: float) -> np.ndarray:
    return grey - cv2.GaussianBlur(grey.astype(np.float32), (0, 0), sigma)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)
