"""PNG files that commands write."""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from .environment import option
from .errors import UserError


def save(image: np.ndarray, path: Path) -> None:
    """Writes a uint8 image, `[height, width]` or `[height, width, 3]` RGB, as a PNG; UserError where it cannot."""
    try:
        Image.fromarray(image).save(path, "PNG")
    except OSError as error:
        give = f"give another {option(out='file.png')}"
        raise UserError(f"out: {str(path)!r} cannot be written ({error.strerror}); {give}") from None


def check_target(out: str) -> Path:
    """Where to write to; ValueError if nothing was given, it is no `.png`, or its folder does not exist."""
    if not out:
        raise ValueError(f"out: nothing was given; it is the PNG to write to, as in {option(out='answer.png')}")
    path = Path(out)
    can_be_written = path.parent.is_dir() and os.access(path.parent, os.W_OK) and not path.is_dir()
    if path.suffix.lower() != ".png" or not can_be_written:
        raise ValueError(f"out: got {out!r}; allowed is a file ending in .png in a folder that can be written")
    return path
