"""`make cats`: a pile of images made into a set of cats, and a run that shows what was dropped of it and why."""

import re
import shlex
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from filelock import Timeout
from rich.console import Console
from rich.table import Table

from library.cats.data import dataset
from library.cats.data.curation.archives import BadSource, open_source
from library.cats.data.curation.contact_sheets import contact_sheet
from library.cats.data.curation.download import download, file_name, is_address
from library.cats.data.curation.pipeline import Curation, curate, writing
from library.cats.options import CurationOptions
from library.framework import environment
from library.framework.environment import muted_stderr
from library.framework.errors import UserError
from library.framework.run import columns_of
from library.framework.tracking import mlflow_run
from library.framework.tracking.store import Store
from library.framework.training import progress

_ENDINGS = re.compile(r"(\.(zip|tar|npy|tgz|tar\.\w+))?$", re.IGNORECASE)


def make_cats(options: CurationOptions, store: Store) -> Curation:
    """Makes a set of cats, logs how to an experiment of that name, and tells it.

    Raises:
        UserError: the images cannot be had or are too few, the set cannot be written, or another command is at it.
    """
    name = set_name(options.cats)
    folder = Path(options.out).resolve() if options.out else store.root / "cats" / name
    with _alone(store, folder):
        curation = _curate(options, folder)
    _log(curation, options, name, store)
    _tell(curation, store)
    return curation


def set_name(given: str) -> str:
    """What to call the set: the last part of a path or an address, without its ending."""
    last = file_name(given) if is_address(given) else Path(given).resolve().name
    return re.sub(r"[^\w.-]+", "-", _ENDINGS.sub("", last)).strip(".-") or "cats"


@contextmanager
def _alone(store: Store, folder: Path) -> Iterator[None]:
    try:
        with store.lock(f"cats-{folder.name}").acquire(timeout=0):
            yield
    except Timeout:
        raise UserError(f"cats: another command is making {str(folder)!r}; wait for it, or give another OUT=") from None


def _curate(options: CurationOptions, folder: Path) -> Curation:
    """The set; of a download, what is no good is not kept, so that it can be had again."""
    if not is_address(options.cats):
        return _shown(Path(options.cats).expanduser(), options.cats, folder)
    beside = folder.with_name(f"{folder.name}.download")
    with progress.counted("downloading", "bytes") as show, writing(beside):
        path = download(options.cats, beside, options.sha256, show)
    try:
        curation = _shown(path, options.cats, folder)
    except BadSource as error:
        path.unlink()
        raise BadSource(str(error).replace(str(path), options.cats)) from None
    shutil.rmtree(beside)
    return curation


def _shown(path: Path, given: str, folder: Path) -> Curation:
    """Curates under a bar, without what image libraries write of every broken file."""
    with progress.counted("curating", "images") as show, muted_stderr():
        return curate(replace(open_source(path), given=given), folder, show)


def _log(curation: Curation, options: CurationOptions, name: str, store: Store) -> None:
    command = environment.command("cats", "", options.model_dump(exclude_defaults=True))
    tags = {"command": command, "source": options.cats, "folder": str(curation.folder)}
    with mlflow_run.start_run(store, "cats", name, tags=tags) as run:
        images = np.load(curation.folder / dataset.IMAGES, mmap_mode="r")
        parts = np.split(images, np.cumsum(list(curation.splits.values()))[:-1])
        run.log_dataset(name, curation.digest, dict(zip(curation.splits, parts, strict=True)))
        reasons = Counter(one.reason for one in curation.dropped)
        run.log_metrics({f"kept/{part}": float(count) for part, count in curation.splits.items()})
        run.log_metrics({f"dropped/{reason.replace(' ', '_')}": float(count) for reason, count in reasons.items()})
        table = rows(curation)
        run.log_table("curation", {"images": [row[0] for row in table], "count": [row[1] for row in table]})
        if curation.dropped:
            run.log_table("dropped", columns_of([asdict(one) for one in curation.dropped]))
        for reason, sheet in curation.sheets.items():
            title = f"{reason}: {len(sheet.images)} of {reasons[reason]:,}"
            run.log_figure(reason.replace(" ", "_"), contact_sheet(sheet, title))


def rows(curation: Curation) -> list[tuple[str, int]]:
    """What was found, kept and dropped, and how many images each was."""
    kept, reasons = sum(curation.splits.values()), Counter(one.reason for one in curation.dropped)
    return [
        ("found", kept + len(curation.dropped)),
        *((f"dropped: {reason}", count) for reason, count in reasons.most_common()),
        ("kept", kept),
        *((f"  {part}", count) for part, count in curation.splits.items()),
        ("  much alike, on one side", curation.alike),
    ]


def _tell(curation: Curation, store: Store) -> None:
    table = Table(title=f"Cats {curation.digest}", title_justify="left", show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    for name, count in rows(curation):
        table.add_row(name, f"{count:,}")
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(table)
    here = Path.cwd()
    folder = curation.folder.relative_to(here) if curation.folder.is_relative_to(here) else curation.folder
    elsewhere = store.variable
    console.print(f"""
Go on with
  make train-vae CATS={shlex.quote(str(folder))}{elsewhere}
  make ui{elsewhere}    browse what was dropped and why: experiment cats""")
