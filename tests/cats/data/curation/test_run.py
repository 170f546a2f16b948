"""`make cats`: the set in the store, its run, and what the terminal shows; on real stores."""

import shlex
from pathlib import Path
from typing import Any

import mlflow
import pytest

from library.cats.config import CatsConfig
from library.cats.data import dataset
from library.cats.data.curation import run
from library.cats.images import load_images
from library.cats.options import CurationOptions
from library.framework.cli.main import main
from library.framework.errors import UserError
from library.framework.tracking import queries
from library.framework.tracking.store import Store
from tests import raw_images

FILES = {f"{i:03}.png": raw_images.encoded(image) for i, image in enumerate(raw_images.photos(80))}
RAW = {**FILES, "again.png": FILES["000.png"], "broken.jpg": b"cats"}


def runs() -> list[mlflow.entities.Run]:
    return mlflow.search_runs(experiment_names=["cats"], output_format="list")


def make(store: Store, **options: Any) -> Any:
    return run.curate_dataset(CurationOptions(store=store.root, **options), store)


def test_a_run_shows_what_was_dropped_and_why(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = raw_images.zipped(tmp_path / "my cats.zip", RAW)
    curation = make(store, cats=str(path))
    assert curation.folder == store.root / "cats" / "my-cats"
    [run] = runs()
    assert (run.info.run_name, run.info.status) == ("my-cats", "FINISHED")
    assert run.data.tags["data.digest"] == curation.digest
    command = shlex.split(run.data.tags["command"])
    assert (command[:2], sorted(command[2:])) == (["make", "cats"], [f"CATS={path}", f"STORE={store.root}"])
    counts = {"kept/train": 64, "kept/validation": 8, "kept/test": 8, "dropped/broken": 1, "dropped/exact_duplicate": 1}
    assert {name: run.data.metrics[name] for name in counts} == counts
    assert {data.dataset.name for data in run.inputs.dataset_inputs} == {f"my-cats-{part}" for part in dataset.SPLITS}
    table = queries.read_json(run.info.run_id, "tables/dropped.json")
    assert {row[1] for row in table["data"]} == {"exact duplicate", "broken"}
    pictures = mlflow.artifacts.list_artifacts(run_id=run.info.run_id, artifact_path="figures")
    assert [picture.path for picture in pictures] == ["figures/broken.png", "figures/exact_duplicate.png"]
    out = capsys.readouterr().out
    assert curation.digest in out
    assert f"make train-vae CATS={store.root}/cats/my-cats STORE={store.root}\n" in out
    assert dataset.load(CatsConfig(cats=str(curation.folder))).digest == curation.digest
    assert load_images(CatsConfig(cats=curation.digest)).digest == curation.digest
    with pytest.raises(
        UserError, match=f"no set with the digest '{'0' * 16}' is in '{store.root}/cats' or among the artifacts of"
    ):
        load_images(CatsConfig(cats="0" * 16))


def test_a_set_is_named_after_its_source_or_made_elsewhere_but_not_by_two_commands_at_once(
    store: Store, tmp_path: Path
) -> None:
    path = raw_images.folder(tmp_path / "raw", RAW)
    assert make(store, cats=str(path), out=str(tmp_path / "there")).folder == tmp_path / "there"
    assert f"OUT={tmp_path / 'there'}" in runs()[0].data.tags["command"]
    with store.lock("cats-there"), pytest.raises(UserError, match=r"^cats: another command is making '.*there'; wait"):
        make(store, cats=str(path), out=str(tmp_path / "there"))
    names = {
        "a/cats.tar.gz": "cats", "cats.v2.zip": "cats.v2", "https://a.b/c/my%20cats.TGZ?raw=1": "my-cats",
        "https://a.b": "a.b", "/": "cats", "faces.npy": "faces", "photos": "photos",
    }  # fmt: skip
    assert {given: run.set_name(given) for given in names} == names


def test_an_address_is_downloaded_again_if_unusable_and_recorded(store: Store, server: Any, tmp_path: Path) -> None:
    server.files["/cats.zip"] = b"PK\3\4 and no more"
    with pytest.raises(UserError, match=rf"^cats: '{server.address}/cats.zip' is a broken archive"):
        make(store, cats=f"{server.address}/cats.zip")
    server.files["/cats.zip"] = raw_images.zipped(tmp_path / "cats.zip", RAW).read_bytes()
    curation = make(store, cats=f"{server.address}/cats.zip")
    assert curation.splits["train"] == 64
    assert dataset.read_report(curation.folder)["source"] == f"{server.address}/cats.zip"
    assert [path.name for path in (store.root / "cats").iterdir()] == ["cats"]


def test_what_cannot_be_done_is_one_line_and_leaves_no_run(store: Store, tmp_path: Path, refused: Any) -> None:
    raw_images.folder(tmp_path / "texts", {"a.txt": b""})
    for given, message in {
        "--cats=": "error: cats: got ''",
        f"--cats={tmp_path / 'texts'}": "holds no image among its 1 files (1 txt); allowed are ",
        f"--CATS={tmp_path / 'nope'}": "cannot be read (No such file or directory)",
        "--sha256=abc": "cats: nothing was given; it is the images",
        "--nope=1": "unknown option 'NOPE'; allowed are ARTIFACTS, CATS",
    }.items():
        assert message in refused(["cats", given, f"--store={store.root}"])
    assert mlflow.get_experiment_by_name("cats") is None


def test_the_command_is_listed_and_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, shown in ((["--help"], "Makes a set of cats"), (["cats", "--help"], "--sha256 string")):
        with pytest.raises(SystemExit, match=r"^0$"):
            main(arguments, "make")
        assert shown in capsys.readouterr().out
