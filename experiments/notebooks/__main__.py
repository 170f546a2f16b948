"""Executes the notebooks, and keeps nothing but what they show; the files in this folder change only where asked to.

make notebooks                        # all of them, on the store in mlruns, into mlruns/notebooks/
make notebooks STORE=folder ONLY=VAE  # one, on another store
make notebooks INPLACE=1              # in this folder, which changes files that git tracks
"""

import base64
import io
import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from PIL import Image
from pydantic import Field
from traitlets.config import Config

from library.framework.cli.main import leave, main
from library.framework.cli.parser import Command
from library.framework.errors import UserError
from library.framework.formatting import size
from library.framework.options import StoreOptions

NOTEBOOKS = {path.stem: path for path in sorted(Path(__file__).parent.glob("*.ipynb"))}
COLORS = 128  # of an image: a third of the bytes, and hardly a visible difference


def execute(path: Path, store: StoreOptions) -> NotebookNode:
    """A notebook, executed anew on a store and cleaned; its file stays as it is. UserError where a cell raises one."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    environment = {field.upper(): getattr(store, field) for field in StoreOptions.model_fields}
    where = {"metadata": {"path": str(path.parent)}}
    with tempfile.TemporaryDirectory() as folder:
        # Through files that nobody else can read; a port is open to all users of the machine.
        config = Config(KernelManager={"transport": "ipc", "ip": f"{folder}/kernel"})
        client = NotebookClient(notebook, config=config, record_timing=False, coalesce_streams=True, resources=where)
        client.timeout = client.startup_timeout = 1800  # seconds for a cell
        try:
            client.execute(env={**os.environ, **environment})
        except CellExecutionError as error:
            if error.ename in {"UserError", *(kind.__name__ for kind in UserError.__subclasses__())}:
                raise UserError(f"notebook {path.stem}: {error.evalue}") from error
            raise
    return clean(notebook)


def clean(notebook: NotebookNode) -> NotebookNode:
    """The notebook without traces of the machine and the time, and with small images."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook["metadata"] = {"kernelspec": kernel, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell["metadata"] = {}
        for output in cell.get("outputs", []):
            if "data" in output:
                output["metadata"] = {}
            if png := output.get("data", {}).get("image/png"):  # in Base64; with a palette, if that is smaller
                small, image = io.BytesIO(), Image.open(io.BytesIO(base64.b64decode(png)))
                image.convert("RGB").quantize(COLORS).save(small, "PNG", optimize=True)
                output.data["image/png"] = min(base64.b64encode(small.getvalue()).decode(), png, key=len)
    return notebook


class Notebooks(Command):
    """Executes the notebooks on a store and writes them to STORE/notebooks/."""

    on_interrupt = "its notebook is as it was"
    called = "python -m experiments.notebooks"
    inplace: bool = Field(False, description="write them where they are instead, over files that git tracks")
    only: str = Field("", description="name of the notebook, such as VAE; empty: all of them")

    def __call__(self) -> int:
        status = 0
        if self.only and self.only not in NOTEBOOKS:
            raise UserError(f"only: got {self.only!r}; allowed are {', '.join(NOTEBOOKS)}")
        store = self.open_existing_store()
        folder = Path(__file__).parent if self.inplace else store.outputs / "notebooks"
        folder.mkdir(exist_ok=True)
        for name in [self.only] if self.only else NOTEBOOKS:
            start, path = time.perf_counter(), folder / f"{name}.ipynb"
            try:
                nbformat.write(execute(NOTEBOOKS[name], self), path)  # type: ignore[no-untyped-call]
            except UserError as error:
                print(f"error: {error}", file=sys.stderr)
                status = 2
            else:
                print(f"{path}: {time.perf_counter() - start:.0f} s, {size(path.stat().st_size)}", flush=True)
        return status


if __name__ == "__main__":
    leave(main(["notebooks", *sys.argv[1:]], "python -m experiments", {"notebooks": Notebooks}))
