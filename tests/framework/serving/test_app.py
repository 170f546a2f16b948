"""`make serve`: one real server for all tests, and what is said instead of starting one."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from library.framework.errors import UserError
from library.framework.serving import sockets
from tests.http_client import JSON

pytestmark = pytest.mark.slow

Refused = Callable[[list[str]], str]


@dataclass(frozen=True)
class Server:
    """A server's process, its port, and what it printed."""

    process: subprocess.Popen[str]
    port: int
    printed: str

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
    from library import open_store
    from library.framework.registry import stages
    from tests import versions

    copy = Path(shutil.copytree(empty_store, tmp_path_factory.mktemp("serve") / "a store"))
    with open_store(copy) as store:
        stages.promote_if_better("tiny", versions.register(store, tmp_path_factory.mktemp("package"), "0101"))
    return copy


@contextmanager
def started(root: Path) -> Iterator[Server]:
    """A server of that model, which answers."""
    port = sockets.find_free_port(5101)
    flags = ["--model=tiny", f"--store={root}", f"--port={port}"]
    with subprocess.Popen(
        [sys.executable, "-m", "experiments", "serve", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # which a background job ignores
    ) as process:
        try:
            assert process.stdout
            yield Server(process, port, process.stdout.readline() + process.stdout.readline())
        finally:
            process.kill()


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Server]:
    """The server that all tests ask; it ends as it should."""
    with started(root) as running:
        yield running
        running.process.terminate()
        _, err = running.process.communicate(timeout=60)
        assert (running.process.returncode, err) == (143, "")
        with sockets.listen(running.port):
            pass


def test_the_terminal_says_how_to_ask_what_is_answered_and_a_wrong_request_is_one_line(server: Server) -> None:
    address = f"http://127.0.0.1:{server.port}"
    assert server.printed.splitlines() == [
        f"tiny version 1, Production, answers on {address} until Ctrl-C:",
        f"curl {address}/invocations -H 'Content-Type: application/json' -d '{{\"inputs\": [\"?\"]}}'",
    ]
    assert server.post('{"inputs": ["?", "!"]}') == (200, {"predictions": ["4", "4"]})
    for body, kind, message in (
        ("{", JSON, 'body: got "{", which is not JSON'),
        ('{"inputs": ["?"]}', "", "content type: got none; allowed is application/json"),
    ):
        status, answer = server.post(body, kind)
        assert (status, set(answer)) == (400, {"error_code", "message"})
        assert answer["message"].startswith(message)


def test_a_client_that_hangs_up_is_no_traceback(server: Server) -> None:
    with socket.create_connection((sockets.HOST, server.port)) as client:
        client.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert server.post('{"inputs": ["?"]}') == (200, {"predictions": ["4"]})  # and `server` checks what it printed


@pytest.mark.slow
def test_mlflows_client_is_answered(server: Server) -> None:
    import mlflow
    import pandas as pd
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    client = ScoringServerClient(sockets.HOST, server.port)
    client.ping()
    assert client.get_version() == mlflow.__version__
    for inputs in (["?", "!"], np.array(["?", "!"]), pd.DataFrame({"query": ["?", "!"]})):
        assert client.invoke(inputs)["predictions"] == ["4", "4"]


@pytest.mark.nightly
def test_ctrl_c_ends_it_without_a_traceback(root: Path) -> None:
    with started(root) as server:
        server.process.send_signal(signal.SIGINT)
        _, err = server.process.communicate(timeout=60)
        assert (server.process.returncode, err) == (130, "interrupted: the server has stopped\n")
        with sockets.listen(server.port):
            pass


def test_what_cannot_be_served_is_one_line(root: Path, refused: Refused) -> None:
    port = f"--port={sockets.find_free_port(5301)}"
    for flags, message in (
        ([port, "--model=none"], "model 'none': not registered; there is tiny"),
        ([port, "--model=tiny", "--stage=Staging"], "model 'tiny': no version in stage Staging; there is version 1"),
        ([port], "model: nothing was given; it is name in the registry, such as seq2seq-text-to-text"),
        (["--model=tiny", "--port=80"], "port: got '80'; allowed is greater than or equal to 1024"),
        (["--model=tiny", "--port=65536"], "port: got '65536'; allowed is less than or equal to 65535"),
    ):
        assert refused(["serve", *flags, f"--store={root}"]).startswith(f"error: {message}")


def test_a_held_port_is_refused_before_anything_is_looked_at_and_is_free_again_afterwards(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = sockets.find_free_port(5501)
    with sockets.listen(port) as listening:
        line = refused(["serve", "--model=tiny", "--store=/nowhere", f"--port={port}"])
        assert line.startswith(f"error: port: got {port}, which ")
        assert sockets.find_free_port(int(line.rpartition("=")[2])) > port
        assert listening.getsockname() == ("127.0.0.1", port)
        assert listening.proto == socket.IPPROTO_TCP  # by which asyncio knows to send answers at once
        own = f"{psutil.Process().name()} (process {os.getpid()})"
        for holder in (own, "another user's program"):
            with pytest.raises(UserError, match=rf"^port: got {port}, which {re.escape(holder)} uses; stop it, or"):
                sockets.listen(port).__enter__()
            monkeypatch.setattr(psutil, "net_connections", lambda _: [])  # as where it cannot be seen
        assert sockets.find_free_port(port) > port
    with sockets.listen(port):
        pass
