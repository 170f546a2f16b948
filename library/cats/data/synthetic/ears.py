"""Ears: bowed triangles that stand on the head, with skin and a tuft of hair inside.

Their corners are points in space, so that they turn with the head, and the far one is seen from the side.
"""

import math

import numpy as np

from library.cats.data.synthetic.canvas import PIXEL, Cat, Head, Window, X, Y, around, cover, lay, rgb, step
from library.cats.data.synthetic.coat import Coat
from library.cats.data.synthetic.light import lit, on, sun

_SKIN = rgb(0.87, 0.60, 0.57)


def paint_ears(canvas: np.ndarray, cat: Cat, head: Head, coat: Coat, hairs: np.ndarray) -> None:
    """Paints both, on a canvas that the head is not yet on.

    Args:
        canvas: `[3, 75, 75]`, 0 to 1, changed in place.
        cat: its factors.
        head: on which they stand.
        coat: which has their colour.
        hairs: `[75, 75]`, of deviation 1.
    """
    for side in (-1, 1):
        corners = _corners(head, cat["ear_size"], cat["ear_roundness"], side)
        window = around(corners, 0.12)
        _paint_ear(canvas[:, *window], cat, coat, hairs[window], corners, window, side)


def _paint_ear(
    canvas: np.ndarray, cat: Cat, coat: Coat, hairs: np.ndarray, corners: np.ndarray, window: Window, side: int
) -> None:
    roundness = cat["ear_roundness"]
    across, up, width = _axes(corners, window)
    rise = np.minimum(np.maximum(up, 0), 1)
    taper = np.power(1 - rise, 0.92 - 0.34 * roundness) * (1 + (0.12 + 0.30 * roundness) * rise)
    outside = np.maximum((np.abs(across) - taper) * 0.8 * width, np.maximum(up - 1, -0.15 - up) * 0.3)
    outside -= (0.006 + 0.010 * cat["fluff"]) * hairs
    light = on(cat, sun(cat), 0.55 * side * across, -0.3, 0.75) * (1 + 0.06 * hairs)
    lay(canvas, cover(outside, 1.5 * PIXEL), lit(coat.ears, light))
    inside = np.maximum((np.abs(across + 0.06) - 0.62 * taper) * width, np.maximum(up - 0.84, -0.1 - up) * 0.4)
    skin = 0.9 * cover(inside, 3 * PIXEL)
    lay(canvas, skin, lit(0.75 * _SKIN + 0.25 * coat.ears, light * (0.62 + 0.4 * rise)))
    tuft = step(0.6, -0.3, up) * step(0.2, -0.6, across) * step(-0.6, 1.0, hairs)
    lay(canvas, 0.6 * tuft * skin, lit(0.5 * coat.ears + 0.45, light))


def _corners(head: Head, size: float, roundness: float, side: int) -> np.ndarray:
    """An ear's corners `[3, 2]` in the frame: inner, outer, tip."""
    height = 1.38 + 0.36 * size - 0.10 * roundness
    corners = [
        [side * (0.14 + 0.12 * roundness - 0.05 * size), -0.86, 0.15],
        [side * (0.92 + 0.03 * roundness), -0.34 + 0.02 * roundness, -0.05],
        [side * (0.50 + 0.14 * roundness) * height, -(0.92 - 0.08 * roundness) * height, 0.0],
    ]
    return head.project(np.array(corners))


def _axes(corners: np.ndarray, window: Window) -> tuple[np.ndarray, np.ndarray, float]:
    """Where pixels are on an ear: across it, -1 to 1 at its base, and up, 1 at its tip; and its half width."""
    inner, outer, tip = corners
    middle, half = (inner + outer) / 2, (outer - inner) / 2
    (a, b), (c, d) = half.tolist(), (tip - middle).tolist()
    x, y = X[window] - float(middle[0]), Y[window] - float(middle[1])
    area = a * d - b * c
    return (d * x - c * y) / area, (a * y - b * x) / area, math.hypot(a, b)
