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
import numpy as np
import pytest
import uvicorn

from library.framework.serving import sockets
from tests.http_client import Served

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
COMMANDS = [block for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) if "curl" in block]
FORMS, TEXT, READS, READER, DRAWS, CATS, ENCODES = COMMANDS
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
pytestmark = pytest.mark.nightly


@contextmanager
def running(served: Served) -> Iterator[str]:
    """The address of a real server of a model, in a thread of this process."""
    with sockets.listen(port := sockets.find_free_port(5601)) as listening:
        server = uvicorn.Server(uvicorn.Config(served.app, log_level="warning", lifespan="off"))
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
def type_(tmp_path: Path) -> Any:
    """Types commands of the page into a shell whose curl, where it has none, is one of a few lines."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("*.md"))

    def run(commands: str, address: str, own_curl: bool = False) -> str:
        if own_curl or not shutil.which("curl"):
            (tmp_path / "curl").write_text(CURL)
            (tmp_path / "curl").chmod(0o755)
        typed = commands.replace("127.0.0.1:5001", address).replace(".venv/bin/python", sys.executable)
        path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        shell = {"cwd": tmp_path, "env": os.environ | path, "capture_output": True, "text": True, "check": True}
        done = subprocess.run(["/bin/sh", "-ec", typed], **shell)
        assert done.stderr == ""
        return done.stdout

    return run


@pytest.mark.parametrize("own_curl", [False, True])
def test_sums_are_answered_in_all_forms(served_sums: dict[str, Served], type_: Any, own_curl: bool) -> None:
    served = served_sums["seq2seq-text-to-text"]
    with running(served) as address:
        answers = [type_(TEXT, address, own_curl)]
        answers += type_(FORMS.replace("\ncurl", "\necho\ncurl"), address, own_curl).splitlines()
    assert [json.loads(answer) for answer in answers] == 5 * [{"predictions": served.model.predict(["45+23", " 7-88"])}]


@pytest.mark.parametrize(
    ("name", "commands", "count"), [("seq2seq-image-to-text", READS, 1), ("glyph-reader", READER, 5)]
)
def test_pictures_are_read(served_sums: dict[str, Served], type_: Any, name: str, commands: str, count: int) -> None:
    characters = np.stack(np.split(cv2.imread(str(ROOT / "docs/query.png"), 0), 5, axis=1))  # type: ignore[arg-type]
    inputs = characters if count == 5 else characters[np.newaxis]
    with running(served_sums[name]) as address:
        answer = json.loads(type_(commands, address))
    assert answer == {"predictions": served_sums[name].model.predict(inputs)}
    assert len(answer["predictions"]) == count


def test_answers_are_drawn(served_sums: dict[str, Served], type_: Any, tmp_path: Path) -> None:
    served = served_sums["seq2seq-text-to-image"]
    with running(served) as address:
        assert type_(DRAWS, address) == ""
    drawn = served.model.predict(["45+23"], params={"seed": 7})[0]
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "answer.png"), 0), np.hstack(drawn))


@pytest.mark.parametrize("name", ["cae", "vae", "gan"])
def test_cats_are_drawn_and_encoded(served_cats: dict[str, Served], type_: Any, tmp_path: Path, name: str) -> None:
    model = served_cats[name].model
    with running(served_cats[name]) as address:
        assert type_(CATS, address) == ""
        encoded = json.loads(type_(ENCODES, address))
    drawn = model.predict([4], params={"seed": 1})
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "cats.png"))[..., ::-1], np.hstack(drawn))  # type: ignore[index]
    if name == "gan":
        assert "this model has no encoder" in encoded["message"]
    else:
        latents = model.predict(drawn, params={"task": "encode"})
        np.testing.assert_allclose(encoded["predictions"], latents, rtol=1e-4, atol=1e-5)


def test_every_model_has_its_command() -> None:
    sums = {"seq2seq-text-to-text", "seq2seq-image-to-text", "seq2seq-text-to-image", "glyph-reader"}
    assert {name for name in sums | {"cats-cae", "cats-vae", "cats-gan"} if name not in PAGE} == set()
    assert all("http://127.0.0.1:5001/invocations" in block for block in COMMANDS)
