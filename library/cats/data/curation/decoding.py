"""Decodes an image file or an array to 75x75 RGB: upright, opaque, cropped without distortion.

An unusable file does not stop a curation: it comes back with the reason, to be counted and shown.
"""

import io
from contextlib import suppress
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageOps

from library.cats.data.dataset import SIZE

FORMATS = ("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")  # EPS would run Ghostscript
MAX_PIXELS = 1 << 26
MAX_JPEG_PIXELS = 178_956_970  # read at a half, quarter or eighth of its size; above, Pillow refuses
MIN_SIDE = 32  # pixels of the square; below, enlarging would invent most of the image
MIN_CONTRAST = 8.0  # standard deviation of 256 grey levels; the flattest but one of 7,000 real faces has 11.4
LIMITS = {
    "too large": f"over 64 MiB, {MAX_JPEG_PIXELS // 10**6} megapixels as JPEG, or {MAX_PIXELS // 10**6} otherwise",
    "too small": f"under {MIN_SIDE} pixels",
    "nearly flat": f"its grey levels deviate by less than {MIN_CONTRAST:g} of 256",
}
BLANK = np.full((SIZE, SIZE, 3), 128, dtype=np.uint8)


@dataclass(frozen=True)
class Picture:
    """A decoded image, `[75, 75, 3]` uint8 RGB; uniformly grey if nothing could be decoded.

    Attributes:
        side: of the square it was scaled from, in pixels; 0 if nothing could be decoded.
        reason: why it is dropped: `broken`, `too large`, `too small`, `nearly flat`; empty if it is kept.
    """

    image: np.ndarray
    side: int
    reason: str


def decode(content: bytes | np.ndarray | None) -> Picture:
    """Scales the central square of an image to 75x75: by area averaging if it is larger, else by cubic interpolation.

    Takes a file's bytes, or uint8 or uint16 of `[h, w]`, `[h, w, 3]` (RGB) or `[h, w, 4]` (RGBA); None is a file over
    the size limit. Pillow may warn of damaged metadata. The caller ignores that: threads share the filters.
    """
    if content is None:
        return Picture(BLANK, 0, "too large")
    try:
        square, side = _square(content)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return Picture(BLANK, 0, "too large")
    except Exception:  # damaged files make Pillow raise some ten types, SyntaxError among them
        return Picture(BLANK, 0, "broken")
    interpolation = cv2.INTER_AREA if len(square) > SIZE else cv2.INTER_CUBIC
    image = np.asarray(cv2.resize(square, (SIZE, SIZE), interpolation=interpolation))
    if side < MIN_SIDE:
        return Picture(image, side, "too small")
    flat = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).std() < MIN_CONTRAST
    return Picture(image, side, "nearly flat" if flat else "")


def _square(content: bytes | np.ndarray) -> tuple[np.ndarray, int]:
    """The central square of an image, upright and on a white background, uint8 RGB, and its side in the file."""
    if isinstance(content, bytes):
        image: Image.Image = Image.open(io.BytesIO(content), formats=FORMATS)  # its first frame
        width = image.width
        if image.format == "JPEG" and image.width * image.height > MAX_PIXELS:
            image.draft(None, (image.width // 2, image.height // 2))
        if image.width * image.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        scale = width / image.width
        if image.mode == "F":
            raise ValueError("floating-point pixels have no defined range")
        image.load()
        with suppress(Exception):  # damaged EXIF data make Pillow raise anything; the image then stays as it is
            ImageOps.exif_transpose(image, in_place=True)
    else:
        image, scale = _from_array(content), 1.0
    side, (width, height) = min(image.size), image.size
    left, top = (width - side) // 2, (height - side) // 2
    image = image.crop((left, top, left + side, top + side))
    if image.mode.startswith("I"):  # 16 bits
        image = _from_array(np.asarray(image))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB")), round(side * scale)


def _from_array(pixels: np.ndarray) -> Image.Image:
    """An image of 8 bits per channel from one of 8 or 16 bits."""
    if pixels.dtype == np.uint8:
        return Image.fromarray(pixels)
    wide = pixels.astype(np.uint16)
    if not np.array_equal(wide, pixels):
        raise ValueError("32-bit pixels have no defined range")
    return Image.fromarray(cv2.convertScaleAbs(wide, alpha=1 / 257))
