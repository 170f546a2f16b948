"""docs/serving.md: every command on the page is run against a real server of the model that it is about."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import mlflow
import numpy as np
import pytest
import uvicorn

from library.framework.serving import app, sockets
from tests.cats.test_served_model import models as cats  # noqa: F401
from tests.cats.test_served_model import outcomes, root  # noqa: F401
from tests.sums.served.test_served import models as sums  # noqa: F401 -- fixtures

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
COMMANDS = [block for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) if "curl" in block]
TEXT, READS, READER, DRAWS, CATS, ENCODES = COMMANDS
CURL = f"""#!{sys.executable}
import sys, urllib.error, urllib.request
[address], flags = [one for one in sys.argv[1:] if one.startswith("http")], sys.argv
kind, data = flags[flags.index("-H") + 1], flags[flags.index("-d") + 1]
body = open(data[1:]).read() if data.startswith("@") else data
request = urllib.request.Request(address, body.encode(), dict([kind.split(": ")]))
try:
    print(urllib.request.urlopen(request).read().decode(), end="")
except urllib.error.HTTPError as error:
    print(error.read().decode(), end="")
"""
pytestmark = pytest.mark.slow


@contextmanager
def answering(model: Any, version: str) -> Iterator[str]:
    """The address of a real server of a model, in a thread of this process."""
    example = Path(mlflow.artifacts.download_artifacts(f"models:/{version}/Production"), app.EXAMPLE)
    application = app.application(model, example)
    with sockets.held(port := sockets.free(5601)) as listening:
        server = uvicorn.Server(uvicorn.Config(application, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            while not server.started and thread.is_alive():
                time.sleep(0)
            server.should_exit = True
            thread.join()


@pytest.fixture
def type_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Types commands of the page into a shell whose curl, where it has none, is one of a few lines."""
    monkeypatch.setenv("_MLFLOW_IS_IN_SERVING_ENVIRONMENT", "false")  # so that what the server sets is undone
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("*.md"))

    def run(commands: str, address: str, own_curl: bool = False) -> str:
        if own_curl or not shutil.which("curl"):
            (tmp_path / "curl").write_text(CURL)
            (tmp_path / "curl").chmod(0o755)
        done = subprocess.run(
            ["/bin/sh", "-ec", commands.replace("127.0.0.1:5001", address).replace(".venv/bin/python", sys.executable)],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout

    return run


@pytest.mark.parametrize("own_curl", [False, True])
def test_sums_are_answered(sums: dict[str, Any], type_: Any, own_curl: bool) -> None:  # noqa: F811
    name = "seq2seq-text-to-text"
    with answering(sums[name], name) as address:
        answer = json.loads(type_(TEXT, address, own_curl))
    assert answer == {"predictions": sums[name].predict(["45+23", " 7-88"])}


@pytest.mark.parametrize(
    ("name", "commands", "count"), [("seq2seq-image-to-text", READS, 1), ("glyph-reader", READER, 5)]
)
def test_pictures_are_read(sums: dict[str, Any], type_: Any, name: str, commands: str, count: int) -> None:  # noqa: F811
    characters = np.stack(np.split(cv2.imread(str(ROOT / "docs/query.png"), 0), 5, axis=1))  # type: ignore[arg-type]
    asked = characters if count == 5 else characters[np.newaxis]
    with answering(sums[name], name) as address:
        answer = json.loads(type_(commands, address))
    assert answer == {"predictions": sums[name].predict(asked)}
    assert len(answer["predictions"]) == count


def test_answers_are_drawn(sums: dict[str, Any], type_: Any, tmp_path: Path) -> None:  # noqa: F811
    name = "seq2seq-text-to-image"
    with answering(sums[name], name) as address:
        assert type_(DRAWS, address) == ""
    drawn = sums[name].predict(["45+23"], params={"seed": 7})[0]
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "answer.png"), 0), np.hstack(drawn))


@pytest.mark.parametrize("name", ["cae", "vae", "gan"])
def test_cats_are_drawn_and_encoded(cats: dict[str, Any], type_: Any, tmp_path: Path, name: str) -> None:  # noqa: F811
    with answering(cats[name], f"cats-{name}") as address:
        assert type_(CATS, address) == ""
        encoded = json.loads(type_(ENCODES, address))
    drawn = cats[name].predict([4], params={"seed": 1})
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "cats.png"))[..., ::-1], np.hstack(drawn))  # type: ignore[index]
    if name == "gan":
        assert "this model has no encoder" in encoded["message"]
    else:
        latents = cats[name].predict(drawn, params={"task": "encode"})
        np.testing.assert_allclose(encoded["predictions"], latents, rtol=1e-4, atol=1e-5)


def test_every_model_has_its_command() -> None:
    for name in ("seq2seq-text-to-text", "seq2seq-image-to-text", "seq2seq-text-to-image", "glyph-reader"):
        assert name in PAGE
    for name in ("cats-cae", "cats-vae", "cats-gan"):
        assert name in PAGE
    assert all("http://127.0.0.1:5001/invocations" in block for block in COMMANDS)
