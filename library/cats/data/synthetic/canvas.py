"""The frame, the head as a rotated ellipsoid, and soft-edged shapes to draw with.

Features are placed in the head's own coordinates, so that rotating the head moves and foreshortens all of them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import cv2
import numpy as np

SIZE = 75
PIXEL = 2 / SIZE  # the frame spans -1 (left, top) to 1 (right, bottom)
CENTRE = np.array([0.0, 0.21])  # of the head in the frame
_TILE = 512

Cat: TypeAlias = Mapping[str, float]
Window: TypeAlias = tuple[slice, slice]
_PIXEL_CENTRES = ((np.arange(SIZE) + 0.5) * PIXEL - 1).astype(np.float32)
X, Y = np.meshgrid(_PIXEL_CENTRES, _PIXEL_CENTRES)


@dataclass(frozen=True)
class Head:
    """A head in its pose, as coordinates of every pixel; images are `[75, 75]` float32.

    Attributes:
        u: from -1 to 1 at the side of the head that is on the right of the picture.
        v: from -1 at the top to 1 at the chin.
        w: 1 at the front; (u, v, w) is a point on the unit sphere, and its normal.
        radius: distance from the centre, 1 at the outline.
        rotation: `[3, 3]`, from (u, v, w) to right, down and front of the upright head.
        tilt: `[2, 2]`, then rotates right and down in the frame.
        axes: `[2]`, half width and half height.
    """

    u: np.ndarray
    v: np.ndarray
    w: np.ndarray
    radius: np.ndarray
    rotation: np.ndarray
    tilt: np.ndarray
    axes: np.ndarray

    def project(self, points: np.ndarray) -> np.ndarray:
        """Projects points `[n, 3]` (u, v, w), on the head or off it, to `[n, 2]` (x, y) in the frame."""
        return np.asarray((points @ self.rotation.T)[:, :2] * self.axes @ self.tilt.T + CENTRE)

    def to_head_axes(self, direction: np.ndarray) -> np.ndarray:
        """Converts a direction `[3]` from right, down and front of the frame to (u, v, w)."""
        upright = np.array([*(direction[:2] @ self.tilt), direction[2]])
        return np.asarray(upright @ self.rotation)

    def crop(self, window: Window) -> "Head":
        """Restricts the head to a window of the frame."""
        return replace(self, **{name: getattr(self, name)[window] for name in ("u", "v", "w", "radius")})


def pose(cat: Cat) -> Head:
    """Poses the head of a cat: broad heads have full cheeks, narrow ones a pointed chin."""
    wide, (yaw, pitch, tilt) = cat["head_width"], (math.radians(cat[name]) for name in ("yaw", "pitch", "tilt"))
    tilt_matrix = np.array([[math.cos(tilt), -math.sin(tilt)], [math.sin(tilt), math.cos(tilt)]])
    pitch_matrix = np.array([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
    yaw_matrix = np.array([[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]])
    axes = np.array([0.595 + 0.125 * wide, 0.60 - 0.035 * wide])
    right, down = _apply_matrix(tilt_matrix.T, X - float(CENTRE[0]), Y - float(CENTRE[1]))
    right, down = right / float(axes[0]), down / float(axes[1])
    cheeks = (0.03 + 0.08 * wide + 0.06 * cat["fluff"]) * bump((down - 0.40) / 0.36)
    right /= 0.97 + cheeks - (0.20 - 0.14 * wide) * np.square(np.maximum(down, 0))
    radius = np.sqrt(right * right + down * down)
    shrink = 1 / np.maximum(radius, 1)  # pixels beside the head take the coordinates of its outline
    right, down = right * shrink, down * shrink
    front = np.sqrt(np.maximum(0, 1 - right * right - down * down))
    rotation = yaw_matrix @ pitch_matrix
    u, v, w = _apply_matrix(rotation.T, right, down, front)
    return Head(u, v, w, radius, rotation, tilt_matrix, axes)


def coverage(distance: np.ndarray, softness: float = PIXEL) -> np.ndarray:
    """The coverage of each pixel by a shape, 0 to 1, from its signed distance in the frame, negative inside."""
    return np.minimum(np.maximum(0.5 - distance / softness, 0), 1)


def bump(*offsets: np.ndarray) -> np.ndarray:
    """A Gaussian of the offsets with a standard deviation of 0.7: 1 where all of them are 0."""
    return np.asarray(np.exp(-sum(np.square(offset) for offset in offsets)))


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """Rises smoothly from 0 at `low` to 1 at `high`, and falls if `high` is the smaller of the two."""
    part = np.minimum(np.maximum((value - low) / (high - low), 0), 1)
    return part * part * (3 - 2 * part)


def blend(canvas: np.ndarray, mask: np.ndarray, colour: np.ndarray) -> None:
    """Draws a colour `[3, 1, 1]` or an image of colours over a canvas `[3, 75, 75]`, by an opacity mask `[75, 75]`."""
    canvas += mask * (colour - canvas)


def bounding_box(points: np.ndarray, margin: float) -> Window:
    """The window that bounds points `[n, 2]` (x, y) and a margin."""
    low, high = ((side + 1) / PIXEL for side in (points.min(axis=0) - margin, points.max(axis=0) + margin))
    columns, rows = (slice(max(0, math.floor(a)), math.ceil(b)) for a, b in zip(low, high, strict=True))
    return rows, columns


def mask_box(mask: np.ndarray) -> Window:
    """The window that bounds a mask `[75, 75]`."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def rgb(red: float, green: float, blue: float) -> np.ndarray:
    """A colour `[3, 1, 1]`, channels from 0 to 1."""
    return np.array([red, green, blue], dtype=np.float32)[:, None, None]


def noise(seed: int, *sigmas: float) -> np.ndarray:
    """A seamless tile `[512, 512]` of Gaussian-blurred noise of standard deviation 1; one sigma per axis, in pixels."""
    frequencies = np.fft.fftfreq(_TILE)
    blur = np.outer(*(np.exp(-2 * np.square(np.pi * frequencies * sigma)) for sigma in sigmas))
    tile = np.fft.ifft2(np.fft.fft2(np.random.default_rng(seed).normal(size=blur.shape)) * blur).real
    return np.asarray(tile / tile.std(), dtype=np.float32)


def sample_tile(tile: np.ndarray, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Samples a tile at positions in units of the tile; returns `[75, 75]`."""
    columns, rows = ((axis - np.floor(axis)) * _TILE for axis in (across, down))
    return np.asarray(cv2.remap(tile, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP))


def _apply_matrix(matrix: np.ndarray, *axes: np.ndarray) -> list[np.ndarray]:
    """Multiplies the vector of every pixel by a matrix."""
    return [np.asarray(sum(float(weight) * axis for weight, axis in zip(row, axes, strict=True))) for row in matrix]
