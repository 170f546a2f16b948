"""Light: where it comes from, how much of it falls on a surface, and what it does to colours.

A round head in it has depth, and one cat can look like many.
"""

import math

import numpy as np

from library.cats.data.synthetic.canvas import Cat, rgb

_SUN, _SHADE = rgb(1.05, 1.0, 0.93), rgb(0.84, 0.86, 1.0)


def sun(cat: Cat) -> np.ndarray:
    """The direction `[3]` that light comes from: right, down, front."""
    angle = math.radians(cat["light_angle"])
    towards = np.array([0.8 * math.sin(angle), -0.35 - 0.35 * math.cos(angle), 0.62])
    return np.asarray(towards / np.linalg.norm(towards))


def on(cat: Cat, towards: np.ndarray, *normal: np.ndarray | float) -> np.ndarray:
    """Light on a surface, about 1 where it is full: even where the light is soft, and with deep shade where it is hard.

    Args:
        cat: its factors.
        towards: `[3]`, where the light comes from.
        normal: of the surface at each pixel, along the same axes.
    """
    even = 0.80 + 0.22 * normal[2]
    falling = sum(float(share) * part for share, part in zip(towards, normal, strict=True))
    hard = 0.28 + 0.92 * np.maximum(0, falling + 0.35) / 1.35
    return np.asarray(even + (0.25 + 0.75 * cat["light_strength"]) * (hard - even))


def lit(colour: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Colours under light: warm where it is bright, cool in the shade."""
    return colour * (light * (_SHADE + np.minimum(light, 1) * (_SUN - _SHADE)))
