"""Ears: curved triangles on the head, with skin and a tuft of hair inside.

Their corners are points in space, so that they rotate with the head and the far ear is foreshortened.
"""

import math

import numpy as np

from library.cats.data.synthetic.canvas import PIXEL, Cat, Head, X, Y, blend, bounding_box, coverage, rgb, smoothstep
from library.cats.data.synthetic.coat import Coat, apply_light, illumination, light_direction

_SKIN = rgb(0.87, 0.60, 0.57)


def paint_ears(canvas: np.ndarray, cat: Cat, head: Head, coat: Coat, hair: np.ndarray) -> None:
    """Paints both ears, before the head, on a canvas `[3, 75, 75]`, 0 to 1; takes a texture of hair `[75, 75]`."""
    size, roundness = cat["ear_size"], cat["ear_roundness"]
    height = 1.38 + 0.36 * size - 0.10 * roundness
    for side in (-1, 1):
        inner = [side * (0.14 + 0.12 * roundness - 0.05 * size), -0.86, 0.15]
        outer = [side * (0.92 + 0.03 * roundness), -0.34 + 0.02 * roundness, -0.05]
        tip = [side * (0.50 + 0.14 * roundness) * height, -(0.92 - 0.08 * roundness) * height, 0.0]
        _paint_ear(canvas, cat, coat, hair, head.project(np.array([inner, outer, tip])), side)


def _paint_ear(canvas: np.ndarray, cat: Cat, coat: Coat, hair: np.ndarray, corners: np.ndarray, side: int) -> None:
    window = bounding_box(corners, 0.12)
    canvas, hair = canvas[:, *window], hair[window]
    inner, outer, tip = corners
    middle, half = (inner + outer) / 2, (outer - inner) / 2
    (a, b), (c, d) = half.tolist(), (tip - middle).tolist()
    x, y = X[window] - float(middle[0]), Y[window] - float(middle[1])
    area = a * d - b * c
    across, up = (d * x - c * y) / area, (a * y - b * x) / area  # -1 to 1 at the base, and 1 at the tip
    width, roundness = math.hypot(a, b), cat["ear_roundness"]
    rise = np.minimum(np.maximum(up, 0), 1)
    taper = np.power(1 - rise, 0.92 - 0.34 * roundness) * (1 + (0.12 + 0.30 * roundness) * rise)
    outside = np.maximum((np.abs(across) - taper) * 0.8 * width, np.maximum(up - 1, -0.15 - up) * 0.3)
    outside -= (0.006 + 0.010 * cat["fluff"]) * hair
    light = illumination(cat, light_direction(cat), 0.55 * side * across, -0.3, 0.75) * (1 + 0.06 * hair)
    blend(canvas, coverage(outside, 1.5 * PIXEL), apply_light(coat.ears, light))
    inside = np.maximum((np.abs(across + 0.06) - 0.62 * taper) * width, np.maximum(up - 0.84, -0.1 - up) * 0.4)
    skin = 0.9 * coverage(inside, 3 * PIXEL)
    blend(canvas, skin, apply_light(0.75 * _SKIN + 0.25 * coat.ears, light * (0.62 + 0.4 * rise)))
    tuft = smoothstep(0.6, -0.3, up) * smoothstep(0.2, -0.6, across) * smoothstep(-0.6, 1.0, hair)
    blend(canvas, 0.6 * tuft * skin, apply_light(0.5 * coat.ears + 0.45, light))
