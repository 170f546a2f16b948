"""Light: its direction, how much of it falls on a surface, and what it does to colours.

Shading gives the head depth, and one cat many appearances.
"""

import math

import numpy as np

from library.cats.data.synthetic.canvas import Cat, rgb

_WARM, _COOL = rgb(1.05, 1.0, 0.93), rgb(0.84, 0.86, 1.0)


def light_direction(cat: Cat) -> np.ndarray:
    """The unit vector `[3]` towards the light: right, down, front."""
    angle = math.radians(cat["light_angle"])
    towards = np.array([0.8 * math.sin(angle), -0.35 - 0.35 * math.cos(angle), 0.62])
    return np.asarray(towards / np.linalg.norm(towards))


def illumination(cat: Cat, direction: np.ndarray, *normal: np.ndarray | float) -> np.ndarray:
    """Light on a surface, about 1 where it is full: even if the light is soft, with deep shade if it is hard.

    Args:
        cat: its factors.
        direction: `[3]`, towards the light.
        normal: the surface normal at each pixel, along the same three axes.
    """
    even = 0.80 + 0.22 * normal[2]
    falling = sum(float(share) * part for share, part in zip(direction, normal, strict=True))
    hard = 0.28 + 0.92 * np.maximum(0, falling + 0.35) / 1.35
    return np.asarray(even + (0.25 + 0.75 * cat["light_strength"]) * (hard - even))


def apply_light(colour: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Applies light to colours: warm where it is bright, cool in the shade."""
    return colour * (light * (_COOL + np.minimum(light, 1) * (_WARM - _COOL)))
