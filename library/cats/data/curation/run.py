"""`make cats`: curates raw images into a set of cats, and logs a run that shows what was dropped and why."""

import re
import shutil
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from filelock import Timeout
from rich.console import Console
from rich.table import Table

from library.cats.data import dataset
from library.cats.data.curation.archives import BadSource, open_source, printable
from library.cats.data.curation.contact_sheets import draw_contact_sheet
from library.cats.data.curation.decoding import LIMITS
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


def curate_dataset(options: CurationOptions, store: Store) -> Curation:
    """Curates a set of cats, logs a run of the experiment `cats`, and prints a summary.

    UserError if the images cannot be read or are too few, the set cannot be written, or another command is at it.
    """
    name = set_name(options.cats)
    folder = Path(options.out).resolve() if options.out else store.outputs / "cats" / name
    try:
        with store.lock(f"cats-{folder.name}").acquire(timeout=0):
            curation = _curate(options, folder)
    except Timeout:
        another = f"wait for it, or give another {environment.option(out='folder')}"
        raise UserError(f"cats: another command is making {str(folder)!r}; {another}") from None
    _log(curation, options, name, store)
    _print_summary(curation, store)
    return curation


def set_name(given: str) -> str:
    """The name of a set: the last part of its source's path or address, without the extension of an archive."""
    last = file_name(given) if is_address(given) else Path(given).resolve().name
    stem = re.sub(r"(\.(zip|tar|npy|tgz|tar\.\w+))?$", "", last, flags=re.IGNORECASE)
    return re.sub(r"[^\w.-]+", "-", stem).strip(".-") or "cats"


def _curate(options: CurationOptions, folder: Path) -> Curation:
    """Downloads the images first if need be; a download that turns out to be unusable is deleted."""
    path, beside = Path(options.cats), folder.with_name(f"{folder.name}.download")
    downloaded = is_address(options.cats)
    if downloaded:
        with writing(beside):
            path = download(options.cats, beside, options.sha256)
    try:
        with progress.items("curating", "images") as show, muted_stderr():  # of image libraries, about broken files
            curation = curate(replace(open_source(path), given=options.cats), folder, show)
    except BadSource as error:
        if not downloaded:
            raise
        path.unlink()
        raise BadSource(str(error).replace(str(path), options.cats)) from None
    if downloaded:
        shutil.rmtree(beside)
    return curation


def _log(curation: Curation, options: CurationOptions, name: str, store: Store) -> None:
    command = environment.command("cats", "", options.model_dump(exclude_defaults=True))
    tags = {"command": command, "source": options.cats, "folder": str(curation.folder)}
    tags = {key: printable(value) for key, value in tags.items()}
    with mlflow_run.start_run(store, "cats", name, tags=tags) as run:
        images = np.load(curation.folder / dataset.IMAGES, mmap_mode="r")
        splits = np.split(images, np.cumsum(list(curation.splits.values()))[:-1])
        run.log_dataset(name, curation.digest, dict(zip(curation.splits, splits, strict=True)))
        if store.is_shared:  # for other machines, which ask for it by its digest
            run.log_folder(dataset.FOLDER, curation.folder)
        reasons = Counter(one.reason for one in curation.dropped)
        run.log_metrics({f"kept/{split}": float(count) for split, count in curation.splits.items()})
        run.log_metrics({f"dropped/{reason.replace(' ', '_')}": float(count) for reason, count in reasons.items()})
        names, counts = zip(*summary_rows(curation), strict=True)
        run.log_table("curation", {"images": list(names), "count": list(counts)})
        if curation.dropped:
            run.log_table("dropped", columns_of([asdict(one) for one in curation.dropped]))
        for reason, sheet in curation.sheets.items():
            title = f"{reason}: {len(sheet.images)} of {reasons[reason]:,}"
            run.log_figure(reason.replace(" ", "_"), draw_contact_sheet(sheet, title))


def summary_rows(curation: Curation) -> list[tuple[str, int]]:
    """How many images were found, dropped and kept."""
    kept, reasons = sum(curation.splits.values()), Counter(one.reason for one in curation.dropped)
    return [
        ("found", kept + len(curation.dropped)),
        *((f"dropped: {reason}", count) for reason, count in reasons.most_common()),
        ("kept", kept),
        *((f"  {split}", count) for split, count in curation.splits.items()),
        ("  similar, in the same split", curation.alike),
    ]


def _print_summary(curation: Curation, store: Store) -> None:
    table = Table(title=f"Cats {curation.digest}", title_justify="left", show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    for name, count in summary_rows(curation):
        limit = LIMITS.get(name.removeprefix("dropped: "), "")
        table.add_row(f"{name} ({limit})" if limit else name, f"{count:,}")
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(table)
    here = Path.cwd()
    folder = curation.folder.relative_to(here) if curation.folder.is_relative_to(here) else curation.folder
    train = environment.command("train", "vae", {"cats": folder}) + store.option
    console.print(f"\nNext\n  {train}\n")
    if store.is_shared:
        console.print(f"On other machines: {environment.option(cats=curation.digest)}\n")
    console.print("The run of this set, in the experiment cats, shows what was dropped and why.")
