"""All commands on every kind of store: the same results, which a folder's are the measure of."""

import contextlib
import hashlib
import http.client
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from library import open_store
from library.cats.config import CatsConfig
from library.cats.data import dataset
from library.cats.images import load_images
from library.framework.cli.main import main
from library.framework.errors import UserError
from library.framework.serving import sockets
from library.framework.tracking.server import ServerStore
from library.framework.tracking.store import Store
from tests import raw_images

TINY = ("--epochs=1", "--steps-per-epoch=2", "--batch-size=8", "--units=8", "--train-fraction=0.99")
TINY_CAT = (
    "--epochs=1", "--steps-per-epoch=2", "--batch-size=8", "--filters=4-8-8", "--latent-size=4",
    "--validation-samples=10", "--test-samples=10",
)  # fmt: skip
STUDY = ("tune", "seq2seq", *TINY, "--study=s", "--workers=1")
MODEL = "--model=seq2seq-text-to-text"

Do = Callable[..., str]
"""Runs a command with options on a store; returns what it printed."""


def addresses(store: Store) -> Sequence[str]:
    """The options that name a store."""
    if isinstance(store, ServerStore):
        given = {"store": store.tracking, "studies": store.studies, "artifacts": store.artifacts}
        return [f"--{name}={value}" for name, value in given.items() if value]
    return [f"--store={store}"]


def life(do: Do, served: Callable[[], Any], folder: Path) -> Mapping[str, Any]:
    """What all commands lead to, without ids and times."""
    images = raw_images.folder(folder / "images", raw_images.files(80))
    do(*STUDY, "--trials=2")
    do(*STUDY, "--trials=3")
    do("train", "seq2seq", *TINY, "--seed=1")
    do("promote", MODEL, "--version=2", "--force=1")
    do("rollback", MODEL)
    compared = do("compare", "encoder-depth", *TINY, "--modality=text-to-text", "--encoder-depth=1")
    with contextlib.chdir(folder):
        digest = digest_of(do("cats", f"--cats={images}"))
        shutil.rmtree(folder / "cats", ignore_errors=True)  # so that it comes from the artifacts where they hold it
        do("train", "vae", *TINY_CAT, f"--cats={digest}")
    do("generate", "--model=cats-vae", "--n=4", f"--out={folder / 'cats.png'}")
    do("report", f"--out={folder / 'report.html'}")
    runs = json.loads(do("runs", "--n=100", "--json=1"))
    [trained] = [run["id"] for run in runs if run["name"].startswith("seed 1, ")]
    repeated = do("repeat", f"--run={trained}")
    history = json.loads(do("history", MODEL, "--json=1"))
    models = json.loads(do("models", "--json=1"))
    return {
        "predict": json.loads(do("predict", "seq2seq", "--query=45+23", "--json=1")),
        "by number": json.loads(do("predict", "seq2seq", "--query=45+23", "--version=2", "--json=1")),
        "serve": served(),
        "runs": sorted((run["experiment"], run["name"].replace(str(folder), ""), run["status"]) for run in runs),
        "models": [(one["model"], one["version"], one["stage"], one["score"]) for one in models],
        "history": [(one["version"], one["reason"]) for one in history],
        "compare": re.findall(r"^(\|.*)\|[^|]*\|$", compared, re.MULTILINE),
        "repeat": "the same to the last digit" in repeated,
        "cats": hashlib.sha256(cv2.imread(folder / "cats.png").tobytes()).hexdigest(),
        "report": sorted(
            set(re.findall(r"cats-vae|seq2seq-text-to-text|encoder.depth", (folder / "report.html").read_text()))
        ),
    }


def digest_of(printed: str) -> str:
    """The digest of the set that `make cats` made."""
    [digest] = re.findall(r"Cats (\w{16})", printed)
    return str(digest)


def run_life(store: Store, folder: Path, capsys: pytest.CaptureFixture[str]) -> Mapping[str, Any]:
    where = addresses(store)

    def do(*command: str) -> str:
        assert main([*command, *where], "make") == 0, capsys.readouterr().err
        return capsys.readouterr().out

    def served() -> Any:
        port = sockets.find_free_port()
        command = [sys.executable, "-m", "experiments", "serve", MODEL, f"--port={port}", *where]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert any("answers on" in line for line in process.stdout)
            connection = http.client.HTTPConnection(sockets.HOST, port, timeout=60)
            connection.request("POST", "/invocations", '{"inputs": ["45+23"]}', {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
            connection.close()
            process.terminate()
            return answer

    folder.mkdir()
    return life(do, served, folder)


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    """What the commands lead to on a folder, once it is known."""
    return {}


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["postgres_store", "s3_store", "server_store"])
def test_all_commands_lead_to_the_same_on_servers_as_on_a_folder(
    kind: str, kept: dict[str, Any], request: pytest.FixtureRequest, store_path: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    if not kept:
        with open_store(store_path) as folder:
            kept |= run_life(folder, tmp_path / "on-folder", capsys)
    assert kept["repeat"]
    assert all(kept["report"])
    assert [run for run in kept["runs"] if run[2] != "FINISHED"] == []
    assert run_life(request.getfixturevalue(kind), tmp_path / "on-server", capsys) == kept


def test_a_set_of_cats_comes_from_the_artifacts_by_its_digest_and_a_damaged_one_is_named(
    postgres_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    images = raw_images.folder(tmp_path / "images", raw_images.files(80))
    assert main(["cats", f"--cats={images}", *addresses(postgres_store)], "make") == 0
    given = digest_of(printed := capsys.readouterr().out)
    assert f"On other machines: CATS={given}\n" in printed

    def load() -> dataset.Cats:
        dataset._load.cache_clear()
        return load_images(CatsConfig(cats=given))

    here = load()
    shutil.rmtree("cats")
    copied = load()
    assert copied.digest == here.digest == given
    path = Path(copied.train.base.filename)
    assert path.parent.name == "set"
    np.save(path, 255 - np.load(path))
    with pytest.raises(UserError, match=f"is no longer the set {given}; remove it, then try again"):
        load()
    shutil.rmtree(path.parent)
    with pytest.raises(UserError, match=f"no set with the digest '{given}'"):
        load()
