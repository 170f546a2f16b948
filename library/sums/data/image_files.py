"""Image files of characters side by side, read as queries and written as answers.

A file comes from a user: whatever is wrong with it is said in one line.
"""

from pathlib import Path

import cv2
import numpy as np

from library.framework.images import save
from library.sums.data.handwriting import SIZE
from library.sums.data.notation import QUERY_LENGTH
from library.sums.data.photograph import MIN_SIDE


def read(query: str, characters: int) -> np.ndarray:
    """`[characters, 28, 28]` uint8 images, 0 the background and 255 the ink.

    Args:
        query: the path of one PNG of all characters side by side, or of one for each with commas between.
        characters: how many there must be.

    Raises:
        ValueError: a file is missing, empty, no image, or not of 8 bits, the right size and light ink on dark ground.
    """
    paths = [Path(path) for path in query.split(",")]
    if len(paths) not in (1, characters):
        raise ValueError(
            f"query: got {len(paths)} files; allowed is one of {characters} characters, or {characters} of one each"
        )
    width = SIZE * characters // len(paths)
    strip = np.concatenate([_decode(path, width) for path in paths], axis=1)
    if strip.mean() > 127:
        raise ValueError(f"query: {query!r} is dark ink on a light background; allowed is light ink on a dark one")
    return strip.reshape(SIZE, characters, SIZE).swapaxes(0, 1)


def write(images: np.ndarray, path: Path) -> str:
    """Writes `[characters, 28, 28]` uint8 images side by side as a PNG and gives its path; UserError if it cannot."""
    save(np.concatenate(list(images), axis=1), path)
    return str(path)


def _decode(path: Path, width: int) -> np.ndarray:
    allowed = f"allowed is a PNG, 8 bits, {width} pixels wide and {SIZE} high"
    if width == SIZE * QUERY_LENGTH:
        allowed += f", or a photograph of {MIN_SIDE} pixels or more on each side"
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ValueError(f"query: {str(path)!r} cannot be read ({error.strerror}); {allowed}") from None
    try:
        image = cv2.imdecode(np.frombuffer(raw, dtype=np.uint8), cv2.IMREAD_UNCHANGED) if raw else None
    except cv2.error:  # such as for more pixels than it allows
        image = None
    if image is None:
        raise ValueError(f"query: {str(path)!r} is {'no image' if raw else 'empty'}; {allowed}")
    height, got = image.shape[:2]
    if image.dtype != np.uint8 or (height, got) != (SIZE, width):
        bits = 8 * image.dtype.itemsize
        raise ValueError(f"query: {str(path)!r} has {bits} bits and is {got} wide and {height} high; {allowed}")
    if image.ndim == 3 and image.shape[2] == 4 and image[..., 3].min() < 255:
        raise ValueError(f"query: {str(path)!r} is partly transparent; {allowed}, grey or colour without transparency")
    return np.asarray(cv2.cvtColor(image[..., :3], cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image, dtype=np.uint8)
