"""Where a run comes from and how to have it again: its command, process, commit, machine and versions."""

import platform
import shlex
import socket
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from library import compute

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
    machine = {"machine": platform.platform(), "machine.cpu": _processor(), **compute.in_use()}
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
