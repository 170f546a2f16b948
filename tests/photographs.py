"""Photographs of sums, composed of images of characters: ink on paper with fibres, shadow, slope, noise and JPEG."""

import cv2
import numpy as np

INKS = ((90, 40, 30), (40, 40, 40), (50, 45, 120), (95, 95, 95))
"""Blue, black, red and pencil, BGR."""


def compose(images: np.ndarray, seed: int, *, light_ink: bool = False) -> np.ndarray:
    """A photograph `[height, width, 3]` uint8 BGR of characters `[n, 28, 28]` uint8, without the blanks."""
    random = np.random.default_rng(seed)
    height, width = int(random.integers(300, 600)), int(random.integers(1200, 2400))
    ink = _turned(_write(images, height, width, random), random)[..., np.newaxis]
    paper, pen = random.uniform(0.75, 0.97, 3), np.array(INKS[random.integers(len(INKS))]) / 255
    if light_ink:
        paper, pen = pen, paper
    photo = (_texture(height, width, random) * paper * (1 - ink) + ink * pen) * _light(height, width, random)
    photo = cv2.GaussianBlur(255 * photo, (0, 0), random.uniform(0.5, 2)) + random.normal(
        0, random.uniform(2, 7), photo.shape
    )
    photo = np.clip(photo, 0, 255).astype(np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(50, 95))]
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", photo, quality)[1], cv2.IMREAD_COLOR))


def _texture(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Brightness of paper with short fibres in all directions, `[height, width, 1]` about 1."""
    texture = np.zeros((height, width), np.float32)
    for x, y, angle, length in random.uniform((0, 0, 0, 10), (width, height, np.pi, 60), (600, 4)):
        end = int(x + length * np.cos(angle)), int(y + length * np.sin(angle))
        cv2.line(texture, (int(x), int(y)), end, float(random.uniform(-0.1, 0.1)), 2, cv2.LINE_AA)
    texture = cv2.GaussianBlur(texture, (0, 0), 1.5) + random.normal(0, 0.01, (height, width))
    return 1 + texture[..., np.newaxis]


def _light(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Light that falls off to one side, and a shadow: `[height, width, 1]` up to 1.1."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angle, place, softness = random.uniform(0, 2 * np.pi), random.uniform(-0.6, 0.6), random.uniform(0.01, 0.3)
    across = x * np.cos(angle) + y * np.sin(angle)
    shadow = 1 / (1 + np.exp(np.clip(-(across - place) / softness * 4, -50, 50)))
    light = 1 + 0.2 * random.uniform(-1, 1) * x + 0.15 * random.uniform(-1, 1) * y
    return np.clip(light * (1 - random.uniform(0.2, 0.5) * shadow), 0.2, 1.1)[..., np.newaxis]


def _write(images: np.ndarray, height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Ink `[height, width]`, 0 to 1, of one size, with a space of its own after each character."""
    ink = np.zeros((height, width), np.float32)
    shown = [image for image in images if image.any()]
    size = min(0.5 * height, 0.8 * width / max(len(shown), 1)) * random.uniform(0.7, 1)
    x, middle = (width - size * len(shown)) / 2, height / 2
    for image in shown:
        scale = size / 28 * random.uniform(0.95, 1.05)
        matrix = np.array([[scale, 0, x + random.uniform(-0.05, 0.05) * size], [0, scale, middle - 14 * scale]])
        matrix[1, 2] += random.uniform(-0.05, 0.05) * size
        large = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_CUBIC) / 255
        ink = np.maximum(ink, np.clip((large - 0.35) / 0.3, 0, 1))
        x += size
    return ink


def _turned(ink: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Turned by up to 8 degrees, and seen a little from the side."""
    height, width = ink.shape
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    turn = cv2.getRotationMatrix2D(
        (width / 2, height / 2), random.uniform(-8, 8), min(1, 0.6 * height / (0.14 * width)) ** 0.5
    )
    seen = (np.column_stack([corners, np.ones(4)]) @ turn.T + random.uniform(-0.03, 0.03, (4, 2)) * height).astype(
        np.float32
    )
    return cv2.warpPerspective(ink, cv2.getPerspectiveTransform(corners, seen), (width, height))
