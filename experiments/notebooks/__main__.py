"""Executes the notebooks in place, and leaves nothing in them but what they show.

make notebooks                        # all of them, on the store in mlruns
make notebooks STORE=folder ONLY=VAE  # one, on another store

One that fails is left as it was.
"""

import base64
import io
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from PIL import Image
from pydantic import Field
from traitlets.config import Config

from library.framework.cli import parser
from library.framework.config import parse
from library.framework.errors import StoreError, UserError
from library.framework.options import StoreOptions

FOLDER = Path(__file__).parent
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
SECONDS = 1800  # for a cell
COLOURS = 128  # of a picture: a third of the bytes, and hardly a difference that one sees


class NotebookOptions(StoreOptions):
    """What is to be executed on which store."""

    only: str = Field("", description="name of the notebook, such as VAE; empty: all of them")


def notebooks() -> dict[str, Path]:
    """All notebooks by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.ipynb"))}


def execute(path: Path, store: Path) -> NotebookNode:
    """A notebook, executed anew on a store and cleaned; its file stays as it is.

    Raises:
        UserError: a cell tells of something that is the user's to mend.
        CellExecutionError: a cell fails otherwise.
    """
    notebook = _read(path)
    where = {"metadata": {"path": str(path.parent)}}
    with tempfile.TemporaryDirectory() as folder:
        # By files that nobody else can read; a port of this machine is open to all who work on it.
        config = Config(KernelManager={"transport": "ipc", "ip": f"{folder}/kernel"})
        client = NotebookClient(notebook, config=config, record_timing=False, coalesce_streams=True, resources=where)
        client.timeout = client.startup_timeout = SECONDS
        try:
            client.execute(env={**os.environ, "STORE": str(store)})
        except CellExecutionError as error:
            if error.ename in {"UserError", *(kind.__name__ for kind in UserError.__subclasses__())}:
                raise UserError(f"notebook {path.stem}: {error.evalue}") from error
            raise
    return clean(notebook)


def clean(notebook: NotebookNode) -> NotebookNode:
    """The notebook without what tells of the machine and the hour, and with small pictures."""
    notebook["metadata"] = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell["metadata"] = {}
        for output in cell.get("outputs", []):
            if "data" in output:
                output["metadata"] = {}
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = _smaller(output.data["image/png"])
    return notebook


def _read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


def _smaller(png: str) -> str:
    """A picture, in Base64, with a palette, if that makes it smaller."""
    file = io.BytesIO()
    Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB").quantize(COLOURS).save(file, "PNG", optimize=True)
    return min(base64.b64encode(file.getvalue()).decode(), png, key=len)


def main(arguments: Sequence[str]) -> int:
    """Executes what was asked for; returns 2 if one of them could not be, and says why in a line each."""
    about = "Executes the notebooks in place."
    options = parse(NotebookOptions, parser.read_alone("notebooks", arguments, NotebookOptions, about))
    there = notebooks()
    if options.only and options.only not in there:
        raise UserError(f"only: got {options.only!r}; allowed are {', '.join(there)}")
    if not (options.store / "mlflow.db").exists():
        raise StoreError(f"store {options.store}: there is none; train or tune first, or give STORE=folder")
    status = 0
    for name in [options.only] if options.only else there:
        began = time.perf_counter()
        try:
            nbformat.write(execute(there[name], options.store), there[name])  # type: ignore[no-untyped-call]
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            status = 2
        else:
            print(
                f"{name}: {time.perf_counter() - began:.0f} s, {there[name].stat().st_size / 1000:.0f} kB", flush=True
            )
    return status


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        sys.exit(f"error: {error}")
