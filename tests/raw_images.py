"""Raw images to curate, in folders and archives: smooth random ones, no two of which are similar."""

import io
import tarfile
from pathlib import Path
from zipfile import ZipFile

import cv2
import numpy as np


def photos(count: int, seed: int = 0, size: int = 96) -> np.ndarray:
    """Images `[count, size, size, 3]` uint8, each interpolated from 6x6 random colours."""
    noise = np.random.default_rng(seed).integers(0, 256, (count, 6, 6, 3), dtype=np.uint8)
    return np.array([cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC) for image in noise])


def silhouettes(count: int) -> np.ndarray:
    """Images `[count, 150, 150, 3]` of black cats' heads on white, each with ears, width and place of its own."""
    random, images = np.random.default_rng(0), np.full((count, 150, 150, 3), 255, dtype=np.uint8)
    for image in images:
        x, y, radius, width = *random.normal(75, 3, 2), random.uniform(38, 46), random.uniform(0.85, 1.15)
        cv2.ellipse(image, (int(x), int(y + 12)), (int(radius * width), int(radius)), 0, 0, 360, (0, 0, 0), -1)
        for side in (-1, 1):
            ear, half, tall = x + side * radius * width * random.uniform(0.4, 0.7), *random.uniform((12, 20), (22, 44))
            corners = [[ear - half, y], [ear + half, y], [ear + side * random.uniform(-9, 9), y - radius / 2 - tall]]
            cv2.fillPoly(image, [np.array(corners, dtype=np.int32)], (0, 0, 0))
    return images


def encoded(image: np.ndarray, kind: str = ".png", quality: int = 95) -> bytes:
    """Encodes an RGB image as a file."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality] if kind == ".jpg" else []
    return cv2.imencode(kind, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), settings)[1].tobytes()


def files(count: int, seed: int = 0) -> dict[str, bytes]:
    """PNG files in two folders, by name."""
    return {f"{'ab'[i % 2]}/{i:03}.png": encoded(image) for i, image in enumerate(photos(count, seed))}


def folder(path: Path, contents: dict[str, bytes]) -> Path:
    """Writes files into a folder."""
    for name, raw in contents.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(raw)
    return path


def zipped(path: Path, contents: dict[str, bytes]) -> Path:
    """Writes files into a zip."""
    with ZipFile(path, "w") as archive:
        for name, raw in contents.items():
            archive.writestr(name, raw)
    return path


def tarred(path: Path, contents: dict[str, bytes], *links: tarfile.TarInfo) -> Path:
    """Writes files and links into a tar, compressed according to its name."""
    with tarfile.open(path, f"w:{path.suffix.removeprefix('.').replace('tar', '')}") as archive:
        for name, raw in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
        for link in links:
            archive.addfile(link)
    return path


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    """A link in a tar."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member
