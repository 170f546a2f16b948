"""Artifacts as files of this machine: where they are in a folder, else copied, for as long as that is of use."""

import hashlib
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import mlflow

from .base import connected_store

MAX_COPIED_BYTES = 2 << 30
"""Of the copies that are kept, those used last."""


def local_path(address: str) -> Path | None:
    """The path of an address; None where it is reached over the network."""
    parts = urlsplit(address)
    return Path(url2pathname(parts.path)) if parts.scheme in ("", "file") else None


def fetch(address: str) -> Path:
    """An artifact where it is, else a copy that this process keeps until it ends; what it raises is MLflow's."""
    if local_path(address):
        return Path(mlflow.artifacts.download_artifacts(address))
    return Path(mlflow.artifacts.download_artifacts(address, dst_path=tempfile.mkdtemp(dir=_scratch().name)))


def fetch_kept(address: str) -> Path:
    """A folder whose files never change where it is, else a copy for all processes; raises as `fetch`."""
    if path := local_path(address):
        return path
    kept = _copy_of(address)
    kept.parent.mkdir(parents=True, exist_ok=True)
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            copy = Path(mlflow.artifacts.download_artifacts(address, dst_path=folder))
            if not kept.exists():  # as another process may have been faster
                copy.rename(kept)
    os.utime(kept)
    _remove_oldest(kept)
    return kept


def plain_path(folder: Path) -> str:
    """A path of a model's folder for MLflow, which decodes escapes in paths (`mlflow.models.Model.load`)."""
    if url2pathname(str(folder)) == str(folder):
        return str(folder)
    link = Path(tempfile.mkdtemp(dir=_scratch().name)) / "models"
    link.symlink_to(folder.parent)
    return str(link / folder.name)


def discard_copy(address: str) -> bool:
    """Removes the copy of a folder, as when it is damaged; False where there is none."""
    if local_path(address):
        return False
    shutil.rmtree(_copy_of(address), ignore_errors=True)
    return True


def _copy_of(address: str) -> Path:
    store = connected_store()
    assert store is not None  # noqa: S101 -- nobody has an address but from a store
    return store.local / "models" / hashlib.sha256(address.encode()).hexdigest()[:32]


def _remove_oldest(but: Path) -> None:
    left = MAX_COPIED_BYTES
    for folder in sorted(but.parent.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True):
        left -= sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        if left < 0 and folder != but:
            shutil.rmtree(folder, ignore_errors=True)


@cache
def _scratch() -> "tempfile.TemporaryDirectory[str]":
    """A folder that goes with the process."""
    return tempfile.TemporaryDirectory(prefix="artifacts-")
