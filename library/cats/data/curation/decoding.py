"""One image file, or an array of one, made 75x75 RGB: upright, opaque, cropped without distortion.

A file is no reason to stop: what cannot be used comes back with the reason, so that it can be counted and shown.
"""

import os
import struct
from dataclasses import dataclass

import cv2
import numpy as np

from library.cats.data.dataset import SIZE

# As many pixels as a photo has; heeded where nothing imported cv2 before.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 26))

SMALLEST = 32  # side of the square, in pixels, below which enlarging invents most of what is seen
FLATTEST = 8.0  # standard deviation of 256 greys; of 7,000 real faces the flattest but one has 11.4
BLANK = np.full((SIZE, SIZE, 3), 128, dtype=np.uint8)
_JPEG, _TIFF = b"\xff\xd8", (b"II*\0", b"MM\0*")
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Picture:
    """An image as the set has it.

    Attributes:
        image: `[75, 75, 3]` uint8 RGB; grey all over where nothing could be decoded.
        side: of the square that it was made from, in pixels.
        reason: why it is to be dropped: `broken`, `too large`, `too small`, `nearly flat`; empty if it is not.
    """

    image: np.ndarray
    side: int
    reason: str


def decode(content: bytes | np.ndarray | None) -> Picture:
    """The middle square of an image at 75x75: averaged by area if it was larger, by cubics if it was smaller.

    Args:
        content: a file's bytes, or uint8 or uint16 of `[h, w]`, `[h, w, 3]` (RGB) or `[h, w, 4]` (RGBA); None is a
            file of more bytes than are read.
    """
    if content is None:
        return Picture(BLANK, 0, "too large")
    pixels = content if isinstance(content, np.ndarray) else _pixels(content)
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16) or not pixels.size:
        return Picture(BLANK, 0, "broken")
    square = _opaque(_middle(pixels))
    side = len(square)
    scaling = cv2.INTER_AREA if side > SIZE else cv2.INTER_CUBIC
    image = np.asarray(cv2.resize(square, (SIZE, SIZE), interpolation=scaling))
    if side < SMALLEST:
        return Picture(image, side, "too small")
    flat = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).std() < FLATTEST
    return Picture(image, side, "nearly flat" if flat else "")


def _pixels(raw: bytes) -> np.ndarray | None:
    """A file's pixels, upright: grey, RGB or RGBA of 8 or 16 bits; None if it is broken or no image."""
    buffer = np.frombuffer(raw, dtype=np.uint8)
    try:
        if raw.startswith(_JPEG):  # which OpenCV turns upright; and there is no transparency to lose
            return cv2.imdecode(buffer, cv2.IMREAD_COLOR_RGB)
        pixels, kinds, blocks = cv2.imdecodeWithMetadata(buffer, flags=cv2.IMREAD_UNCHANGED)
    except cv2.error:  # such as of no bytes, or of more pixels than it is allowed
        return None
    if pixels is None or pixels.ndim == 2:
        return pixels
    pixels = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    exif = dict(zip(kinds, blocks, strict=True)).get(cv2.IMAGE_METADATA_EXIF)
    return pixels if exif is None or raw.startswith(_TIFF) else _upright(pixels, _orientation(exif.tobytes()))


def _orientation(exif: bytes) -> int:
    """What EXIF says of the camera's position, 1 to 8; 1, which is upright, if it says nothing that can be read."""
    order = "<" if exif.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (entries,) = struct.unpack_from(f"{order}H", exif, start)
        for entry in range(entries):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, start + 2 + 12 * entry)
            if tag == _ORIENTATION:
                return int(value)
    except struct.error:
        pass
    return 1


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undoes an orientation of EXIF, of which 5 to 8 have rows and columns exchanged."""
    if 5 <= orientation <= 8:
        pixels = pixels.swapaxes(0, 1)
    down = -1 if orientation in (3, 4, 7, 8) else 1
    across = -1 if orientation in (2, 3, 6, 7) else 1
    return pixels[::down, ::across]


def _middle(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])


def _opaque(pixels: np.ndarray) -> np.ndarray:
    """8-bit RGB on a white ground, of grey, RGB or RGBA of 8 or 16 bits."""
    if pixels.dtype == np.uint16:
        pixels = cv2.convertScaleAbs(pixels, alpha=1 / 257)
    if pixels.ndim == 2:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB))
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3:].astype(np.uint16)
    shown = pixels[..., :3] * alpha  # in place from here on: a photo's 16-bit copy is large
    shown += 255 * (255 - alpha)
    shown += 127
    shown //= 255
    return shown.astype(np.uint8)
