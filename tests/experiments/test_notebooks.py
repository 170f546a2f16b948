"""The notebooks: committed as they were executed, and executed again on a store of tiny models, trained just before."""

import base64
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from experiments import glyph_reader, seq2seq
from experiments.notebooks.__main__ import clean, execute, main, notebooks
from library.framework import discovery, pipeline
from library.framework.environment import start_keras
from library.framework.errors import NotRegistered, StoreError, UserError
from library.framework.tracking import session

NAMES = ["CAE", "GAN", "VAE", "image-to-text", "studies", "text-to-image", "text-to-text"]
SHORT = {"epochs": 2, "steps_per_epoch": 2, "batch_size": 8}
CATS = {
    "images": 80, "filters": "4-8-8", "latent_size": 4, "validation_samples": 40, "test_samples": 40, **SHORT,
}  # fmt: skip
GAN = {"pretraining": 0, "discriminator_filters": "4-8-8", "hidden": 4}
SUMS = {"units": 8, "filters": 2, "train_fraction": 0.97, **SHORT}
READER = glyph_reader.Config(filters=2, **SHORT)
PICTURE = "image/png"


def read(name: str) -> NotebookNode:
    return nbformat.read(notebooks()[name], as_version=4)


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def pictures(notebook: NotebookNode) -> list[bytes]:
    found = (output.get("data", {}).get(PICTURE) for output in outputs(notebook))
    return [base64.b64decode(png) for png in found if png]


def texts(notebook: NotebookNode) -> str:
    """All that a reader reads, code and outputs, without the pictures."""
    told = [cell.source for cell in notebook.cells]
    for output in outputs(notebook):
        data = output.get("data", {})
        told += [output.get("text", ""), *(data[kind] for kind in data if kind != PICTURE)]
    return "\n".join(map(str, told))


def test_those_that_are_asked_for_are_there() -> None:
    assert list(notebooks()) == NAMES


@pytest.mark.parametrize("name", notebooks())
def test_a_notebook_was_executed_from_top_to_bottom_without_an_error(name: str) -> None:
    notebook = read(name)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert [output for output in outputs(notebook) if output.output_type == "error"] == []
    assert [output for output in outputs(notebook) if output.get("name") == "stderr"] == []
    assert all(picture.startswith(b"\x89PNG") for picture in pictures(notebook))
    assert pictures(notebook)


@pytest.mark.parametrize("name", notebooks())
def test_a_notebook_tells_nothing_of_the_machine_and_is_small(name: str) -> None:
    notebook = read(name)
    assert re.findall(r"/(?:root|work|tmp|home|Users)/\S*|\bat 0x\w+|[A-Z]:\\\S*", texts(notebook)) == []
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert notebook.metadata == {"kernelspec": kernel, "language_info": {"name": "python"}}
    assert all(cell.metadata == {} for cell in notebook.cells)
    assert notebooks()[name].stat().st_size < 400_000


@pytest.mark.parametrize("name", notebooks())
def test_a_notebook_says_what_is_to_be_learnt_and_what_trains_the_model(name: str) -> None:
    first = read(name).cells[0]
    title, learnt, command, *_ = [line for line in first.source.splitlines() if line]
    assert first.cell_type == "markdown"
    assert title.startswith("# ")
    assert learnt.endswith(".")
    assert re.match(r"`make (train|tune)-\w+", command)


def test_cleaning_takes_what_tells_of_the_machine_and_keeps_what_was_shown() -> None:
    notebook = read("CAE")
    notebook.metadata["language_info"]["version"] = "3.11.7"
    notebook.cells[1].metadata["execution"] = {"iopub.execute_input": "2026-01-01T00:00:00Z"}
    shown = texts(notebook)
    cleaned = clean(notebook)
    assert texts(cleaned) == shown
    assert "version" not in cleaned.metadata.language_info
    assert cleaned.cells[1].metadata == {}


def test_one_that_is_not_there_and_a_store_that_is_not_there_are_one_line(store_path: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"^only: got 'AE'; allowed are CAE, GAN, VAE, image-to-text, studies, text-to-"
    ):
        main([f"--store={store_path}", "--only=AE"])
    with pytest.raises(StoreError, match=r"^store .*none: there is none; train or tune first, or give STORE=folder$"):
        main([f"--store={tmp_path / 'none'}"])


@pytest.fixture(scope="module")
def filled(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a tiny model of every kind in Production, and a study of two objectives."""
    import shutil

    root = Path(shutil.copytree(empty_store, tmp_path_factory.mktemp("filled") / "store"))
    start_keras(None)
    with session.open_store(root) as store, pytest.MonkeyPatch.context() as patch:
        patch.setattr(seq2seq, "needs", needs)
        for name, fields in (
            ("cae", CATS),
            ("vae", CATS),
            ("gan", CATS | GAN),
            *(("seq2seq", SUMS | {"modality": modality}) for modality in ("text-to-text", "image-to-text")),
            ("seq2seq", SUMS | {"modality": "text-to-image"}),
        ):
            experiment = replace(discovery.find(name), needs=needs if name == "seq2seq" else discovery.find(name).needs)
            pipeline.train_in_full(name, experiment, experiment.config(**fields), store, run_name=name)
    study = [sys.executable, "-m", "tests.tiny", str(root), "4", "1"]
    subprocess.run(study, check=True, env={**os.environ, "TINY_IS_SIZED": "1"}, cwd=Path(__file__).parents[2])
    return root


def needs(config: Any) -> dict[str, glyph_reader.Config]:
    """A reader that is trained in no time."""
    return {"glyph-reader": READER} if config.draws_images else {}


@pytest.mark.slow
@pytest.mark.parametrize("name", notebooks())
def test_a_notebook_shows_whatever_models_there_are(name: str, filled: Path) -> None:
    notebook = execute(notebooks()[name], filled)
    assert len(pictures(notebook)) >= 5
    assert [output.text for output in outputs(notebook) if output.get("name") == "stderr"] == []
    assert str(filled) not in texts(notebook)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("CAE", "no Production version of cats-cae in store {}; make train-cae first"),
        ("VAE", "no Production version of cats-vae in store {}; make train-vae first"),
        ("GAN", "no Production version of cats-gan in store {}; make train-gan first"),
        (
            "text-to-image",
            "no Production version of seq2seq-text-to-image in store {}; "
            "make train-seq2seq MODALITY=text-to-image first",
        ),
    ],
)
def test_a_notebook_without_its_model_shows_one_line_that_says_what_to_do(
    name: str, line: str, store_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = notebooks()[name].read_bytes()
    assert main([f"--store={store_path}", f"--only={name}"]) == 2
    assert capfd.readouterr().err == f"error: notebook {name}: {line.format(store_path)}\n"
    assert notebooks()[name].read_bytes() == before
    with pytest.raises(UserError) as caught:
        execute(notebooks()[name], store_path)
    seen = str(caught.value.__cause__)
    assert f"\nerror: {line.format(store_path)}\n" in seen
    assert "Traceback" not in seen


def test_what_is_the_users_to_mend_has_no_traceback_in_a_notebook() -> None:
    assert NotRegistered("no model")._render_traceback_() == ["error: no model"]
