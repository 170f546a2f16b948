"""The notebooks: committed as they were executed, and executed again on a store of tiny models, trained just before."""

import base64
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from experiments.notebooks.__main__ import NOTEBOOKS, Notebooks, clean, execute
from library import open_store
from library.framework import discovery
from library.framework.cli.main import main
from library.framework.errors import NotRegistered, UserError
from library.framework.options import StoreOptions

NAMES = ["CAE", "GAN", "VAE", "image-to-text", "studies", "text-to-image", "text-to-text"]
SHORT = {"epochs": 2, "steps_per_epoch": 2, "batch_size": 8}
CATS = {"images": 80, "filters": "4-8-8", "latent_size": 4, "validation_samples": 40, "test_samples": 40, **SHORT}
GAN = {"pretraining": 0, "discriminator_filters": "4-8-8", "hidden": 4}
SUMS = {"units": 8, "filters": 2, "train_fraction": 0.97, **SHORT}
PNG = "image/png"


def read(name: str) -> NotebookNode:
    return nbformat.read(NOTEBOOKS[name], as_version=4)


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def images(notebook: NotebookNode) -> list[bytes]:
    found = (output.get("data", {}).get(PNG) for output in outputs(notebook))
    return [base64.b64decode(png) for png in found if png]


def texts(notebook: NotebookNode) -> str:
    """All that a reader reads, code and outputs, without the images."""
    found = [cell.source for cell in notebook.cells]
    for output in outputs(notebook):
        data = output.get("data", {})
        found += [output.get("text", ""), *(data[kind] for kind in data if kind != PNG)]
    return "\n".join(map(str, found))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_was_executed_without_an_error_names_its_model_and_holds_nothing_of_the_machine(name: str) -> None:
    notebook = read(name)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert [output for output in outputs(notebook) if output.output_type == "error"] == []
    assert [output for output in outputs(notebook) if output.get("name") == "stderr"] == []
    assert all(image.startswith(b"\x89PNG") for image in images(notebook))
    assert images(notebook)
    assert re.findall(r"/(?:root|work|tmp|home|Users)/\S*|\bat 0x\w+|[A-Z]:\\\S*", texts(notebook)) == []
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert notebook.metadata == {"kernelspec": kernel, "language_info": {"name": "python"}}
    assert all(cell.metadata == {} for cell in notebook.cells)
    assert NOTEBOOKS[name].stat().st_size < 400_000
    first = notebook.cells[0]
    title, subject, command, *_ = [line for line in first.source.splitlines() if line]
    assert first.cell_type == "markdown"
    assert title.startswith("# ")
    assert subject.endswith(".")
    assert re.match(r"`make (train|tune)-\w+", command)


def test_cleaning_removes_traces_of_the_machine_and_keeps_what_was_shown() -> None:
    notebook = read("CAE")
    notebook.metadata["language_info"]["version"] = "3.11.7"
    notebook.cells[1].metadata["execution"] = {"iopub.execute_input": "2026-01-01T00:00:00Z"}
    shown = texts(notebook)
    cleaned = clean(notebook)
    assert texts(cleaned) == shown
    assert "version" not in cleaned.metadata.language_info
    assert cleaned.cells[1].metadata == {}
    assert NotRegistered("no model")._render_traceback_() == ["error: no model"]  # as a notebook shows it


def run(*arguments: str) -> int:
    return main(["notebooks", *arguments], "python -m experiments", {"notebooks": Notebooks})


def test_an_unknown_notebook_and_a_missing_store_are_one_line(
    store_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(f"--store={store_path}", "--only=AE") == 2
    assert capsys.readouterr().err == f"error: only: got 'AE'; allowed are {', '.join(NAMES)}\n"
    assert run(f"--store={tmp_path / 'none'}") == 2
    line = f"error: store {tmp_path / 'none'}: there is none; train or tune first, or give STORE=folder\n"
    assert capsys.readouterr().err == line


def test_an_executed_notebook_goes_into_the_store_unless_it_is_to_change_here(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("experiments.notebooks.__main__.execute", lambda path, _: nbformat.read(path, as_version=4))
    before = NOTEBOOKS["VAE"].stat().st_mtime_ns
    assert run(f"--store={store_path}", "--only=VAE") == 0
    assert re.fullmatch(rf"{store_path}/notebooks/VAE.ipynb: 0 s, 0\.\d MB\n", capsys.readouterr().out)
    assert NOTEBOOKS["VAE"].stat().st_mtime_ns == before
    monkeypatch.setattr("experiments.notebooks.__main__.__file__", str(tmp_path / "__main__.py"))
    assert run(f"--store={store_path}", "--only=VAE", "--INPLACE=1") == 0
    assert (tmp_path / "VAE.ipynb").read_bytes() == (store_path / "notebooks" / "VAE.ipynb").read_bytes()


def test_its_help_names_a_command_that_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        run("--help")
    assert capsys.readouterr().out.startswith("usage: python -m experiments.notebooks [--field=value ...]")


@pytest.fixture(scope="module")
def filled(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a tiny model of every kind in Production, and a study of two objectives."""
    root = shutil.copytree(empty_store, tmp_path_factory.mktemp("filled") / "store")
    reader = discovery.find("glyph-reader")(filters=2, **SHORT)
    with open_store(root) as store, pytest.MonkeyPatch.context() as patch:
        needed = property(lambda self: [reader] if self.config.draws_images else [])
        patch.setattr(discovery.find("seq2seq"), "dependencies", needed)
        for name, fields in {"cae": CATS, "vae": CATS, "gan": CATS | GAN}.items():
            discovery.find(name)(**fields).train(store)
        for modality in ("text-to-text", "image-to-text", "text-to-image"):
            discovery.find("seq2seq")(**SUMS, modality=modality).train(store)
    study = [sys.executable, "-m", "tests.tiny", str(root), "4", "1"]
    subprocess.run(study, check=True, env={**os.environ, "TINY_IS_SIZED": "1"}, cwd=Path(__file__).parents[2])
    return root


@pytest.mark.nightly
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_shows_whatever_models_there_are(name: str, filled: Path) -> None:
    notebook = execute(NOTEBOOKS[name], StoreOptions(store=str(filled)))
    assert len(images(notebook)) >= 5
    assert [output.text for output in outputs(notebook) if output.get("name") == "stderr"] == []
    assert str(filled) not in texts(notebook)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("name", "model", "command"),
    [
        ("CAE", "cats-cae", "make train-cae"),
        ("VAE", "cats-vae", "make train-vae"),
        ("GAN", "cats-gan", "make train-gan"),
        ("text-to-image", "seq2seq-text-to-image", "make train-seq2seq MODALITY=text-to-image"),
    ],
)
def test_a_notebook_without_its_model_shows_one_line_that_says_what_to_do(
    name: str, model: str, command: str, store_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = f"no Production version of {model} in store {store_path}; {command} first"
    before = NOTEBOOKS[name].read_bytes()
    assert run(f"--store={store_path}", f"--only={name}") == 2
    assert capfd.readouterr().err == f"error: notebook {name}: {line}\n"
    assert NOTEBOOKS[name].read_bytes() == before
    with pytest.raises(UserError) as caught:
        execute(NOTEBOOKS[name], StoreOptions(store=str(store_path)))
    seen = str(caught.value.__cause__)
    assert f"\nerror: {line}\n" in seen
    assert "Traceback" not in seen
