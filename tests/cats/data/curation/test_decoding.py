"""Image files of every kind are decoded to the same 75x75 RGB; unusable ones say why."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from library.cats.data.curation.decoding import BLANK, MAX_PIXELS, MIN_CONTRAST, Picture, decode
from library.cats.data.photos import read_photo

RED, GREEN, BLUE, WHITE = (200, 40, 30), (30, 160, 60), (40, 50, 190), (255, 255, 255)
BOX = 20  # from each corner, in pixels of 75


def quarters(height: int = 75, width: int = 75) -> np.ndarray:
    """An RGB image with a different colour in each corner: red, green, blue, white."""
    image = np.empty((height, width, 3), dtype=np.uint8)
    image[: height // 2, : width // 2], image[: height // 2, width // 2 :] = RED, GREEN
    image[height // 2 :, : width // 2], image[height // 2 :, width // 2 :] = BLUE, WHITE
    return image


def corners(image: np.ndarray) -> list[list[int]]:
    """Mean colours of the four corners, row by row."""
    boxes = [
        image[rows, columns] for rows in (slice(BOX), slice(-BOX, None)) for columns in (slice(BOX), slice(-BOX, None))
    ]
    return [np.rint(box.mean(axis=(0, 1))).astype(int).tolist() for box in boxes]


def opencv(kind: str, image: np.ndarray) -> bytes:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR)
    return cv2.imencode(kind, bgr)[1].tobytes()


def pillow(kind: str, mode: str, image: np.ndarray | None = None, orientation: int = 1) -> bytes:
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(quarters() if image is None else image).convert(mode).save(buffer, kind, exif=exif)
    return buffer.getvalue()


def holed() -> np.ndarray:
    """The quarters, the blue one transparent and the red one half transparent."""
    image = np.dstack([quarters(), np.full((75, 75), 255, dtype=np.uint8)])
    image[37:, :37, 3], image[:37, :37, 3] = 0, 128
    return image


def near(got: list[list[int]], expected: list[tuple[int, ...]], tolerance: int = 3) -> bool:
    return bool(np.abs(np.array(got) - np.array(expected)).max() <= tolerance)


KINDS: dict[str, Callable[[], bytes | np.ndarray]] = {
    "PNG": lambda: opencv(".png", quarters()),
    "BMP": lambda: opencv(".bmp", quarters()),
    "TIFF": lambda: opencv(".tiff", quarters()),
    "WebP": lambda: opencv(".webp", quarters()),
    "JPEG": lambda: opencv(".jpg", quarters()),
    "16-bit PNG": lambda: opencv(".png", quarters().astype(np.uint16) * 257),
    "16-bit TIFF": lambda: opencv(".tiff", quarters().astype(np.uint16) * 257),
    "opaque": lambda: opencv(".png", np.dstack([quarters(), np.full((75, 75), 255, dtype=np.uint8)])),
    "CMYK JPEG": lambda: pillow("JPEG", "CMYK"),
    "CMYK TIFF": lambda: pillow("TIFF", "CMYK"),
    "palette PNG": lambda: pillow("PNG", "P"),
    "GIF": lambda: pillow("GIF", "P"),
    "array": quarters,
    "array of 16 bits": lambda: quarters().astype(np.uint16) * 257,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_has_the_same_colours(kind: str) -> None:
    picture = decode(KINDS[kind]())
    assert (picture.image.shape, picture.image.dtype, picture.side, picture.reason) == ((75, 75, 3), np.uint8, 75, "")
    assert near(corners(picture.image), [RED, GREEN, BLUE, WHITE])


def test_of_several_frames_the_first_is_taken() -> None:
    buffer = io.BytesIO()
    frames = [Image.fromarray(image) for image in (quarters(), quarters()[::-1])]
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    np.testing.assert_array_equal(decode(buffer.getvalue()).image, quarters())


@pytest.mark.parametrize("bits", [8, 16])
def test_grey_becomes_three_equal_channels(bits: int) -> None:
    grey = cv2.cvtColor(quarters(), cv2.COLOR_RGB2GRAY)
    raw = cv2.imencode(".png", grey if bits == 8 else grey.astype(np.uint16) * 257)[1].tobytes()
    for picture in (decode(raw), decode(grey)):
        np.testing.assert_array_equal(picture.image, np.dstack([grey] * 3))


def test_transparent_pixels_show_a_white_background() -> None:
    half = tuple(round(value * 128 / 255 + 127) for value in RED)
    for kind in (".png", ".webp"):
        assert near(corners(decode(opencv(kind, holed())).image), [half, GREEN, WHITE, WHITE])
    buffer = io.BytesIO()
    Image.fromarray(holed()).quantize(8).save(buffer, "PNG")
    for raw in (buffer.getvalue(), opencv(".png", holed().astype(np.uint16) * 257)):
        assert near(corners(decode(raw).image)[1:], [GREEN, WHITE, WHITE])


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("PNG", "RGB"), ("PNG", "RGBA"), ("WEBP", "RGB"), ("TIFF", "RGB")]
)
def test_exif_turns_an_image_upright(kind: str, mode: str) -> None:
    image = quarters()
    # What a camera held in each of eight ways would have written of the quarters.
    written = [image, image[:, ::-1], image[::-1, ::-1], image[::-1]]
    written += [image.swapaxes(0, 1), np.rot90(image), image[::-1, ::-1].swapaxes(0, 1), np.rot90(image, -1)]
    for orientation, turned in enumerate(written, start=1):
        raw = pillow(kind, mode, np.ascontiguousarray(turned), orientation)
        assert near(corners(decode(raw).image), [RED, GREEN, BLUE, WHITE]), orientation


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("exif", [b"MM\0*", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\0\x05", b"cats"])
def test_damaged_exif_is_ignored_without_a_warning(kind: str, exif: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cat"
    Image.fromarray(quarters()).save(path, kind, exif=b"Exif\0\0" + exif)
    assert near(corners(read_photo(str(path))), [RED, GREEN, BLUE, WHITE])


@settings(deadline=None, max_examples=50)
@given(st.integers(32, 300), st.integers(32, 300))
def test_the_middle_square_is_cut_without_distortion(height: int, width: int) -> None:
    """A disc in the middle stays a disc: as wide as it is high."""
    side = min(height, width)
    image = np.zeros((height, width, 3), dtype=np.uint8)
    down, across = np.mgrid[:height, :width] + 0.5
    image[np.hypot(down - height / 2, across - width / 2) < side * 0.4] = 255
    picture = decode(image)
    assert picture.side == side
    rows, columns = (picture.image[..., 0].mean(axis=axis, dtype=float) / 255 * 75 for axis in (0, 1))
    radius = np.sqrt(picture.image[..., 0].mean(dtype=float) / 255 / np.pi)
    assert radius == pytest.approx(0.4, abs=0.02)
    assert rows.max() == pytest.approx(columns.max(), abs=2.5)


def test_larger_images_are_averaged_and_smaller_ones_are_made_smooth() -> None:
    stripes = np.zeros((750, 750, 3), dtype=np.uint8)
    stripes[::2] = 255
    stripes[:, :375] //= 2  # so that it is not flat
    assert near(corners(decode(stripes).image), [(64,) * 3, (128,) * 3] * 2, tolerance=1)
    values = np.unique(decode(np.kron(np.eye(2, dtype=np.uint8) * 200, np.ones((16, 16), dtype=np.uint8))).image)
    assert len(values) > 4  # between black and grey, where a nearest neighbour would have these two alone


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"a text", opencv(".png", quarters())[:300], opencv(".jpg", quarters())[:-200]),
        *(pillow("TIFF", "RGB")[:99], opencv(".tiff", quarters().astype(np.float32) / 255)),
    ],
)
def test_a_file_that_is_cut_off_or_of_another_depth_is_broken(raw: bytes) -> None:
    picture = decode(raw)
    assert (picture.reason, picture.side, np.unique(picture.image).tolist()) == ("broken", 0, [128])


@pytest.mark.parametrize("side", [9_000, 10_000, 14_000])  # Pillow accepts, warns of and refuses these
def test_a_decompression_bomb_and_an_unread_file_are_too_large(side: int, tmp_path: Path) -> None:
    assert decode(None).reason == "too large"
    raw = bytearray(opencv(".bmp", quarters()))
    struct.pack_into("<ii", raw, 18, side, side)
    assert decode(bytes(raw)) == Picture(BLANK, 0, "too large")
    (tmp_path / "cat.bmp").write_bytes(raw)
    with pytest.raises(
        ValueError, match=r"^query: '.*cat.bmp' is too large \(over 64 MiB, 178 meg.*\); allowed is an image, as PNG$"
    ):
        read_photo(str(tmp_path / "cat.bmp"))


def test_a_photograph_of_many_megapixels_is_read_at_a_reduced_size() -> None:
    image = Image.fromarray(quarters())
    small, large = io.BytesIO(), io.BytesIO()
    image.resize((900, 750), Image.Resampling.NEAREST).save(small, "JPEG")
    image.resize((9_000, 7_500), Image.Resampling.NEAREST).save(large, "JPEG")
    expected, found = (decode(file.getvalue()) for file in (small, large))
    assert MAX_PIXELS < 9_000 * 7_500
    assert (found.side, found.reason) == (7_500, "")
    assert np.abs(found.image.astype(int) - expected.image).mean() < 3


def test_a_short_side_is_too_small_and_low_contrast_nearly_flat() -> None:
    sizes = {(31, 500): "too small", (500, 31): "too small", (32, 32): "", (1, 1): "too small"}
    assert {size: decode(opencv(".png", quarters(*size))).reason for size in sizes} == sizes
    for contrast, reason in ((MIN_CONTRAST - 1, "nearly flat"), (MIN_CONTRAST + 1, "")):
        halves = np.kron([[100 + contrast, 100 - contrast]] * 2, np.ones((75, 75)))
        assert decode(np.rint(halves).astype(np.uint8)).reason == reason
