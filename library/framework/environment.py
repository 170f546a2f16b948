"""Where a run comes from and how to have it again: its command, process, commit, machine and versions."""

import logging
import os
import platform
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

PACKAGES = ("keras", "tensorflow", "mlflow", "optuna", "numpy", "scikit-learn")


def command(verb: str, experiment: str, values: Mapping[str, Any]) -> str:
    """The command that does the same again, in the repository's folder; the verb may be of no experiment."""
    variables = (f"{name.upper()}={value}" for name, value in values.items())
    return shlex.join(["make", "-".join(filter(None, [verb, experiment])), *variables])


def one_line(error: BaseException) -> str:
    """What an error says, its kind before it, cut to what a tag can hold."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]


def this_process() -> str:
    """This process's name among all that ever wrote to the store: host, number and start."""
    return f"{socket.gethostname()} {psutil.Process().pid} {psutil.Process().create_time():.2f}"


def is_alive(process: str) -> bool:
    """Whether a process is running; one of another host counts as alive, as there is no telling."""
    host, pid, started = process.rsplit(" ", 2)
    if host != socket.gethostname():
        return True
    try:
        found = psutil.Process(int(pid))
        # A tolerance, as the time is told from the boot's, which moves when the clock is set.
        return found.status() != psutil.STATUS_ZOMBIE and abs(found.create_time() - float(started)) < 10
    except psutil.NoSuchProcess:
        return False


def here() -> dict[str, str]:
    """Versions, machine, what it computes with, and commit."""
    versions = {f"version.{package}": version(package) for package in PACKAGES}
    machine = {"machine": platform.platform(), "machine.cpu": _processor(), **in_use()}
    return {**versions, "version.python": platform.python_version(), **machine, **git()}


def _processor() -> str:
    """The processor's name: two that have different instructions may add up in different orders."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown")


def git() -> dict[str, str]:
    """The commit of this code, and whether it was changed since."""
    here = str(Path(__file__).parent)

    def ask(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", here, *arguments], capture_output=True, text=True, check=True)  # noqa: S603, S607
        return done.stdout.strip()

    try:
        return {"git.commit": ask("rev-parse", "HEAD"), "git.dirty": str(bool(ask("status", "--porcelain"))).lower()}
    except (OSError, subprocess.CalledProcessError):
        return {"git.commit": "none", "git.dirty": "unknown"}


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
