"""Where a run comes from (command, process, commit, machine, versions), and how a process uses its machine.

Threads must be set before tensorflow is imported, as it reads them only once.
"""

import ctypes
import gc
import logging
import os
import platform
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

PROGRAM = "CATS_AND_SUMS_PROGRAM"
"""The variable that names the program that was called, so that messages can; make sets it to `make`."""
COMMIT = "CATS_AND_SUMS_COMMIT"
"""The variable that has the commit and whether files were changed since, where code was sent without its repository."""
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Parameters of glibc's `mallopt`."""
PACKAGES = ("keras", "tensorflow", "mlflow", "optuna", "numpy", "scikit-learn")


def called_by_make() -> bool:
    """Whether make called the program, so that messages name make's targets and variables."""
    return os.environ.get(PROGRAM) == "make"


def command(name: str, target: str = "", values: Mapping[str, Any] | None = None) -> str:
    """The command that does the same again: of make, or of the program that was called.

    Args:
        name: of the command, such as `train`.
        target: the experiment or comparison; empty for commands that take none.
        values: of its options and fields.
    """
    if called_by_make():
        words = ["make", f"{name}-{target}" if target else name]
    else:
        words = [*os.environ.get(PROGRAM, "cats-and-sums").split(), name, *([target] if target else [])]
    return shlex.join([*words, *(option(**{key: value}) for key, value in (values or {}).items())])


def wrapped(command: str, width: int = 70) -> str:
    """A command on lines of at most `width` characters where words are no longer, which a shell reads as one."""
    lines = [""]
    for word in re.findall(r"""(?:'[^']*'|"[^"]*"|\S)+""", command):
        if len(lines[-1]) + len(word) > width - 3:
            lines.append("   ")
        lines[-1] += f" {word}"
    return " \\\n".join(lines)[1:]


def option(**value: Any) -> str:
    """An option as the program that was called takes it: `STORE=folder` of make, else `--store=folder`."""
    [(name, given)] = value.items()
    return f"{option_name(name)}={given}"


def option_name(field: str) -> str:
    """The name of a field's option: `TRAIN_FRACTION` of make, else `--train-fraction`."""
    return field.upper().replace("-", "_") if called_by_make() else f"--{field.lower().replace('_', '-')}"


def one_line(error: BaseException) -> str:
    """The type and the message of an error, cut to what a tag can hold."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]


def this_process() -> str:
    """Names this process, for people: host, number and start."""
    return f"{socket.gethostname()} {psutil.Process().pid} {psutil.Process().create_time():.2f}"


def is_alive(process: str) -> bool:
    """Whether a process that `this_process` named is running; of another host nothing is known: it counts as alive."""
    host, pid, started = process.rsplit(" ", 2)
    if host != socket.gethostname():
        return True
    try:
        found = psutil.Process(int(pid))
        # A tolerance, as the time is relative to the boot's, which moves when the clock is set.
        return found.status() != psutil.STATUS_ZOMBIE and abs(found.create_time() - float(started)) < 10
    except psutil.NoSuchProcess:
        return False


def environment_tags() -> dict[str, str]:
    """Tags of a run: versions, machine, threads and devices, and commit."""
    machine = {"machine": platform.platform(), "machine.cpu": _processor(), **compute_tags()}
    return {**_versions(), **machine, **git_tags()}


@cache
def _versions() -> dict[str, str]:
    """Of the packages on which a score depends, and of Python."""
    return {f"version.{one}": version(one) for one in PACKAGES} | {"version.python": platform.python_version()}


@cache
def _processor() -> str:
    """The processor's name: two with different instructions may add up in different orders."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown")


def git_tags() -> dict[str, str]:
    """The commit of the working folder's repository, and whether files were changed since."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)  # noqa: S603, S607
        return done.stdout.strip()

    if COMMIT in os.environ:
        commit, _, dirty = os.environ[COMMIT].partition(" ")
        return {"git.commit": commit, "git.dirty": dirty}
    try:
        return {"git.commit": git("rev-parse", "HEAD"), "git.dirty": str(bool(git("status", "--porcelain"))).lower()}
    except (OSError, subprocess.CalledProcessError):
        return {"git.commit": "none", "git.dirty": "unknown"}


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_keras(num_threads: int | None) -> None:
    """Imports Keras with its backend, on so many threads (None: one for each core), without its start-up notices.

    What the environment already says of threads and notices is left as it is.
    """
    threads = str(min(num_threads or available_cores(), available_cores()))
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", threads)
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    keep_freed_memory()
    is_new = "keras" not in sys.modules
    with muted_stderr():
        gc.disable()  # a sixth of the time of this import would go to looking for garbage, and there is none
        import keras  # noqa: F401
    gc.enable()
    if is_new:
        gc.freeze()  # what was imported is never garbage: half a second less for each model that is cleared away


def keep_freed_memory() -> None:
    """Lets glibc use large blocks again that were freed, in place of giving them back to the kernel.

    The kernel clears each page that it hands out: a third of the time of a training on images. Other C libraries are
    left as they are.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def compute_tags() -> dict[str, str]:
    """Cores and, once Keras is started, threads, backend and devices: a sum's last digits depend on them."""
    found = {"compute.cores": str(available_cores())}
    if "TF_NUM_INTRAOP_THREADS" in os.environ:
        found["compute.threads"] = os.environ["TF_NUM_INTRAOP_THREADS"]
    if keras := sys.modules.get("keras"):
        devices = ", ".join(sorted(keras.distribution.list_devices()))
        found |= {"compute.backend": keras.backend.backend(), "compute.devices": devices}
    return found


@contextmanager
def preserved_environment() -> Iterator[None]:
    """Leaves the environment as it was when the block ends."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def muted_stderr() -> Iterator[None]:
    """Discards what C++ code writes to stderr: tensorflow's first lines heed no setting."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
