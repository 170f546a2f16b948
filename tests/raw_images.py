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
