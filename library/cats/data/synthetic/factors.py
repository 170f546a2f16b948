"""What varies between drawn cats: some twenty factors, each drawn independently of all others.

No photograph comes with its causes; these cats do, so that a latent space can be held against what it should find.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

PATTERNS = ("solid", "tabby", "tuxedo", "calico", "points")


@dataclass(frozen=True)
class Factor:
    """One cause of a picture.

    Attributes:
        meaning: what its lowest and its highest value look like.
        low: its lowest value, allowed.
        high: its highest, allowed too.
        whole: whether it is a whole number that names a kind, rather than a degree of something.
    """

    meaning: str
    low: float = 0.0
    high: float = 1.0
    whole: bool = False


FACTORS: Mapping[str, Factor] = {
    "head_width": Factor("from a wedge, as of a Siamese, to a broad round head, as of a Persian"),
    "fluff": Factor("length of the fur, seen at the outline and in the cheeks"),
    "ear_size": Factor("from small to large"),
    "ear_roundness": Factor("from pointed and upright to round and wide apart"),
    "fur_lightness": Factor("from black or chocolate to white or cream"),
    "fur_warmth": Factor("from grey to ginger"),
    "pattern": Factor("which of PATTERNS", 0, len(PATTERNS) - 1, whole=True),
    "pattern_strength": Factor("how far the pattern goes; of a solid coat, how pale its muzzle and chest are"),
    "eye_colour": Factor("copper, amber, yellow, green, turquoise, blue"),
    "eye_slant": Factor("from round and level to narrow and slanting"),
    "eye_openness": Factor("from sleepy to wide open"),
    "pupil": Factor("from a slit to almost the whole iris"),
    "yaw": Factor("degrees by which the head turns to the right of the picture", -30, 30),
    "pitch": Factor("degrees by which the head is raised", -15, 15),
    "tilt": Factor("degrees by which the head leans to the right of the picture", -14, 14),
    "mouth": Factor("from a pout to a smile, and from 0.6 on to a miaow"),
    "light_angle": Factor("degrees from which the light comes: left, above at 0, right", -75, 75),
    "light_strength": Factor("from soft and even to hard, with deep shade"),
    "background": Factor("rose, apricot, sand, sage, teal, sky, lavender"),
    "grain": Factor("which hairs, wobbles and patches: a name without order", 0, 65535, whole=True),
}


def factors(count: int, seed: int) -> dict[str, np.ndarray]:
    """The causes of `count` cats: each `[count]`, float32, or int32 where whole; evenly spread over its range.

    Those of cat i depend on the seed and i alone: `factors(9, 0)` begins with `factors(5, 0)`.
    """
    drawn = {}
    for name, factor in FACTORS.items():
        even = np.random.default_rng((seed, zlib.crc32(name.encode()))).random(count)
        if factor.whole:
            drawn[name] = (factor.low + even * (factor.high + 1 - factor.low)).astype(np.int32)
        else:
            drawn[name] = (factor.low + even * (factor.high - factor.low)).astype(np.float32)
    return drawn


def checked(given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same factors as float64 arrays of one length.

    Raises:
        ValueError: a factor is missing or unknown, not `[n]` numbers like all others, out of its range, or not whole.
    """
    if set(given) != set(FACTORS):
        missing, unknown = sorted(set(FACTORS) - set(given)), sorted(set(given) - set(FACTORS))
        raise ValueError(f"factors: got missing={missing}, unknown={unknown}; allowed is exactly {', '.join(FACTORS)}")
    arrays = {name: np.asarray(given[name]) for name in FACTORS}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) > 1 or len(next(iter(shapes))) != 1:
        raise ValueError(f"factors: got shapes {sorted(shapes)}; allowed is [n], the same of all")
    for name, array in arrays.items():
        _check(name, array)
    return {name: array.astype(np.float64) for name, array in arrays.items()}


def _check(name: str, array: np.ndarray) -> None:
    factor = FACTORS[name]
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name}: got {array.dtype}; allowed are numbers")
    wrong = ~((array >= factor.low) & (array <= factor.high))  # so that nan is wrong
    if factor.whole:
        wrong |= array != np.rint(array)
    if wrong.any():
        kind = "a whole number" if factor.whole else "a number"
        raise ValueError(f"{name}: got {array[wrong][0]}; allowed is {kind} from {factor.low:g} to {factor.high:g}")
