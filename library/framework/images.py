"""PNG files that commands write."""

import os
from pathlib import Path

import cv2
import numpy as np

from .errors import UserError


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
