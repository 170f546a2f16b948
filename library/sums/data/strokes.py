"""Reads a sum that was drawn with a mouse or a finger: finds which strokes are one character, and draws each as 28x28.

Strokes tell more than a picture of them: characters that touch are still apart. Which strokes are one character shows
only when they are read, so all divisions are read and the likeliest is taken (LeCun et al., Gradient-based learning
applied to document recognition, 1998, section V).
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from library.sums.data.handwriting import SIZE, draw_strokes
from library.sums.data.notation import Notation
from library.sums.data.photograph import DIGIT, OPERATOR, query_images

LogProbabilities = Callable[[np.ndarray], np.ndarray]
"""From images `[n, 28, 28]` uint8 to the logarithm of the probability of each character, `[n, characters]`."""

MAX_STROKES = 24
_MAX_IN_ONE = 5  # strokes of a character
_MIN_SIZE, _MIN_DIGIT = 0.12, 0.4  # of a stroke that counts, and of a digit's height: shares of the largest stroke
_PEN = 2.4  # width of a stroke in pixels of the 28x28 image
_GAP = 12.0  # cost of a gap within a character, or of an overlap of two, of the size of the largest stroke
_MIN_SCORE = -6.0  # log probability of the whole, less the costs; of sums mostly above -1, of digits alone below -6
_LAYOUTS = ("d+d", "dd+d", "d+dd", "dd+dd")  # of digits and an operator
_Run = tuple[int, int]


def read_strokes(strokes: Sequence[np.ndarray], notation: Notation, read: LogProbabilities) -> np.ndarray:
    """The characters of a drawn sum, `[5, 28, 28]` uint8, 0 the background and 255 the ink.

    Args:
        strokes: the points `[n, 2]` of each as (x, y), y downwards, of any scale.
        notation: that of the model.
        read: what the model takes an image for.

    Raises:
        ValueError: there is no stroke, or they are no operator between two numbers of 0 to 99.
    """
    signs = " or ".join(notation.operators)
    allowed = f"draw one sum, two numbers of 0 to 99 with {signs} between, such as 45{notation.operators[0]}23"
    largest = max((np.ptp(one, axis=0).max() for one in strokes), default=0)
    if not largest:
        raise ValueError(f"the canvas is empty: {allowed}")
    kept = [one / largest for one in strokes if np.ptp(one, axis=0).max() > _MIN_SIZE * largest]
    pieces = sorted(kept, key=lambda one: float(one[:, 0].min() + one[:, 0].max()))
    if not 3 <= len(pieces) <= MAX_STROKES:
        raise ValueError(f"the canvas has {len(pieces)} strokes, of 3 to {MAX_STROKES} that are allowed: {allowed}")
    runs = [(i, j) for i in range(len(pieces)) for j in range(i + 1, min(i + _MAX_IN_ONE, len(pieces)) + 1)]
    digits, operators = ({run: _draw(pieces[slice(*run)], size) for run in runs} for size in (DIGIT, OPERATOR))
    found = read(np.array([*digits.values(), *operators.values()]))
    costs = np.array([_cost(pieces, run) for run in runs])
    is_low = [np.ptp(np.concatenate(pieces[slice(*run)])[:, 1]) < _MIN_DIGIT for run in runs]
    as_digit = np.where(is_low, -np.inf, found[: len(runs), :10].max(axis=1)) - costs
    as_operator = found[len(runs) :, 10:-1].max(axis=1) - costs
    scores = {"d": dict(zip(runs, as_digit, strict=True)), "+": dict(zip(runs, as_operator, strict=True))}
    score, layout, path = max(_likeliest(one, scores, len(pieces)) for one in _LAYOUTS)
    if score < _MIN_SCORE:
        raise ValueError(f"the drawing cannot be read: {allowed}, digits of one size")
    middle = layout.index("+")
    images = [(operators if i == middle else digits)[run] for i, run in enumerate(path)]
    return query_images(images, middle, notation.padding)


def _likeliest(layout: str, scores: Mapping[str, Mapping[_Run, float]], count: int) -> tuple[float, str, list[_Run]]:
    """The best division of strokes into the characters of a layout: its score, the layout, the runs (Viterbi)."""
    best: dict[int, tuple[float, list[_Run]]] = {0: (0.0, [])}
    for kind in layout:
        longer: dict[int, tuple[float, list[_Run]]] = {}
        for start, (total, path) in best.items():
            for end in range(start + 1, min(start + _MAX_IN_ONE, count) + 1):
                score = total + scores[kind][start, end]
                if score > longer.get(end, (-np.inf, []))[0]:
                    longer[end] = score, [*path, (start, end)]
        best = longer
    score, path = best.get(count, (-np.inf, []))
    return score, layout, path


def _cost(pieces: Sequence[np.ndarray], run: _Run) -> float:
    """What tells against a run by its place: gaps within it, and an overlap with the next one."""
    start, end = run
    x = [(one[:, 0].min(), one[:, 0].max()) for one in pieces]
    gaps = [x[i + 1][0] - max(right for _, right in x[start : i + 1]) for i in range(start, min(end, len(x) - 1))]
    within = sum(max(gap, 0) for gap in gaps[: end - start - 1])
    return float(_GAP * (within + (max(-gaps[-1], 0) if end < len(x) else 0)))


def _draw(strokes: Sequence[np.ndarray], size: int) -> np.ndarray:
    """A character as MNIST's are made, `[28, 28]` uint8: its longer side `size` pixels, centred by its mass."""
    lines = np.concatenate([np.stack([one[:-1], one[1:]], axis=1) for one in strokes])
    points = lines.reshape(-1, 2)
    scaled = lines * (size - _PEN) / np.ptp(points, axis=0).max()
    lengths = np.linalg.norm(scaled[:, 1] - scaled[:, 0], axis=1)
    middle = (scaled.mean(axis=1) * lengths[:, np.newaxis]).sum(axis=0) / lengths.sum()
    return draw_strokes(scaled - middle + SIZE / 2, _PEN)
