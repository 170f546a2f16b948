"""`make serve`: one real server for all tests, and what is said instead of starting one."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from library.framework.errors import UserError
from library.framework.serving import sockets
from library.framework.serving.requests import Contract
from tests.framework.cli.test_parser import refused

JSON = "application/json"
TEXTS = Contract('{"inputs": ["1+1"]}', params={}, texts=True)
BYTES = Contract("", params={"seed": 0, "way": "best", "size": 1.0}, type=np.dtype("uint8"), shape=(-1, 2))
ANY = Contract("", params={})


@dataclass(frozen=True)
class Served:
    """A server's process, its port, and what it told."""

    process: subprocess.Popen[str]
    port: int
    told: str

    def post(self, body: str, kind: str = JSON) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(sockets.HOST, self.port, timeout=60)
        connection.request("POST", "/invocations", body, {"Content-Type": kind} if kind else {})
        answer = connection.getresponse()
        status, read = answer.status, json.loads(answer.read())
        connection.close()
        return status, read


@pytest.fixture(scope="module")
def root(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one version of a model that needs no network, in Production."""
    from library.framework import registry
    from library.framework.experiment import Scores
    from library.framework.tracking import mlflow_run, session
    from tests import tiny

    copy = Path(shutil.copytree(empty_store, tmp_path_factory.mktemp("serve") / "a store"))
    with session.open_store(copy) as store, mlflow_run.start_run(store, "tiny", "tiny", config=tiny.Config()):
        folder = tmp_path_factory.mktemp("package")
        package = tiny.package(tiny.Config(), None, folder)  # type: ignore[arg-type]
        registry.promote("tiny", registry.register("tiny", package, Scores({}, {}), {}))
    return copy


@contextmanager
def started(root: Path) -> Iterator[Served]:
    """A server of that model, which answers."""
    port = sockets.free(5101)
    flags = ["--model=tiny", f"--store={root}", f"--port={port}"]
    with subprocess.Popen(
        [sys.executable, "-m", "experiments", "serve", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # which a background job ignores
    ) as process:
        try:
            assert process.stdout
            yield Served(process, port, process.stdout.readline() + process.stdout.readline())
        finally:
            process.kill()


@pytest.fixture(scope="module")
def served(root: Path) -> Iterator[Served]:
    """The server that all tests ask; it ends as it should."""
    with started(root) as server:
        yield server
        server.process.terminate()
        _, err = server.process.communicate(timeout=60)
        assert (server.process.returncode, err) == (143, "")
        with sockets.held(server.port):
            pass


def test_the_terminal_says_what_answers_where_and_how_to_ask(served: Served) -> None:
    address = f"http://127.0.0.1:{served.port}"
    assert served.told.splitlines() == [
        f"tiny version 1, Production, answers on {address} until Ctrl-C:",
        f"curl {address}/invocations -H 'Content-Type: application/json' -d '{{\"inputs\": [\"?\"]}}'",
    ]


def test_it_answers_what_a_person_would_write(served: Served) -> None:
    assert served.post('{"inputs": ["?", "!"]}') == (200, {"predictions": ["4", "4"]})


def test_a_wrong_request_is_one_line(served: Served) -> None:
    for body, kind, told in (
        ("{", JSON, 'body: got "{", which is not JSON'),
        ("[1]", JSON, "body: got [1]; allowed is an object"),
        ('{"inputs": ["?"]}', "text/csv", "content type: got 'text/csv'; allowed is application/json"),
        ('{"inputs": ["?"]}', "", "content type: got none; allowed is application/json"),
        ('{"inputs": ["?"], "params": {"seed": 1}}', JSON, 'params: got "seed"; this model takes none'),
    ):
        status, answer = served.post(body, kind)
        assert status == 400
        assert set(answer) == {"error_code", "message"}
        assert answer["message"].startswith(told)


def test_its_port_is_refused_before_anything_is_looked_at(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(["serve", "--model=tiny", "--store=/nowhere", f"--port={served.port}"], capsys)
    assert line.startswith(f"error: port: got {served.port}, which is in use; stop what answers there, or give PORT=")
    assert sockets.free(int(line.rpartition("=")[2])) > served.port


@pytest.mark.slow
def test_ctrl_c_ends_it_without_a_traceback(root: Path) -> None:
    with started(root) as server:
        server.process.send_signal(signal.SIGINT)
        _, err = server.process.communicate(timeout=60)
        assert (server.process.returncode, err) == (130, "interrupted: nobody answers any more\n")
        with sockets.held(server.port):
            pass


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--model=none"], "model 'none': not registered; there is tiny"),
        (["--model=tiny", "--stage=Staging"], "model 'tiny': no version in stage Staging; there is version 1 in Prod"),
        (["--model=tiny", "--stage=Test"], "stage: got 'Test'; allowed is 'Staging', 'Production' or 'Archived'"),
        (["--model=tiny", "--port=80"], "port: got '80'; allowed is greater than or equal to 1024"),
        (["--model=tiny", "--port=65536"], "port: got '65536'; allowed is less than or equal to 65535"),
        ([], "model: nothing was given; it is name in the registry, such as seq2seq-text-to-text"),
    ],
)
def test_what_cannot_be_served_is_one_line(
    root: Path, flags: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    port = [] if any("port" in flag for flag in flags) else [f"--port={sockets.free(5301)}"]
    assert refused(["serve", *flags, *port, f"--store={root}"], capsys).startswith(f"error: {told}")


@pytest.mark.parametrize("harm", ["changed", "missing"])
def test_files_that_are_not_those_registered_are_not_served(
    root: Path, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import mlflow

    from library.framework.tracking import session

    with session.open_store(root):
        units = next(Path(mlflow.artifacts.download_artifacts("models:/tiny/1")).rglob("units.txt"))
    kept = units.read_text()
    try:
        units.write_text("5") if harm == "changed" else units.unlink()
        line = refused(["serve", "--model=tiny", f"--store={root}", f"--port={sockets.free(5401)}"], capsys)
    finally:
        units.write_text(kept)
    assert line == "error: model 'tiny' version 1: its files are not those that were registered\n"


def test_a_held_port_is_nobody_elses_and_is_free_again_afterwards() -> None:
    port = sockets.free(5501)
    with sockets.held(port) as listening:
        assert listening.getsockname() == ("127.0.0.1", port)
        assert listening.proto == socket.IPPROTO_TCP  # by which asyncio knows to send answers at once
        with pytest.raises(UserError, match=rf"^port: got {port}, which is in use; .* PORT=\d+$"), sockets.held(port):
            pass
        assert sockets.free(port) > port
    with sockets.held(port):
        pass


@pytest.mark.parametrize(
    ("contract", "request_", "told"),
    [
        (TEXTS, {"inputs": "1+1"}, 'inputs: got "1+1"; allowed is a list of texts, as in {"inputs": ["1+1"]}'),
        (TEXTS, {"inputs": ["1+1", 2]}, "inputs: got 2; allowed is a list of texts"),
        (TEXTS, {"inputs": []}, "inputs: got []; allowed is a list of texts"),
        (TEXTS, {}, 'body: got an object of []; allowed is an object of "inputs"'),
        (TEXTS, {"inputs": ["1+1"], "parms": {}}, 'body: got an object of ["inputs", "parms"]; allowed'),
        (TEXTS, {"inputs": ["x" * 100, 2 * ["x" * 100]]}, f'inputs: got ["{"x" * 58}...; allowed'),
        (BYTES, {"inputs": [[1, 2, 3]]}, "inputs: got int64 [1, 3]; allowed is uint8 [n, 2]"),
        (BYTES, {"inputs": [[0.5, 0.5]]}, "inputs: got float64 [1, 2]; allowed is uint8 [n, 2]"),
        (BYTES, {"inputs": [[True, True]]}, "inputs: got bool [1, 2]; allowed is uint8 [n, 2]"),
        (BYTES, {"inputs": [[0, 256]]}, "inputs: got 0 to 256; allowed is 0 to 255"),
        (BYTES, {"inputs": [[1, 2], [3]]}, "inputs: got lists of different lengths; allowed is uint8 [n, 2]"),
        (BYTES, {"inputs": None}, "inputs: got null; allowed is uint8 [n, 2]"),
        (BYTES, {"inputs": [[1, 2]], "params": 3}, "params: got 3; allowed is an object of seed [0], way [best]"),
        (BYTES, {"inputs": [[1, 2]], "params": {"sed": 3}}, 'params: got "sed"; allowed is an object of seed [0]'),
        (BYTES, {"inputs": [[1, 2]], "params": {"seed": True}}, "seed: got true; allowed is an integer"),
        (
            BYTES,
            {"inputs": [[1, 2]], "params": {"seed": 2**63}},
            f"seed: got {2**63}; allowed is an integer of 64 bits",
        ),
        (BYTES, {"inputs": [[1, 2]], "params": {"way": 1}}, "way: got 1; allowed is a text"),
        (ANY, {"inputs": [[1], [1, 2]]}, "inputs: got lists of different lengths; allowed is an array"),
    ],
    ids=str,
)
def test_what_a_model_does_not_take_is_told_in_one_line(contract: Contract, request_: Any, told: str) -> None:
    with pytest.raises(ValueError, match="; ") as caught:
        contract.check(JSON, json.dumps(request_).encode())
    assert str(caught.value).startswith(told)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("contract", "request_"),
    [
        (TEXTS, {"inputs": ["1+1"]}),
        (TEXTS, {"inputs": ["1+1"], "params": {}}),
        (BYTES, {"inputs": [[0, 255]], "params": {"seed": 1, "way": "x", "size": 2}}),
        (BYTES, {"inputs": [[0, 255]], "params": None}),
        (ANY, {"inputs": [16]}),
        (ANY, {"inputs": [[[[1]]]]}),
    ],
    ids=str,
)
def test_what_a_model_takes_is_passed_on(contract: Contract, request_: Any) -> None:
    contract.check("application/json; charset=utf-8", json.dumps(request_).encode())


def test_bodies_that_are_no_json_are_told() -> None:
    for body in (b"", b"\xff", b"[" * 100_000, b"45+23"):
        with pytest.raises(ValueError, match=r"^body: got .*, which is not JSON"):
            TEXTS.check(JSON, body)
