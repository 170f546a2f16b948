"""A picture of a cat, of any size, as the models take it."""

from pathlib import Path

import numpy as np


def read_photo(query: str) -> np.ndarray:
    """The middle square of an image of any size, `[75, 75, 3]` uint8 RGB.

    Args:
        query: the path of a PNG, JPEG or whatever else OpenCV reads.

    Raises:
        ValueError: the file is missing, or no image; one line names it.
    """
    from library.cats.data.curation.decoding import decode

    try:
        picture = decode(Path(query).read_bytes())
    except OSError as error:
        raise ValueError(f"query: {query!r} cannot be read ({error.strerror}); allowed is an image, as PNG") from None
    if picture.reason == "broken":  # small or flat ones are well enough to look at
        raise ValueError(f"query: {query!r} is broken or no image; allowed is an image, as PNG")
    return picture.image
