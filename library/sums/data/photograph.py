"""Reads a photograph of a handwritten sum: finds its characters and makes of each what the models take, 28x28.

Nobody has a sum as a 140x28 PNG; ink on paper under a lamp has shadows, slopes and any size.
"""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from library.sums.data.handwriting import SIZE, draw_operator
from library.sums.data.notation import QUERY_LENGTH

MIN_SIDE = 64
_SIDE = 400  # of the shorter side, to which larger photographs are reduced
_MAX_LENGTH = 2400
_INK = 0.4  # of the darkest ink's contrast counts as ink
_MIN_CONTRAST = 0.12  # of ink, as a share of the paper's brightness
DIGIT, OPERATOR = 20, 16  # longer side, as MNIST's digits have it and as operators are drawn
_STROKE = 0.12  # of a character's longer side, at least
_MAX_SLOPE = 20  # degrees
_MIN_SIMILARITY, _MIN_HEIGHT = 0.75, 0.45  # of an operator to those drawn; of a digit's height to the largest
_MAX_GAP = 0.05  # of the height of the writing
_MIN_SHARED = 0.4  # of the narrower stroke's width lies above or below the other where both are one character's


def is_photograph(query: str) -> bool:
    """Whether a file is one image of `MIN_SIDE` pixels or more on each side."""
    image = _read(query)
    return image is not None and min(image.shape) >= MIN_SIDE


def read_sum(query: str, operators: str, padding: str = "left") -> np.ndarray:
    """The characters of a photographed sum, `[5, 28, 28]` uint8, 0 the background and 255 the ink.

    The ink may be darker or lighter than the paper, which should be plain; the line may slope by up to 20 degrees.

    Args:
        query: the path of an image, for which `is_photograph` is true.
        operators: those that the model knows, such as `+-`.
        padding: the side on which a blank stands for a missing digit.

    Raises:
        ValueError: no writing is found, or it is no operator between two numbers of 0 to 99.
    """
    grey = _read(query)
    allowed = f"allowed is a photograph of one sum, two numbers of 0 to 99 with {' or '.join(operators)} between"
    if grey is None:
        raise ValueError(f"query: {query!r} is no image; {allowed}")
    ink = find_ink(grey)
    characters = _characters(_level(ink)) if ink.any() else []
    if not characters:
        raise ValueError(f"query: {query!r} shows no writing; {allowed}, in ink that stands out from plain paper")
    if not 3 <= len(characters) <= QUERY_LENGTH:
        count = f"{len(characters)} character{'s' if len(characters) > 1 else ''}"
        raise ValueError(f"query: {query!r} shows {count}; {allowed}, 3 to {QUERY_LENGTH} characters that do not touch")
    middle, similarity = _operator(characters, operators)
    heights = [len(one) for i, one in enumerate(characters) if i != middle]
    if similarity < _MIN_SIMILARITY or min(heights) < _MIN_HEIGHT * max(heights):
        raise ValueError(f"query: {query!r} shows no {' or '.join(operators)} between digits of one size; {allowed}")
    return query_images(
        [normalise(one, OPERATOR if i == middle else DIGIT) for i, one in enumerate(characters)], middle, padding
    )


def query_images(images: Sequence[np.ndarray], middle: int, padding: str) -> np.ndarray:
    """Images of 3 to 5 characters as `[5, 28, 28]`, with blanks for missing digits; `middle` is the operator."""
    blank = [np.zeros((SIZE, SIZE), np.uint8)]
    left, right = images[:middle], images[middle + 1 :]
    if padding == "left":
        return np.array([*(2 - len(left)) * blank, *left, images[middle], *(2 - len(right)) * blank, *right])
    return np.array([*images, *(QUERY_LENGTH - len(images)) * blank])


def find_ink(grey: np.ndarray) -> np.ndarray:
    """Where a photograph `[height, width]` uint8 shows writing: `[height, width]` bool, of the reduced photograph.

    The paper's brightness is what a morphological closing leaves, or an opening where the ink is lighter: both remove
    strokes and keep shadows. Ink differs from the paper by a share of the brightness, in the shadow too.
    """
    factor = min(1, _SIDE / min(grey.shape), _MAX_LENGTH / max(grey.shape))
    small = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 1.2)
    side = min(small.shape) // 5 | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    operation = cv2.MORPH_OPEN if _is_light(small) else cv2.MORPH_CLOSE
    paper = cv2.morphologyEx(small, operation, kernel).astype(np.float32)
    contrast = np.abs(small - paper) / (np.maximum(small, paper) + 8)
    strongest = float(np.quantile(contrast, 0.995))
    noise = float(np.median(contrast))
    if strongest < max(_MIN_CONTRAST, 4 * noise):
        return np.zeros(small.shape, bool)
    return np.asarray(contrast > noise + _INK * (strongest - noise))


def _is_light(grey: np.ndarray) -> bool:
    """Whether writing is lighter than the paper: the ratio to the median around is skewed that way, shadows are not."""
    tiny = cv2.resize(grey, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    around = cv2.medianBlur(tiny, min(tiny.shape) // 2 | 1)
    return float(np.sum(np.log((tiny + 8.0) / (around + 8.0)) ** 3)) > 0


def normalise(ink: np.ndarray, size: int = DIGIT) -> np.ndarray:
    """A character `[height, width]` bool as MNIST's are made: its longer side `size`, centred by its mass, 28x28 uint8.

    Strokes of a fine pen are made as wide as those that the models learn from.
    """
    longest = max(ink.shape)
    padded = np.pad(ink.astype(np.uint8), longest)
    width = 4 * cv2.distanceTransform(padded, cv2.DIST_L2, 5)[padded > 0].mean()  # the mean distance is a quarter of it
    missing = max(0, round(_STROKE * longest - width))
    mask = cv2.dilate(padded, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (missing + 1, missing + 1)))
    rows, columns = np.nonzero(mask)
    scale = size / (max(np.ptp(rows), np.ptp(columns)) + 1)
    offset = (SIZE - 1) / 2 - scale * np.array([columns.mean(), rows.mean()])
    matrix = np.column_stack([np.diag([scale, scale]), offset])
    # Blurred first, as an affine map reads single pixels however much it shrinks.
    smooth = cv2.GaussianBlur(255 * mask, (0, 0), 0.4 / scale) if scale < 1 else 255 * mask
    return np.asarray(cv2.warpAffine(smooth, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR))


def _read(query: str) -> np.ndarray | None:
    """A photograph as grey levels, upright as its EXIF data say; None where it is no image."""
    try:
        raw = Path(query).read_bytes()
        return cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_GRAYSCALE) if raw else None
    except (OSError, cv2.error):
        return None


def _parts(ink: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels `[height, width]` of connected strokes, and the boxes (left, top, width, height, area) of those kept.

    Dust is small; the edge of the paper, a table or a finger reaches the photograph's edge.
    """
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    left, top, width, height, area = boxes.T
    inside = (left > 0) & (top > 0) & (left + width < ink.shape[1]) & (top + height < ink.shape[0])
    tallest = np.where(inside, height, 0).max()
    large = (np.maximum(width, height) > 0.2 * tallest) & (area > 0.004 * tallest**2)
    return labels, np.flatnonzero(inside & large)


def _level(ink: np.ndarray) -> np.ndarray:
    """Writing turned such that the centres of its strokes lie on a horizontal line, without anything else."""
    labels, kept = _parts(ink)
    writing = np.isin(labels, kept)
    rows, columns = np.nonzero(writing)
    centres = np.array([(columns[own].mean(), rows[own].mean()) for own in (labels[writing] == part for part in kept)])
    x, y = (centres - centres.mean(axis=0)).T if len(kept) else np.zeros((2, 1))
    slope = (x @ y) / max(x @ x, 1)
    angle = float(np.clip(np.rad2deg(np.arctan(slope)), -_MAX_SLOPE, _MAX_SLOPE))
    around = int(max(ink.shape) * np.sin(np.deg2rad(abs(angle)))) + 1  # which a corner moves
    padded = np.pad(255 * writing.astype(np.uint8), around)
    middle = (padded.shape[1] / 2, padded.shape[0] / 2)
    matrix = cv2.getRotationMatrix2D(middle, angle, 1)
    return np.asarray(cv2.warpAffine(padded, matrix, padded.shape[::-1]) > 127)


def _characters(ink: np.ndarray) -> list[np.ndarray]:
    """The ink of each character, from left to right; strokes above each other are one character's.

    Of too many, those beside each other without a gap worth the name are joined: a `5` may be in two pieces.
    """
    labels, kept = _parts(ink)
    groups: list[tuple[int, int, list[int]]] = []
    for left, right, part in sorted((*_extent(labels == part, 0), int(part)) for part in kept):
        start, end, parts = groups[-1] if groups else (left, left, [])
        if min(end, right) - left > _MIN_SHARED * min(end - start, right - left):
            groups[-1] = start, max(end, right), [*parts, part]
        else:
            groups.append((left, right, [part]))
    while len(groups) > QUERY_LENGTH:
        gaps = [after[0] - before[1] for before, after in pairwise(groups)]
        place = int(np.argmin(gaps))
        if gaps[place] > _MAX_GAP * ink.any(axis=1).sum():
            break
        (start, *_, before), (_, end, after) = groups[place : place + 2]
        groups[place : place + 2] = [(start, end, before + after)]
    characters = []
    for left, right, parts in groups:
        own = np.isin(labels, parts)
        top, bottom = _extent(own, 1)
        characters.append(own[top:bottom, left:right])
    return characters


def _extent(mask: np.ndarray, axis: int) -> tuple[int, int]:
    """Where a mask begins and ends along x (axis 0) or y (axis 1)."""
    places = np.flatnonzero(mask.any(axis=axis))
    return int(places[0]), int(places[-1]) + 1


@cache
def _known_operators(operators: str) -> list[np.ndarray]:
    """Sixty of each operator, as the models learn them."""
    random = np.random.default_rng(0)
    return [_blurred(normalise(draw_operator(one, random) > 127, OPERATOR)) for one in operators for _ in range(60)]


def _operator(characters: list[np.ndarray], operators: str) -> tuple[int, float]:
    """The index of the operator, in the middle or one of the middle two, and its correlation with those drawn."""
    similarity = {}
    for place in {(len(characters) - 1) // 2, len(characters) // 2}:
        shape = _blurred(normalise(characters[place], OPERATOR))
        similarity[place] = max(float(np.corrcoef(shape, other)[0, 1]) for other in _known_operators(operators))
    return max(similarity.items(), key=lambda one: one[1])


def _blurred(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image.astype(np.float32), (0, 0), 0.7).ravel()
