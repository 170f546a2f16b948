"""Drawn cats on disk: tens of thousands take most of a minute, so they are drawn once and mapped into memory then.

What is kept is named by a digest of the code that drew it, so that pictures are never those of another version.
"""

import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile

import cv2
import numpy as np
from filelock import FileLock
from rich.console import Console
from rich.progress import track

from library.cats.data.synthetic.canvas import SIZE
from library.cats.data.synthetic.factors import FACTORS, factors
from library.cats.data.synthetic.render import draw
from library.framework.environment import available_cores
from library.framework.errors import UserError

_SEED = 0
_KEPT_FROM = 2001  # fewer are drawn in seconds
_PART = 2500  # a process draws so many, and takes a third of a second to start
_DAMAGE = (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error)


def load(count: int) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
    """The first `count` drawn cats, `[count, 75, 75, 3]` uint8, and their factors, `[count]` each.

    Up to 2,000 are drawn by this process. More are drawn once, by all cores, and kept in the user's cache folder,
    `$XDG_CACHE_HOME` or `~/.cache`, 17 kB each; the images are then a read-only memory map.

    Raises:
        ValueError: less than one is asked for.
        UserError: the cache folder cannot be written.
    """
    if count < 1:
        raise ValueError(f"count: got {count}; allowed is at least 1")
    given = factors(count, _SEED)
    if count < _KEPT_FROM:
        return draw(given), given
    folder = _folder(count)
    if kept := _kept(folder, count):
        return kept
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):  # one process draws, the others wait for it
            return _kept(folder, count) or _keep(folder, given)
    except OSError as error:
        raise UserError(
            f"drawn cats: {str(folder)!r} cannot be written ({error.strerror or error}); give "
            f"XDG_CACHE_HOME=folder with {count * SIZE * SIZE * 3 // 10**6 + 1} MB left"
        ) from None


def work(start: int, stop: int) -> None:
    """Draws a part, and writes its bytes to the standard output: what a process of `load` does."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # an interrupt reaches this process too: it ends without a word
    cv2.setNumThreads(1)
    given = factors(stop, _SEED)
    sys.stdout.buffer.write(draw({name: values[start:] for name, values in given.items()}).tobytes())


def _folder(count: int) -> Path:
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    root = chosen if chosen.is_absolute() else Path.home() / ".cache"  # as its specification has it
    sha = hashlib.sha256(f"{np.__version__} {cv2.__version__}".encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        sha.update(source.read_bytes())
    return root / "cats-and-sums" / f"drawn-cats-{sha.hexdigest()[:12]}-{count}"


def _kept(folder: Path, count: int) -> tuple[np.ndarray, Mapping[str, np.ndarray]] | None:
    """What the folder holds, or None where that is nothing, or not whole."""
    try:
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        with (folder / "factors.npz").open("rb") as file, np.load(file, allow_pickle=False) as archive:
            given = {name: archive[name] for name in FACTORS}
    except _DAMAGE:
        return None
    whole = images.shape == (count, SIZE, SIZE, 3) and images.dtype == np.uint8
    return (images, given) if whole and all(values.shape == (count,) for values in given.values()) else None


def _keep(folder: Path, given: Mapping[str, np.ndarray]) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
    """Draws the images into the folder; each file gets its name when it is whole, the images last."""
    count = len(given["yaw"])
    with (folder / "factors.tmp").open("wb") as file:
        np.savez(file, allow_pickle=False, **given)
        _finish(file, folder / "factors.npz")
    with (folder / "images.tmp").open("wb") as file, closing(_drawn(count)) as parts:
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, SIZE, SIZE, 3)}
        np.lib.format.write_array_header_1_0(file, header)
        for part in _tracked(parts, -(-count // _PART)):
            file.write(part)  # not through a memory map: where the disk is full, that ends the process
        _finish(file, folder / "images.npy")
    return np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False), given


def _finish(file: BinaryIO, path: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    Path(file.name).replace(path)


def _drawn(count: int) -> Generator[bytes, None, None]:
    """The images' bytes, part by part in order, from as many processes as there are cores."""
    with ThreadPoolExecutor(available_cores()) as pool:
        yield from pool.map(lambda start: _part(start, min(start + _PART, count)), range(0, count, _PART))


def _part(start: int, stop: int) -> bytes:
    """One part, from a process of its own that knows nothing of this one's main module: that may be any script."""
    paths = [str(Path(__file__).parents[4]), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-P", "-c", f"from {__name__} import work; work({start}, {stop})"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=False)  # noqa: S603
    if done.returncode or len(done.stdout) != (stop - start) * SIZE * SIZE * 3:
        raise UserError(f"drawn cats: a process that drew them ended with exit code {done.returncode}; start again")
    return done.stdout


def _tracked(parts: Iterable[bytes], total: int) -> Iterator[bytes]:
    """The parts, with a bar on a terminal, unless this process is one of several that share it."""
    console = Console(stderr=True)
    shown = console.is_terminal and multiprocessing.parent_process() is None
    return iter(track(parts, "drawing cats", total, console=console, transient=True, disable=not shown))
