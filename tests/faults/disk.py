"""Commands on a disk that is full at every tenth of what they write, mounted in this process's own namespace."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

from library import open_store
from library.framework.errors import UserError
from library.framework.registry.artifacts import verify
from library.framework.registry.queries import versions
from library.framework.tracking.queries import running_runs
from tests import raw_images
from tests.faults import Faults, Row
from tests.faults.programs import Program, processes
from tests.versions import three

TENTHS = range(10)


def full_disk(faults: Faults) -> Iterator[Row]:
    """Each command at every tenth of the way; a part of the tenths where fewer are asked for."""
    context, disk, kept = processes("keras"), faults.folder / "disk", faults.folder / "kept"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m", "none", disk], check=True)  # noqa: S607
    with open_store(kept) as store:
        three(store, faults.folder)
    raw_images.folder(faults.folder / "photos", raw_images.files(80))
    commands = {
        "train": ["train-tiny"],
        "tune": ["tune-tiny", "--trials=2"],
        "cats": ["cats", f"--cats={faults.folder}/photos"],
        "promote": ["promote", "--model=tiny", "--version=1", "--force=1"],
        "report": ["report"],
    }
    for name, command in commands.items():
        before, refused, tenths = len(faults.found), 0, faults.random.sample(TENTHS, min(10, faults.count(10)))
        growth = _try(faults, context, disk, kept, command, None)
        for tenth in sorted(tenths):
            refused += _try(faults, context, disk, kept, command, growth * tenth // 10)
        cost = len(faults.found) - before
        measured = f"{refused} of {len(tenths)} refused with one line, {cost} faults"
        must = "done, or one line; the store opens; nothing registered half"
        yield f"{name} on a disk with 0 to 9 tenths of the {growth >> 10:,} kB that it needs", must, measured
    subprocess.run(["umount", "--lazy", disk], check=True)  # noqa: S607


def _try(
    faults: Faults, context: ForkServerContext, disk: Path, kept: Path, command: list[str], room: int | None
) -> int:
    """Runs a command with so many bytes left, returns whether it was refused; without a limit, what it needs."""
    for path in disk.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    # In a folder of a new name, as MLflow keeps connections to the databases that this process has opened.
    root = Path(shutil.copytree(kept, disk / uuid.uuid4().hex))
    where = f"{command[0]} with {room} bytes left"
    least = free = _free(disk)
    if room is not None:
        with (disk / "ballast").open("wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, free - room)
    program = Program(context, faults.folder / "log", *command, f"--store={root}")
    while (status := program.join(0.005)) is None:
        least = min(least, _free(disk))
    if room is None:
        return free - least
    printed = program.printed
    errors = [line for line in printed.splitlines() if line.startswith("error: ")]
    if "Traceback" in printed or (status, len(errors)) not in ((0, 0), (2, 1)):
        faults.add(where, f"exit status {status}: {printed[:3000]}")
    (disk / "ballast").unlink()
    with open_store(root):
        if runs := running_runs():
            faults.add(where, f"RUNNING: {runs}")
        for version in versions():
            try:
                verify(version)
            except UserError as error:
                faults.add(where, f"{error}; printed: {printed[:3000]}")
    again = Program(context, faults.folder / "log", *command, f"--store={root}")
    if again.join(300) != 0 and "in Production already" not in again.printed:
        faults.add(where, f"the same command again: {again.printed[:3000]}")
    return int(status == 2)


def _free(disk: Path) -> int:
    """Bytes left."""
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize
