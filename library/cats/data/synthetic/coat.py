"""Fur: its colours, the five patterns that they form, and the light on them.

Two numbers span the colours of cats: from grey to ginger, and from dark to light. Shading gives the head depth, and one
cat many appearances.
"""

import math
from dataclasses import dataclass

import numpy as np

from library.cats.data.synthetic.canvas import Cat, Head, X, Y, blend, bump, noise, rgb, sample_tile, smoothstep
from library.cats.data.synthetic.factors import PATTERNS

WHITE, CREAM = rgb(0.97, 0.955, 0.93), rgb(0.97, 0.92, 0.84)
_WARM, _COOL = rgb(1.05, 1.0, 0.93), rgb(0.84, 0.86, 1.0)  # light
_GREYS = np.array([[0.13, 0.125, 0.15], [0.47, 0.49, 0.54], [0.93, 0.93, 0.94]])
_GINGERS = np.array([[0.32, 0.17, 0.10], [0.84, 0.48, 0.20], [0.98, 0.88, 0.72]])
_CLOUDS = noise(3, 28, 28)
_HAIR = 0.75 * noise(1, 22, 2.6) + 0.55 * noise(2, 12, 5)  # long down, narrow across
_AROUND = np.arctan2(Y - 0.3, X) * (0.5 / math.pi)
_OUTWARDS = np.sqrt(np.square(X) + np.square(Y - 0.3)) * 0.55
_CHEST = bump(X / 0.34, (Y - 0.98) / 0.34)


@dataclass(frozen=True)
class Coat:
    """Unlit colours, 0 to 1, of head and body `[3, 75, 75]` and of the ears `[3, 1, 1]`."""

    head: np.ndarray
    body: np.ndarray
    ears: np.ndarray


def make_coat(cat: Cat, head: Head) -> Coat:
    """Makes the coat of a cat, in the coordinates of its head so that it rotates with it."""
    return _PATTERNS[PATTERNS[int(cat["pattern"])]](cat, head, cat["pattern_strength"])


def interpolate(stops: np.ndarray, position: float) -> np.ndarray:
    """The colour `[3, 1, 1]` at a position, 0 to 1, along evenly spaced stops `[n, 3]`."""
    first = min(int(position * (len(stops) - 1)), len(stops) - 2)
    part = position * (len(stops) - 1) - first
    return np.asarray(((1 - part) * stops[first] + part * stops[first + 1])[:, None, None], dtype=np.float32)


def fur(lightness: float, warmth: float) -> np.ndarray:
    """The base colour `[3, 1, 1]` of fur, before any pattern."""
    warmth = warmth * warmth * (3 - 2 * warmth)  # halfway, all fur is brown; this makes it rarer
    return np.asarray((1 - warmth) * interpolate(_GREYS, lightness) + warmth * interpolate(_GINGERS, lightness))


def grain_offset(cat: Cat, salt: float) -> float:
    """A pseudo-random number, 0 to 1, from the cat's grain and a salt."""
    return float((cat["grain"] * 0.6180339887 + salt) * (1 + salt) % 1)


def hair_texture(cat: Cat) -> np.ndarray:
    """Streaks `[75, 75]` that run outwards from the nose, of standard deviation about 1."""
    return sample_tile(_HAIR, _AROUND + grain_offset(cat, 0.61), _OUTWARDS + grain_offset(cat, 0.05))


def light_direction(cat: Cat) -> np.ndarray:
    """The unit vector `[3]` towards the light: right, down, front."""
    angle = math.radians(cat["light_angle"])
    towards = np.array([0.8 * math.sin(angle), -0.35 - 0.35 * math.cos(angle), 0.62])
    return np.asarray(towards / np.linalg.norm(towards))


def illumination(cat: Cat, direction: np.ndarray, *normal: np.ndarray | float) -> np.ndarray:
    """Light on a surface, about 1 where it is full: even if the light is soft, with deep shade if it is hard.

    Takes the direction towards the light, `[3]`, and the surface normal at each pixel, along the same three axes.
    """
    even = 0.80 + 0.22 * normal[2]
    falling = sum(float(share) * part for share, part in zip(direction, normal, strict=True))
    hard = 0.28 + 0.92 * np.maximum(0, falling + 0.35) / 1.35
    return np.asarray(even + (0.25 + 0.75 * cat["light_strength"]) * (hard - even))


def apply_light(colour: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Applies light to colours: warm where it is bright, cool in the shade."""
    return colour * (light * (_COOL + np.minimum(light, 1) * (_WARM - _COOL)))


def _solid(cat: Cat, head: Head, strength: float) -> Coat:
    colour = fur(cat["fur_lightness"], cat["fur_warmth"])
    face, body = np.tile(colour, (2, 1, *X.shape))
    pale = colour + 0.75 * strength * (WHITE - colour)
    blend(face, 0.8 * _muzzle(head), pale)
    blend(body, 0.8 * _CHEST, pale)
    return Coat(face, body, colour)


def _tabby(cat: Cat, head: Head, strength: float) -> Coat:
    """Stripes that run outwards from between the eyes, an M on the brow; rings on the chest."""
    colour = fur(cat["fur_lightness"], cat["fur_warmth"])
    dark, pale = colour * rgb(0.34, 0.27, 0.25), (colour + 2 * WHITE) / 3
    face, body = np.tile(colour, (2, 1, *X.shape))
    beside, below = np.abs(head.u), head.v - 0.12
    blend(face, 0.75 * _muzzle(head) + 0.45 * bump((beside - 0.38) / 0.3, (head.v + 0.02) / 0.26), pale)
    wobble = _head_noise(cat, head, 0.16, 0.11)
    angle, reach = np.arctan2(beside, -below), np.sqrt(beside * beside + below * below)
    stripes = smoothstep(-0.1, 0.6, np.cos(10.5 * angle + 0.8 * wobble) + 0.15 * wobble)
    where = smoothstep(0.36, 0.60, reach) * smoothstep(2.45, 2.0, angle)
    blend(face, (0.35 + 0.6 * strength) * stripes * where, dark)
    rings = smoothstep(0.0, 0.8, np.cos(24 * head.radius + wobble)) * smoothstep(-0.1, 0.3, np.abs(X))
    blend(body, (0.25 + 0.5 * strength) * rings, dark)
    blend(body, 0.5 * _CHEST, pale)
    return Coat(face, body, colour * (1 - 0.25 * strength))


def _tuxedo(cat: Cat, head: Head, strength: float) -> Coat:
    """A white muzzle and chest, and a blaze between the eyes."""
    colour = fur(cat["fur_lightness"], cat["fur_warmth"])
    face, body = np.tile(colour, (2, 1, *X.shape))
    wobble = 0.035 * _head_noise(cat, head, 0.25, 0.23)
    blaze = -0.10 + (0.12 + 0.18 * strength) * smoothstep(-0.6 - 0.4 * strength, 0.05, head.v)
    blaze += (0.34 + 0.30 * strength) * smoothstep(0.02, 0.62, head.v)
    blend(face, smoothstep(0.05, -0.05, np.abs(head.u) - blaze + wobble), WHITE)
    bib = np.sqrt(np.square(X / (0.20 + 0.24 * strength)) + np.square((Y - 0.78) / (0.22 + 0.35 * strength)))
    blend(body, smoothstep(1.12, 0.88, bib + 2 * wobble), WHITE)
    return Coat(face, body, colour)


def _calico(cat: Cat, head: Head, strength: float) -> Coat:
    """White with patches of two colours, one on either side."""
    lightness, warmth = cat["fur_lightness"], cat["fur_warmth"]
    first, second = fur(0.12 + 0.55 * lightness, warmth), fur(0.05 + 0.5 * (1 - lightness), 1 - warmth)
    face, body = np.tile(WHITE, (2, 1, *X.shape))
    edge = 0.55 - 0.75 * strength
    white = 0.7 * smoothstep(0.15, 0.75, head.v) * smoothstep(0.8, 0.3, np.abs(head.u)) + 0.4 * head.v
    for colour, salt, side in ((first, 0.31, 0.5), (second, 0.73, -0.5)):
        patch = _head_noise(cat, head, 0.13, salt) + side * head.u - white
        blend(face, smoothstep(edge - 0.12, edge + 0.12, patch), colour)
        blend(body, smoothstep(edge - 0.12, edge + 0.12, patch + 0.3), colour)
    return Coat(face, body, first)


def _points(cat: Cat, head: Head, strength: float) -> Coat:
    """Pale, with a dark mask and ears."""
    lightness, warmth = cat["fur_lightness"], cat["fur_warmth"]
    colour = fur(lightness, warmth)
    pale, dark = colour + 0.72 * (CREAM - colour), fur(0.04 + 0.4 * lightness, 0.15 + 0.7 * warmth)
    face, body = np.tile(pale, (2, 1, *X.shape))
    mask = smoothstep(0.95, 0.35, np.sqrt(np.square(head.u / 0.82) + np.square((head.v - 0.22) / 0.85)))
    blend(face, (0.3 + 0.65 * strength) * mask, dark)
    blend(body, 0.25 * strength * smoothstep(0.7, 1.0, Y), dark)
    return Coat(face, body, pale + (0.4 + 0.6 * strength) * (dark - pale))


def _head_noise(cat: Cat, head: Head, scale: float, salt: float) -> np.ndarray:
    """Noise `[75, 75]` of standard deviation 1 that is fixed to the head."""
    across, down = grain_offset(cat, salt), grain_offset(cat, salt + 0.37)
    return sample_tile(_CLOUDS, head.u * scale + across, head.v * scale + down)


def _muzzle(head: Head) -> np.ndarray:
    return bump(head.u / 0.42, (head.v - 0.62) / 0.34)


_PATTERNS = {"solid": _solid, "tabby": _tabby, "tuxedo": _tuxedo, "calico": _calico, "points": _points}
