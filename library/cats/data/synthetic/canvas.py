"""Where things are: the pixels of the frame, the head as a turned ellipsoid, and soft-edged shapes upon them.

Every feature is placed on the head itself, so that turning the head moves and narrows them all as in space.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import cv2
import numpy as np

SIZE = 75
PIXEL = 2 / SIZE  # of the frame, which is 2 wide and high: -1 is left or top
CENTRE = np.array([0.0, 0.21])  # of the head in the frame
_TILE = 512

Cat: TypeAlias = Mapping[str, float]
Window: TypeAlias = tuple[slice, slice]
_MIDDLES = ((np.arange(SIZE) + 0.5) * PIXEL - 1).astype(np.float32)
X, Y = np.meshgrid(_MIDDLES, _MIDDLES)


@dataclass(frozen=True)
class Head:
    """A head as the frame shows it; images are `[75, 75]` float32.

    Attributes:
        u: 1 at the side of the head that is on the right of the picture, -1 at the other.
        v: 1 at its chin, -1 at its top.
        w: 1 at its front; (u, v, w) is a point on the unit sphere, and its normal.
        radius: distance from its middle, 1 at the outline.
        turn: `[3, 3]`, which turns (u, v, w) to right, down and front of the upright head.
        lean: `[2, 2]`, which then turns right and down by its tilt.
        axes: `[2]`, its half width and half height.
    """

    u: np.ndarray
    v: np.ndarray
    w: np.ndarray
    radius: np.ndarray
    turn: np.ndarray
    lean: np.ndarray
    axes: np.ndarray

    def project(self, points: np.ndarray) -> np.ndarray:
        """Points `[n, 3]` as (u, v, w), on the head or off it, as `[n, 2]` (x, y) in the frame."""
        return np.asarray((points @ self.turn.T)[:, :2] * self.axes @ self.lean.T + CENTRE)

    def seen_by(self, direction: np.ndarray) -> np.ndarray:
        """A direction `[3]` of the frame, right, down and front, as (u, v, w)."""
        upright = np.array([*(direction[:2] @ self.lean), direction[2]])
        return np.asarray(upright @ self.turn)

    def cropped(self, window: Window) -> "Head":
        """The same head in a window of the frame."""
        return replace(self, **{name: getattr(self, name)[window] for name in ("u", "v", "w", "radius")})


def head_of(cat: Cat) -> Head:
    """The head in its pose: broad heads have full cheeks, narrow ones a pointed chin."""
    wide, (yaw, pitch, tilt) = cat["head_width"], (math.radians(cat[name]) for name in ("yaw", "pitch", "tilt"))
    lean = np.array([[math.cos(tilt), -math.sin(tilt)], [math.sin(tilt), math.cos(tilt)]])
    nod = np.array([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
    spin = np.array([[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]])
    axes = np.array([0.595 + 0.125 * wide, 0.60 - 0.035 * wide])
    right, down = _mixed(lean.T, X - float(CENTRE[0]), Y - float(CENTRE[1]))
    right, down = right / float(axes[0]), down / float(axes[1])
    cheeks = (0.03 + 0.08 * wide + 0.06 * cat["fluff"]) * mound((down - 0.40) / 0.36)
    right /= 0.97 + cheeks - (0.20 - 0.14 * wide) * np.square(np.maximum(down, 0))
    radius = np.sqrt(right * right + down * down)
    shrink = 1 / np.maximum(radius, 1)  # pixels beside the head are as those of its outline
    right, down = right * shrink, down * shrink
    front = np.sqrt(np.maximum(0, 1 - right * right - down * down))
    turn = spin @ nod
    u, v, w = _mixed(turn.T, right, down, front)
    return Head(u, v, w, radius, turn, lean, axes)


def cover(distance: np.ndarray, soft: float = PIXEL) -> np.ndarray:
    """How much of each pixel lies within a shape, 0 to 1, by its distance in units of the frame, negative inside."""
    return np.minimum(np.maximum(0.5 - distance / soft, 0), 1)


def mound(*offsets: np.ndarray) -> np.ndarray:
    """1 where all offsets are 0, falling off as a bell whose deviation is 0.7."""
    return np.asarray(np.exp(-sum(np.square(offset) for offset in offsets)))


def step(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 up to `low`, 1 from `high` on, smooth between; downwards where `high` is the smaller."""
    part = np.minimum(np.maximum((value - low) / (high - low), 0), 1)
    return part * part * (3 - 2 * part)


def lay(canvas: np.ndarray, mask: np.ndarray, colour: np.ndarray) -> None:
    """Paints over a canvas `[3, 75, 75]` where the mask `[75, 75]` is: one colour `[3, 1, 1]`, or an image of them."""
    canvas += mask * (colour - canvas)


def around(points: np.ndarray, margin: float) -> Window:
    """The part of the frame that holds points `[n, 2]` (x, y) and a margin."""
    low, high = ((side + 1) / PIXEL for side in (points.min(axis=0) - margin, points.max(axis=0) + margin))
    columns, rows = (slice(max(0, math.floor(a)), math.ceil(b)) for a, b in zip(low, high, strict=True))
    return rows, columns


def within(mask: np.ndarray) -> Window:
    """The part of the frame that holds all of a mask `[75, 75]`."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def rgb(red: float, green: float, blue: float) -> np.ndarray:
    """A colour `[3, 1, 1]`, 0 to 1 each."""
    return np.array([red, green, blue], dtype=np.float32)[:, None, None]


def noise(seed: int, *sigmas: float) -> np.ndarray:
    """A tile `[512, 512]` of smooth noise of deviation 1 that repeats without a seam; sigmas by axis, in its pixels."""
    frequencies = np.fft.fftfreq(_TILE)
    blur = np.outer(*(np.exp(-2 * np.square(np.pi * frequencies * sigma)) for sigma in sigmas))
    tile = np.fft.ifft2(np.fft.fft2(np.random.default_rng(seed).normal(size=blur.shape)) * blur).real
    return np.asarray(tile / tile.std(), dtype=np.float32)


def sample(tile: np.ndarray, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """A tile's values `[75, 75]` at places whose unit is the whole tile."""
    columns, rows = ((axis - np.floor(axis)) * _TILE for axis in (across, down))
    return np.asarray(cv2.remap(tile, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP))


def _mixed(matrix: np.ndarray, *axes: np.ndarray) -> list[np.ndarray]:
    """The matrix applied to each pixel's vector."""
    return [np.asarray(sum(float(weight) * axis for weight, axis in zip(row, axes, strict=True))) for row in matrix]
