"""Reads a user's photo of any size as the models take it, by the same steps as curated sets."""

import warnings
from pathlib import Path

import numpy as np


def read_photo(query: str) -> np.ndarray:
    """Reads the central square of an image, `[75, 75, 3]` uint8 RGB, from the path of a PNG, JPEG or the like.

    ValueError if the file is missing, too large or no image: one line that names it.
    """
    from library.cats.data.curation.decoding import LIMITS, decode

    try:
        with warnings.catch_warnings(action="ignore"):  # Pillow's, about damaged metadata
            picture = decode(Path(query).read_bytes())
    except OSError as error:
        raise ValueError(f"query: {query!r} cannot be read ({error.strerror}); allowed is an image, as PNG") from None
    if not picture.side:  # a small or flat photo is dropped from a set, but a model can take it
        reason = "broken or no image" if picture.reason == "broken" else f"{picture.reason} ({LIMITS[picture.reason]})"
        raise ValueError(f"query: {query!r} is {reason}; allowed is an image, as PNG")
    return picture.image
