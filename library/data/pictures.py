"""Image files read for a query and written for an answer: characters side by side, or a cat."""

import os
from pathlib import Path

import cv2
import numpy as np

from library.data.glyphs import SIZE
from library.errors import UserError


def read(query: str, characters: int) -> np.ndarray:
    """`[characters, 28, 28]` uint8 images, 0 the ground and 255 the ink.

    Args:
        query: the path of one PNG of all characters side by side, or of one for each with commas between.
        characters: how many there must be.

    Raises:
        ValueError: a file is missing, empty or no image, or is not 8-bit, 28 pixels high and of the right width, with
            light ink on a dark ground; one line names the file, what it is and what is allowed.
    """
    paths = [Path(path) for path in query.split(",")]
    if len(paths) not in (1, characters):
        raise ValueError(
            f"query: got {len(paths)} files; allowed is one of {characters} characters, or {characters} of one each"
        )
    width = SIZE * characters // len(paths)
    strip = np.concatenate([_decode(path, width) for path in paths], axis=1)
    if strip.mean() > 127:
        raise ValueError(f"query: {query!r} is dark ink on a light ground; allowed is light ink on a dark ground")
    return strip.reshape(SIZE, characters, SIZE).swapaxes(0, 1)


def write(images: np.ndarray, path: Path) -> None:
    """Writes `[characters, 28, 28]` uint8 images side by side as a PNG; UserError where it cannot."""
    save(np.concatenate(list(images), axis=1), path)


def read_photo(query: str) -> np.ndarray:
    """The middle square of an image of any size, `[75, 75, 3]` uint8 RGB.

    Args:
        query: the path of a PNG, JPEG or whatever else OpenCV reads.

    Raises:
        ValueError: the file is missing, or no image; one line names it.
    """
    from library.data.curation.decoding import decode

    try:
        picture = decode(Path(query).read_bytes())
    except OSError as error:
        raise ValueError(f"query: {query!r} cannot be read ({error.strerror}); allowed is an image, as PNG") from None
    if picture.reason == "broken":  # small or flat ones are well enough to look at
        raise ValueError(f"query: {query!r} is broken or no image; allowed is an image, as PNG")
    return picture.image


def save(image: np.ndarray, path: Path) -> None:
    """Writes a uint8 image, `[height, width]` or `[height, width, 3]` RGB, as a PNG; UserError where it cannot."""
    try:
        path.write_bytes(cv2.imencode(".png", image[..., ::-1] if image.ndim == 3 else image)[1].tobytes())
    except OSError as error:
        raise UserError(f"out: {str(path)!r} cannot be written ({error.strerror}); give another OUT=file.png") from None


def check_target(out: str) -> Path:
    """Where to write to; ValueError if nothing was given, it is no `.png`, or its folder does not exist."""
    if not out:
        raise ValueError("out: nothing was given; it is the PNG to write the answer to, as in OUT=answer.png")
    path = Path(out)
    if (
        path.suffix.lower() != ".png"
        or not path.parent.is_dir()
        or path.is_dir()
        or not os.access(path.parent, os.W_OK)
    ):
        raise ValueError(f"out: got {out!r}; allowed is a file ending in .png in a folder that can be written")
    return path


def _decode(path: Path, width: int) -> np.ndarray:
    allowed = f"allowed is a PNG, 8 bits, {width} pixels wide and {SIZE} high"
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ValueError(f"query: {str(path)!r} cannot be read ({error.strerror}); {allowed}") from None
    try:
        image = cv2.imdecode(np.frombuffer(raw, dtype=np.uint8), cv2.IMREAD_UNCHANGED) if raw else None
    except cv2.error:  # such as of more pixels than it deems possible
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
