"""The ground-truth factors of synthetic cats: some twenty, each sampled independently of all others.

No photograph comes with them; here, a latent space can be compared with what it should have found.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

PATTERNS = ("solid", "tabby", "tuxedo", "calico", "points")


@dataclass(frozen=True)
class Factor:
    """A factor of variation: what its lowest and its highest value look like, and both; an integer is a category."""

    description: str
    low: float = 0.0
    high: float = 1.0
    integer: bool = False


FACTORS: Mapping[str, Factor] = {
    "head_width": Factor("from a wedge, as of a Siamese, to a broad round head, as of a Persian"),
    "fluff": Factor("length of the fur, visible at the outline and in the cheeks"),
    "ear_size": Factor("from small to large"),
    "ear_roundness": Factor("from pointed and upright to round and wide apart"),
    "fur_lightness": Factor("from black or chocolate to white or cream"),
    "fur_warmth": Factor("from grey to ginger"),
    "pattern": Factor("which of PATTERNS", 0, len(PATTERNS) - 1, integer=True),
    "pattern_strength": Factor("extent of the pattern; of a solid coat, how pale its muzzle and chest are"),
    "eye_colour": Factor("copper, amber, yellow, green, turquoise, blue"),
    "eye_slant": Factor("from round and level to narrow and slanting"),
    "eye_openness": Factor("from sleepy to wide open"),
    "pupil": Factor("from a slit to almost the whole iris"),
    "yaw": Factor("degrees, positive to the right of the picture", -30, 30),
    "pitch": Factor("degrees, positive upwards", -15, 15),
    "tilt": Factor("degrees, positive to the right of the picture", -14, 14),
    "mouth": Factor("from a pout to a smile, and from 0.6 on to a miaow"),
    "light_angle": Factor("degrees: light from the left, from above at 0, from the right", -75, 75),
    "light_strength": Factor("from soft and even to hard with deep shade"),
    "background": Factor("rose, apricot, sand, sage, teal, sky, lavender"),
    "grain": Factor("seed of hair, wobbles and patches, without order", 0, 65535, integer=True),
}


def sample_factors(count: int, seed: int) -> dict[str, np.ndarray]:
    """Samples the factors of `count` cats: `[count]` each, float32 or int32, uniform over the factor's range.

    Those of cat i depend on the seed and i alone: `sample_factors(9, 0)` starts with `sample_factors(5, 0)`.
    """
    sampled = {}
    for name, factor in FACTORS.items():
        uniform = np.random.default_rng((seed, zlib.crc32(name.encode()))).random(count)
        values = factor.low + uniform * (factor.high + factor.integer - factor.low)
        sampled[name] = values.astype(np.int32 if factor.integer else np.float32)
    return sampled


def validate(factors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Converts factors to float64: `[n]` for every name in FACTORS, such as those of `sample_factors(n, seed)`.

    Raises:
        ValueError: a factor is missing, unknown, of another shape than `[n]`, not numeric, out of range or not integer.
    """
    if set(factors) != set(FACTORS):
        missing, unknown = sorted(set(FACTORS) - set(factors)), sorted(set(factors) - set(FACTORS))
        raise ValueError(f"factors: got missing={missing}, unknown={unknown}; allowed is exactly {', '.join(FACTORS)}")
    arrays = {name: np.asarray(factors[name]) for name in FACTORS}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) > 1 or len(next(iter(shapes))) != 1:
        raise ValueError(f"factors: got shapes {sorted(shapes)}; allowed is [n], the same for all")
    for name, array in arrays.items():
        factor = FACTORS[name]
        if array.dtype.kind not in "iuf":
            raise ValueError(f"{name}: got {array.dtype}; allowed are numbers")
        wrong = ~((array >= factor.low) & (array <= factor.high))  # also catches NaN
        if factor.integer:
            wrong |= array != np.rint(array)
        if wrong.any():
            kind = "a whole number" if factor.integer else "a number"
            raise ValueError(f"{name}: got {array[wrong][0]}; allowed is {kind} from {factor.low:g} to {factor.high:g}")
    return {name: array.astype(np.float64) for name, array in arrays.items()}
