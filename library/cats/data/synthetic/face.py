"""The features of a face, painted over a lit head: eyes, nose, mouth and whiskers.

Both halves of a face are painted at once, as one is the other's mirror image on the head.
"""

import math

import cv2
import numpy as np

from library.cats.data.synthetic.canvas import PIXEL, SIZE, Cat, Head, cover, lay, mound, rgb, step, within
from library.cats.data.synthetic.coat import along

_IRISES = np.array([
    [0.74, 0.38, 0.13], [0.92, 0.62, 0.15], [0.92, 0.84, 0.28],
    [0.50, 0.76, 0.32], [0.22, 0.72, 0.64], [0.32, 0.60, 0.92],
])  # fmt: skip
_EYE = (0.385, -0.02)  # u on either side, and v
_IRIS = 0.235  # its radius
_LINE, _BLACK, _GLEAM = rgb(0.10, 0.065, 0.06), rgb(0.03, 0.03, 0.04), rgb(1, 1, 1)
_PINK, _DARK = rgb(0.91, 0.57, 0.55), rgb(0.26, 0.18, 0.19)
_THROAT, _TONGUE, _WHISKER = rgb(0.32, 0.09, 0.10), rgb(0.92, 0.47, 0.49), rgb(0.98, 0.97, 0.95)
_SHARP, _BITS = 4, 4  # whiskers are drawn so many times finer than pixels, at places rounded to so many bits
_ROOTS = np.array([[[side * (0.18 + 0.03 * i), 0.46 + 0.055 * i, 0.93]] for side in (-1, 1) for i in range(3)])
_TIPS = np.array([[[side * (1.20 - 0.06 * abs(i - 1)), 0.24 + 0.22 * i, 0.45]] for side in (-1, 1) for i in range(3)])
_PART = np.linspace(0, 1, 9)[:, None]


def paint_features(canvas: np.ndarray, cat: Cat, head: Head, light: np.ndarray) -> None:
    """All but the whiskers, in the window that holds them.

    Args:
        canvas: `[3, 75, 75]`, 0 to 1, changed in place.
        cat: its factors.
        head: on which they are.
        light: `[75, 75]` on the head, about 1.
    """
    window = within((np.abs(head.u) < 0.75) & (head.v > -0.35) & (head.v < 0.85) & (head.w > 0))
    canvas, head, light = canvas[:, *window], head.cropped(window), light[window]
    _paint_nose(canvas, cat, head, light)
    _paint_mouth(canvas, cat, head)
    _paint_eyes(canvas, cat, head, light)


def _paint_eyes(canvas: np.ndarray, cat: Cat, head: Head, light: np.ndarray) -> None:
    """Lids of two arches, and between them the iris, the pupil and a gleam."""
    slant, openness = cat["eye_slant"], cat["eye_openness"] * (1.5 - 0.5 * cat["eye_openness"])  # more awake than not
    angle = math.radians(1 + slant * (4 + 11 * openness))
    x, y = np.abs(head.u) - _EYE[0], head.v - _EYE[1]
    across, below = math.cos(angle) * x - math.sin(angle) * y, math.sin(angle) * x + math.cos(angle) * y
    half = 0.255 + 0.02 * slant
    arch = np.power(np.maximum(0, 1 - np.square(across / half)), 0.60 + 0.2 * slant)
    upper, lower = (0.06 + (0.185 - 0.06 * slant) * openness) * arch, (0.08 + (0.125 - 0.03 * slant) * openness) * arch
    outside = np.maximum(np.maximum(-upper - below, below - lower), np.abs(across) - half)
    front = step(0.05, 0.25, head.w)
    ball = _eyeball(cat, across / _IRIS, (below + 0.005) / _IRIS)
    ball *= (0.5 + 0.5 * step(-0.02, 0.09, below + upper)) * (0.55 + 0.45 * light)  # the upper lid's shade
    gleam = head.u - np.sign(head.u) * _EYE[0] - 0.085 * math.sin(math.radians(cat["light_angle"]))
    lay(ball, 0.95 * mound(gleam / 0.055, (y + 0.085) / 0.055), _GLEAM)
    lay(ball, 0.25 * mound((gleam + 0.05) / 0.06, (y - 0.09) / 0.05), _GLEAM)
    lay(canvas, 0.85 * cover(outside - 0.026, 3 * PIXEL) * front, _LINE)
    lay(canvas, cover(outside, 1.5 * PIXEL) * front, ball)


def _eyeball(cat: Cat, across: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Iris and pupil by the place on the iris, 1 at its rim; slit or round, a pupil is as high."""
    rim = np.square(np.square(across) + np.square(below))
    ball = along(_IRISES, cat["eye_colour"]) * (1.15 - 0.5 * np.minimum(rim, 1.5) + 0.25 * np.maximum(0, below))
    wide = 0.14 + 0.66 * cat["pupil"]
    soft = 0.08 / wide
    lay(ball, step(1 + soft, 1 - soft, np.sqrt(np.square(across / wide) + np.square(below / 0.9))), _BLACK)
    return ball


def _paint_nose(canvas: np.ndarray, cat: Cat, head: Head, light: np.ndarray) -> None:
    """A small triangle, pink in light or warm fur, dark in dark."""
    dark = max(0.0, 1 - cat["fur_lightness"] / 0.5) * (1 - 0.5 * cat["fur_warmth"])
    colour = _PINK + dark * (_DARK - _PINK)
    x, y = np.abs(head.u), head.v - 0.335
    outside = np.maximum(0.82 * x + 0.57 * y - 0.062, 0.25 * x - y - 0.058)
    lay(canvas, 0.5 * cover(outside - 0.02, 3 * PIXEL), colour * 0.45)
    lay(canvas, cover(outside, 1.3 * PIXEL), colour * (0.4 + 0.6 * light - 1.6 * y))
    lay(canvas, 0.45 * mound(x / 0.05, (y + 0.035) / 0.022), _GLEAM)


def _paint_mouth(canvas: np.ndarray, cat: Cat, head: Head) -> None:
    """Two arcs below the nose that sink in a pout and rise in a smile; from 0.6 on they part over a tongue."""
    smile, gape = min(cat["mouth"] / 0.6, 1), max(cat["mouth"] - 0.6, 0) / 0.4
    x, y = np.abs(head.u), head.v
    part = x / 0.26
    line = 0.51 + 0.075 * np.sin(math.pi * np.minimum(part, 1)) + (0.035 - 0.10 * smile) * np.square(part)
    if gape:
        ajar = min(1, 8 * gape)
        hole = np.sqrt(np.square(x / 0.15) + np.square((y - 0.53) / (0.03 + 0.19 * gape))) * 0.12 - 0.12
        hole = np.maximum(line - y - 0.01, hole)
        tongue = np.square(x / 0.10) + np.square((y - 0.55 - 0.15 * gape) / (0.01 + 0.14 * gape))
        lay(canvas, ajar * cover(hole, 1.4 * PIXEL), _THROAT)
        lay(canvas, ajar * cover(np.maximum(np.sqrt(tongue) * 0.1 - 0.1, hole + 0.01), 1.4 * PIXEL), _TONGUE)
    lay(canvas, 0.75 * step(1.12, 0.75, part) * cover(np.abs(y - line) - 0.012, 1.6 * PIXEL), _LINE)
    lay(canvas, 0.65 * cover(np.maximum(x - 0.008, np.abs(y - 0.45) - 0.065), 1.6 * PIXEL), _LINE)


def paint_whiskers(canvas: np.ndarray, cat: Cat, head: Head) -> None:
    """Three fine curves on either cheek, higher in a smile."""
    tips = _TIPS - np.array([0, 0.14 * cat["mouth"], 0])
    bends = (_ROOTS + tips) / 2 + np.array([0, -0.10, 0.18])
    paths = (1 - _PART) ** 2 * _ROOTS + 2 * _PART * (1 - _PART) * bends + _PART**2 * tips  # [whiskers, points, 3]
    flat = (head.project(paths.reshape(-1, 3)) + 1) * (SIZE * _SHARP / 2)
    curves = np.rint(flat * 2**_BITS).astype(np.int32).reshape(*paths.shape[:2], 2)
    fine = np.zeros((SIZE * _SHARP, SIZE * _SHARP), dtype=np.uint8)
    cv2.polylines(fine, list(curves), False, 255, 2, cv2.LINE_AA, _BITS)
    mask = cv2.resize(fine, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
    lay(canvas, mask * (0.6 / 255), _WHISKER)
