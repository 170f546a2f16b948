"""Renders cats from back to front: background, shoulders, ears, head, face.

Each layer is painted in full over the ones behind it, so that every edge is soft and nothing needs to be cut out.
"""

from collections.abc import Mapping

import numpy as np

from library.cats.data.synthetic import face
from library.cats.data.synthetic.canvas import PIXEL, SIZE, Cat, Head, X, Y, blend, bump, coverage, pose, smoothstep
from library.cats.data.synthetic.coat import (
    Coat,
    apply_light,
    hair_texture,
    illumination,
    interpolate,
    light_direction,
    make_coat,
)
from library.cats.data.synthetic.ears import paint_ears
from library.cats.data.synthetic.factors import validate

_BACKGROUNDS = np.array([
    [0.89, 0.66, 0.68], [0.95, 0.76, 0.60], [0.91, 0.85, 0.68], [0.70, 0.80, 0.65],
    [0.52, 0.75, 0.73], [0.60, 0.77, 0.91], [0.76, 0.71, 0.90],
])  # fmt: skip
_GLOW = 0.66 + 0.40 * bump(X / 1.15, (Y + 0.15) / 1.15) - 0.06 * Y
_BUMPS = (  # on both halves of the head: height, u, v, half width, half height
    (0.55, 0.15, 0.50, 0.17, 0.16),  # cheeks of the muzzle
    (0.35, 0.0, 0.76, 0.14, 0.12),  # chin
    (0.40, 0.0, 0.12, 0.11, 0.34),  # bridge of the nose
    (-0.45, 0.37, -0.02, 0.26, 0.22),  # hollows of the eyes
    (0.25, 0.34, -0.42, 0.22, 0.16),  # brows
)


def draw(factors: Mapping[str, np.ndarray]) -> np.ndarray:
    """Draws cats, `[n, 75, 75, 3]` uint8 RGB, from their factors; takes and raises as `validate`."""
    columns = validate(factors)
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    images = [_draw_one(dict(zip(columns, row, strict=True))) for row in rows]
    return np.array(images, dtype=np.uint8).reshape(-1, SIZE, SIZE, 3)


def _draw_one(cat: Cat) -> np.ndarray:
    head = pose(cat)
    coat, hair = make_coat(cat, head), hair_texture(cat)
    canvas = interpolate(_BACKGROUNDS, cat["background"]) * _GLOW  # lighter behind the head
    _paint_shoulders(canvas, cat, head, coat, hair)
    paint_ears(canvas, cat, head, coat, hair)
    light = _paint_head(canvas, cat, head, coat, hair)
    face.paint_features(canvas, cat, head, light)
    face.paint_whiskers(canvas, cat, head)
    return np.rint(np.minimum(canvas, 1) * 255).astype(np.uint8).transpose(1, 2, 0)


def _paint_shoulders(canvas: np.ndarray, cat: Cat, head: Head, coat: Coat, hair: np.ndarray) -> None:
    x, y = X / (0.66 + 0.12 * cat["head_width"]), (Y - 1.24) / 0.80
    radius = np.sqrt(x * x + y * y)
    front = np.sqrt(np.maximum(0, 1 - np.square(radius)))
    light = illumination(cat, light_direction(cat), x, y, front)
    light = light * (1 - 0.5 * smoothstep(1.45, 0.9, head.radius)) * (0.95 + 0.07 * hair)
    outside = (radius - 1) * 0.6 - (0.012 + 0.02 * cat["fluff"]) * hair
    blend(canvas, coverage(outside, 1.6 * PIXEL), apply_light(coat.body, light))


def _paint_head(canvas: np.ndarray, cat: Cat, head: Head, coat: Coat, hair: np.ndarray) -> np.ndarray:
    """Paints the head, whose normals are bent by bumps and hollows, and returns the light on it, `[75, 75]`."""
    beside, sign = np.abs(head.u), np.sign(head.u)
    right, down = head.u.copy(), head.v.copy()
    for height, u, v, wide, tall in _BUMPS:
        across, below = (beside - u) / wide, (head.v - v) / tall
        gaussian = height * bump(across, below)
        right += gaussian * across * sign
        down += gaussian * below
    length = np.sqrt(right * right + down * down + np.square(head.w) + 1e-6)
    light = illumination(cat, head.to_head_axes(light_direction(cat)), right / length, down / length, head.w / length)
    light *= 1 + hair * (0.03 + 0.055 * smoothstep(0.2, 0.7, np.sqrt(np.square(head.u) + np.square(head.v - 0.4))))
    long = (0.006 + 0.034 * cat["fluff"]) * (0.55 + smoothstep(-0.2, 0.5, head.v))
    outside = (head.radius - 1) * float(head.axes.min()) - long * hair
    blend(canvas, coverage(outside, 1.6 * PIXEL), apply_light(coat.head, light))
    return light
