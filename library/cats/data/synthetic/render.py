"""One cat, painted from the back to the front: background, shoulders, ears, head, face.

What is behind is painted first and in full, so that every edge is soft and nothing needs to be cut out.
"""

from collections.abc import Mapping

import numpy as np

from library.cats.data.synthetic import face
from library.cats.data.synthetic.canvas import PIXEL, SIZE, Cat, Head, X, Y, cover, head_of, lay, mound, step
from library.cats.data.synthetic.coat import Coat, along, coat_of, hairs_of
from library.cats.data.synthetic.ears import paint_ears
from library.cats.data.synthetic.factors import checked
from library.cats.data.synthetic.light import lit, on, sun

_WALLS = np.array([
    [0.89, 0.66, 0.68], [0.95, 0.76, 0.60], [0.91, 0.85, 0.68], [0.70, 0.80, 0.65],
    [0.52, 0.75, 0.73], [0.60, 0.77, 0.91], [0.76, 0.71, 0.90],
])  # fmt: skip
_GLOW = 0.66 + 0.40 * mound(X / 1.15, (Y + 0.15) / 1.15) - 0.06 * Y
_MOUNDS = (  # on either half of the head: height, u, v, half width, half height
    (0.55, 0.15, 0.50, 0.17, 0.16),  # cheeks of the muzzle
    (0.35, 0.0, 0.76, 0.14, 0.12),  # chin
    (0.40, 0.0, 0.12, 0.11, 0.34),  # bridge of the nose
    (-0.45, 0.37, -0.02, 0.26, 0.22),  # hollows of the eyes
    (0.25, 0.34, -0.42, 0.22, 0.16),  # brows
)


def draw(given: Mapping[str, np.ndarray]) -> np.ndarray:
    """The pictures `[n, 75, 75, 3]` uint8 of cats with given factors, such as `factors(n, seed)` or any others.

    Args:
        given: every name in FACTORS with its `[n]` values.

    Raises:
        ValueError: a factor is missing or unknown, not `[n]` numbers like all others, out of its range, or not whole.
    """
    columns = checked(given)
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    images = [_painted(dict(zip(columns, row, strict=True))) for row in rows]
    return np.array(images, dtype=np.uint8).reshape(-1, SIZE, SIZE, 3)


def _painted(cat: Cat) -> np.ndarray:
    """The picture `[75, 75, 3]` uint8 of one cat."""
    head = head_of(cat)
    coat, hairs = coat_of(cat, head), hairs_of(cat)
    canvas = _background(cat)
    _paint_shoulders(canvas, cat, head, coat, hairs)
    paint_ears(canvas, cat, head, coat, hairs)
    light = _paint_head(canvas, cat, head, coat, hairs)
    face.paint_features(canvas, cat, head, light)
    face.paint_whiskers(canvas, cat, head)
    return np.rint(np.minimum(canvas, 1) * 255).astype(np.uint8).transpose(1, 2, 0)


def _background(cat: Cat) -> np.ndarray:
    """A wall, lighter behind the head."""
    return along(_WALLS, cat["background"]) * _GLOW


def _paint_shoulders(canvas: np.ndarray, cat: Cat, head: Head, coat: Coat, hairs: np.ndarray) -> None:
    x, y = X / (0.66 + 0.12 * cat["head_width"]), (Y - 1.24) / 0.80
    radius = np.sqrt(x * x + y * y)
    front = np.sqrt(np.maximum(0, 1 - np.square(radius)))
    light = on(cat, sun(cat), x, y, front) * (1 - 0.5 * step(1.45, 0.9, head.radius)) * (0.95 + 0.07 * hairs)
    outside = (radius - 1) * 0.6 - (0.012 + 0.02 * cat["fluff"]) * hairs
    lay(canvas, cover(outside, 1.6 * PIXEL), lit(coat.body, light))


def _paint_head(canvas: np.ndarray, cat: Cat, head: Head, coat: Coat, hairs: np.ndarray) -> np.ndarray:
    """Paints the head, modelled by mounds and hollows, and gives the light on it, `[75, 75]`."""
    beside, sign = np.abs(head.u), np.sign(head.u)
    right, down = head.u.copy(), head.v.copy()
    for height, u, v, wide, tall in _MOUNDS:
        across, below = (beside - u) / wide, (head.v - v) / tall
        bell = height * mound(across, below)
        right += bell * across * sign
        down += bell * below
    length = np.sqrt(right * right + down * down + np.square(head.w) + 1e-6)
    light = on(cat, head.seen_by(sun(cat)), right / length, down / length, head.w / length)
    light *= 1 + hairs * (0.03 + 0.055 * step(0.2, 0.7, np.sqrt(np.square(head.u) + np.square(head.v - 0.4))))
    long = (0.006 + 0.034 * cat["fluff"]) * (0.55 + step(-0.2, 0.5, head.v))
    outside = (head.radius - 1) * float(head.axes.min()) - long * hairs
    lay(canvas, cover(outside, 1.6 * PIXEL), lit(coat.head, light))
    return light
