"""A cache of synthetic cats on disk: drawing tens of thousands takes most of a minute, mapping them no time.

The cache is named after a digest of the code that draws them, so that it never holds images of another version.
"""

import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Generator, Mapping
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
from library.cats.data.synthetic.factors import FACTORS, sample_factors
from library.cats.data.synthetic.render import draw
from library.framework.environment import available_cores
from library.framework.errors import UserError

MIN_CACHED = 2001  # fewer are drawn in seconds
PART_SIZE = 2500  # images per process, which takes a third of a second to start
_SEED = 0


def load(count: int) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
    """Loads the first `count` synthetic cats, `[count, 75, 75, 3]` uint8 RGB, and their factors, `[count]` each.

    Up to 2,000 are drawn by this process. More are drawn once, by all cores, and cached in the user's cache folder,
    `$XDG_CACHE_HOME` or `~/.cache`, 17 kB each; the images are then a read-only memory map. UserError if that folder
    cannot be written, ValueError if `count` is less than one.
    """
    if count < 1:
        raise ValueError(f"count: got {count}; allowed is at least 1")
    factors = sample_factors(count, _SEED)
    if count < MIN_CACHED:
        return draw(factors), factors
    folder = cache_folder(count)
    if cached := _read(folder, count):
        return cached
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):  # one process draws, the others wait for it
            return _read(folder, count) or _write(folder, factors)
    except OSError as error:
        raise UserError(
            f"synthetic cats: {str(folder)!r} cannot be written ({error.strerror or error}); give "
            f"XDG_CACHE_HOME=folder with {count * SIZE * SIZE * 3 // 10**6 + 1} MB left"
        ) from None


def cache_folder(count: int) -> Path:
    """The folder that caches the first `count` cats of this version of the code."""
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    root = configured if configured.is_absolute() else Path.home() / ".cache"  # as the XDG specification demands
    sha = hashlib.sha256(f"{np.__version__} {cv2.__version__}".encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        sha.update(source.read_bytes())
    return root / "cats-and-sums" / f"synthetic-cats-{sha.hexdigest()[:12]}-{count}"


def _read(folder: Path, count: int) -> tuple[np.ndarray, Mapping[str, np.ndarray]] | None:
    """The contents of a cache folder, or None if it is empty or damaged."""
    try:
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        with (folder / "factors.npz").open("rb") as file, np.load(file, allow_pickle=False) as archive:
            factors = {name: archive[name] for name in FACTORS}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error):
        return None
    complete = images.shape == (count, SIZE, SIZE, 3) and images.dtype == np.uint8
    return (images, factors) if complete and all(values.shape == (count,) for values in factors.values()) else None


def _write(folder: Path, factors: Mapping[str, np.ndarray]) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
    """Draws the images into a cache folder; each file is renamed once it is complete, the images last."""
    count = len(factors["yaw"])
    with (folder / "factors.tmp").open("wb") as file:
        np.savez(file, allow_pickle=False, **factors)
        _commit(file, folder / "factors.npz")
    console = Console(stderr=True)
    visible = console.is_terminal and multiprocessing.parent_process() is None  # workers share one terminal
    with (folder / "images.tmp").open("wb") as file, closing(draw_parts(count)) as parts:
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, SIZE, SIZE, 3)}
        np.lib.format.write_array_header_1_0(file, header)
        total = -(-count // PART_SIZE)
        for part in track(parts, "drawing cats", total, console=console, transient=True, disable=not visible):
            file.write(part)  # not mapped: a full disk would kill the process
        _commit(file, folder / "images.npy")
    return np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False), factors


def _commit(file: BinaryIO, path: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    Path(file.name).replace(path)


def draw_parts(count: int) -> Generator[bytes, None, None]:
    """Draws the first `count` images in one process per core; yields their bytes part by part, in order."""
    starts = range(0, count, PART_SIZE)
    with ThreadPoolExecutor(available_cores()) as pool:
        yield from pool.map(_run_process, starts, [min(start + PART_SIZE, count) for start in starts])


def _run_process(start: int, stop: int) -> bytes:
    """Draws a part in a new process, which does not import this one's main module: that may be any script."""
    paths = [str(Path(__file__).parents[4]), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-P", "-c", f"from {__name__} import write_part; write_part({start}, {stop})"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=False)  # noqa: S603
    if done.returncode or len(done.stdout) != (stop - start) * SIZE * SIZE * 3:
        raise UserError(f"synthetic cats: a drawing process ended with exit code {done.returncode}; start again")
    return done.stdout


def write_part(start: int, stop: int) -> None:
    """Draws a part and writes its bytes to the standard output."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches this process too: it ends without a traceback
    cv2.setNumThreads(1)
    factors = sample_factors(stop, _SEED)
    sys.stdout.buffer.write(draw({name: values[start:] for name, values in factors.items()}).tobytes())
