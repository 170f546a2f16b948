"""The features of a face, painted over a lit head: eyes, nose, mouth and whiskers.

Both halves of a face are painted at once, as they mirror each other in the head's coordinates.
"""

import math

import cv2
import numpy as np

from library.cats.data.synthetic.canvas import PIXEL, SIZE, Cat, Head, blend, bump, coverage, mask_box, rgb, smoothstep
from library.cats.data.synthetic.coat import interpolate

_IRISES = np.array([
    [0.74, 0.38, 0.13], [0.92, 0.62, 0.15], [0.92, 0.84, 0.28],
    [0.50, 0.76, 0.32], [0.22, 0.72, 0.64], [0.32, 0.60, 0.92],
])  # fmt: skip
_EYE = (0.385, -0.02)  # u on either side, and v
_IRIS = 0.235  # its radius
_LINE, _BLACK, _HIGHLIGHT = rgb(0.10, 0.065, 0.06), rgb(0.03, 0.03, 0.04), rgb(1, 1, 1)
_PINK, _DARK = rgb(0.91, 0.57, 0.55), rgb(0.26, 0.18, 0.19)
_THROAT, _TONGUE, _WHISKER = rgb(0.32, 0.09, 0.10), rgb(0.92, 0.47, 0.49), rgb(0.98, 0.97, 0.95)
_OVERSAMPLING, _FRACTION_BITS = 4, 4  # of whiskers: pixels per pixel and axis, and bits of fixed-point positions
_ROOTS = np.array([[[side * (0.18 + 0.03 * i), 0.46 + 0.055 * i, 0.93]] for side in (-1, 1) for i in range(3)])
_TIPS = np.array([[[side * (1.20 - 0.06 * abs(i - 1)), 0.24 + 0.22 * i, 0.45]] for side in (-1, 1) for i in range(3)])
_CURVE = np.linspace(0, 1, 9)[:, None]


def paint_features(canvas: np.ndarray, cat: Cat, head: Head, light: np.ndarray) -> None:
    """Paints eyes, nose and mouth on a canvas `[3, 75, 75]`, 0 to 1; takes the light on the head, `[75, 75]`."""
    window = mask_box((np.abs(head.u) < 0.75) & (head.v > -0.35) & (head.v < 0.85) & (head.w > 0))
    canvas, head, light = canvas[:, *window], head.crop(window), light[window]
    _paint_nose(canvas, cat, head, light)
    _paint_mouth(canvas, cat, head)
    _paint_eyes(canvas, cat, head, light)


def _paint_eyes(canvas: np.ndarray, cat: Cat, head: Head, light: np.ndarray) -> None:
    """Paints lids of two arches, and between them the iris, the pupil and a highlight."""
    slant, openness = cat["eye_slant"], cat["eye_openness"] * (1.5 - 0.5 * cat["eye_openness"])  # favours open eyes
    angle = math.radians(1 + slant * (4 + 11 * openness))
    x, y = np.abs(head.u) - _EYE[0], head.v - _EYE[1]
    across, below = math.cos(angle) * x - math.sin(angle) * y, math.sin(angle) * x + math.cos(angle) * y
    half = 0.255 + 0.02 * slant
    arch = np.power(np.maximum(0, 1 - np.square(across / half)), 0.60 + 0.2 * slant)
    upper, lower = (0.06 + (0.185 - 0.06 * slant) * openness) * arch, (0.08 + (0.125 - 0.03 * slant) * openness) * arch
    outside = np.maximum(np.maximum(-upper - below, below - lower), np.abs(across) - half)
    front = smoothstep(0.05, 0.25, head.w)
    # In the iris's coordinates its rim is at 1; the pupil's height is the same for slits.
    iris_x, iris_y, pupil = across / _IRIS, (below + 0.005) / _IRIS, 0.14 + 0.66 * cat["pupil"]
    rim, soft = np.square(np.square(iris_x) + np.square(iris_y)), 0.08 / pupil
    ball = interpolate(_IRISES, cat["eye_colour"]) * (1.15 - 0.5 * np.minimum(rim, 1.5) + 0.25 * np.maximum(0, iris_y))
    radius = np.sqrt(np.square(iris_x / pupil) + np.square(iris_y / 0.9))
    blend(ball, smoothstep(1 + soft, 1 - soft, radius), _BLACK)
    ball *= (0.5 + 0.5 * smoothstep(-0.02, 0.09, below + upper)) * (0.55 + 0.45 * light)  # the shadow of the upper lid
    highlight = head.u - np.sign(head.u) * _EYE[0] - 0.085 * math.sin(math.radians(cat["light_angle"]))
    blend(ball, 0.95 * bump(highlight / 0.055, (y + 0.085) / 0.055), _HIGHLIGHT)
    blend(ball, 0.25 * bump((highlight + 0.05) / 0.06, (y - 0.09) / 0.05), _HIGHLIGHT)
    blend(canvas, 0.85 * coverage(outside - 0.026, 3 * PIXEL) * front, _LINE)
    blend(canvas, coverage(outside, 1.5 * PIXEL) * front, ball)


def _paint_nose(canvas: np.ndarray, cat: Cat, head: Head, light: np.ndarray) -> None:
    """Paints a small triangle, pink in light or warm fur and dark in dark fur."""
    dark = max(0.0, 1 - cat["fur_lightness"] / 0.5) * (1 - 0.5 * cat["fur_warmth"])
    colour = _PINK + dark * (_DARK - _PINK)
    x, y = np.abs(head.u), head.v - 0.335
    outside = np.maximum(0.82 * x + 0.57 * y - 0.062, 0.25 * x - y - 0.058)
    blend(canvas, 0.5 * coverage(outside - 0.02, 3 * PIXEL), colour * 0.45)
    blend(canvas, coverage(outside, 1.3 * PIXEL), colour * (0.4 + 0.6 * light - 1.6 * y))
    blend(canvas, 0.45 * bump(x / 0.05, (y + 0.035) / 0.022), _HIGHLIGHT)


def _paint_mouth(canvas: np.ndarray, cat: Cat, head: Head) -> None:
    """Paints two arcs below the nose, from a pout to a smile; from 0.6 on they open over a tongue."""
    smile, gape = min(cat["mouth"] / 0.6, 1), max(cat["mouth"] - 0.6, 0) / 0.4
    x, y = np.abs(head.u), head.v
    part = x / 0.26
    line = 0.51 + 0.075 * np.sin(math.pi * np.minimum(part, 1)) + (0.035 - 0.10 * smile) * np.square(part)
    if gape:
        ajar = min(1, 8 * gape)
        hole = np.sqrt(np.square(x / 0.15) + np.square((y - 0.53) / (0.03 + 0.19 * gape))) * 0.12 - 0.12
        hole = np.maximum(line - y - 0.01, hole)
        tongue = np.square(x / 0.10) + np.square((y - 0.55 - 0.15 * gape) / (0.01 + 0.14 * gape))
        blend(canvas, ajar * coverage(hole, 1.4 * PIXEL), _THROAT)
        blend(canvas, ajar * coverage(np.maximum(np.sqrt(tongue) * 0.1 - 0.1, hole + 0.01), 1.4 * PIXEL), _TONGUE)
    blend(canvas, 0.75 * smoothstep(1.12, 0.75, part) * coverage(np.abs(y - line) - 0.012, 1.6 * PIXEL), _LINE)
    blend(canvas, 0.65 * coverage(np.maximum(x - 0.008, np.abs(y - 0.45) - 0.065), 1.6 * PIXEL), _LINE)


def paint_whiskers(canvas: np.ndarray, cat: Cat, head: Head) -> None:
    """Paints three fine curves on either cheek, higher in a smile."""
    tips = _TIPS - np.array([0, 0.14 * cat["mouth"], 0])
    bends = (_ROOTS + tips) / 2 + np.array([0, -0.10, 0.18])
    paths = (1 - _CURVE) ** 2 * _ROOTS + 2 * _CURVE * (1 - _CURVE) * bends + _CURVE**2 * tips  # [whiskers, points, 3]
    flat = (head.project(paths.reshape(-1, 3)) + 1) * (SIZE * _OVERSAMPLING / 2)
    curves = np.rint(flat * 2**_FRACTION_BITS).astype(np.int32).reshape(*paths.shape[:2], 2)
    fine = np.zeros((SIZE * _OVERSAMPLING, SIZE * _OVERSAMPLING), dtype=np.uint8)
    cv2.polylines(fine, list(curves), False, 255, 2, cv2.LINE_AA, _FRACTION_BITS)
    mask = cv2.resize(fine, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
    blend(canvas, mask * (0.6 / 255), _WHISKER)
