"""How a process uses its machine; to be said before tensorflow is imported, as it reads this but once."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_keras(cores: int | None) -> None:
    """Imports Keras with its backend, to compute on so many cores (all where None), without its start-up notices.

    What the environment already says of threads and notices is left as it is.
    """
    threads = str(min(cores or available_cores(), available_cores()))
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", threads)
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with muted_stderr():
        import keras  # noqa: F401


def in_use() -> dict[str, str]:
    """What this process computes with, by tag: its cores and, once Keras is started, threads, backend and devices.

    What a sum comes to depends on them in its last digits.
    """
    found = {"compute.cores": str(available_cores())}
    if "TF_NUM_INTRAOP_THREADS" in os.environ:
        found["compute.threads"] = os.environ["TF_NUM_INTRAOP_THREADS"]
    if keras := sys.modules.get("keras"):
        devices = ", ".join(sorted(keras.distribution.list_devices()))
        found |= {"compute.backend": keras.backend.backend(), "compute.devices": devices}
    return found


@contextmanager
def kept_environment() -> Iterator[None]:
    """Leaves the environment as it was when the block ends."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def muted_stderr() -> Iterator[None]:
    """Without what C++ writes to the terminal: tensorflow's first lines heed no setting."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
