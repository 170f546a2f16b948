"""Who is told of a study's end, what of, and that nothing there harms the study."""

import json
import shlex
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import mlflow
import pytest

from library.framework.errors import UserError
from library.framework.options import StudyOptions
from library.framework.tuning.notify import notify
from library.framework.tuning.search import Search
from library.framework.tuning.study import tune
from tests import tiny

NewSearch = Callable[..., Search]


def writing_to(file: Path) -> str:
    """A command that writes its input to a file."""
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())"
    return shlex.join([sys.executable, "-c", code, str(file)])


@pytest.fixture
def posted() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a server, and the bodies that it got."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204 if self.path == "/hook-secret" else 500)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", bodies
        server.shutdown()


@pytest.mark.slow
def test_a_finished_study_is_told_with_its_winner_and_the_address_is_not_recorded(
    new_search: NewSearch, posted: tuple[str, list[bytes]]
) -> None:
    address, bodies = posted
    tuned = tune(new_search(trials=2, notify=f"{address}/hook-secret"))
    [message] = map(json.loads, bodies)
    best = tuned.best
    assert message.pop("text").startswith(f"study tiny: best trial {best.number}: val/loss ")
    assert message.pop("findings") == []
    assert message == {
        "study": "tiny", "experiment": "tiny", "status": "finished", "trial": best.number,
        "values": {"val/loss": best.value}, "params": best.params, "run": tuned.outcome.run,
        "model": "tiny", "version": "1", "stage": "Production",
    }  # fmt: skip
    recorded = [run.data.tags for run in mlflow.search_runs(experiment_names=["tiny"], output_format="list")]
    system = tuned.study._storage.get_study_system_attrs(tuned.study._study_id)
    assert "hook-secret" not in f"{recorded} {system} {tuned.study.user_attrs}"


@pytest.mark.slow
def test_a_study_that_fails_is_told_too(new_search: NewSearch, tmp_path: Path) -> None:
    experiment, file = tiny.Tiny(fails="raise"), tmp_path / "told.json"
    with pytest.raises(UserError, match="no trial was completed"):
        tune(new_search(experiment=experiment, trials=1, notify=writing_to(file)))
    message = json.loads(file.read_text())
    assert message["status"] == "failed"
    assert "no trial was completed; the last reason: RuntimeError: told to fail" in message["text"]


@pytest.mark.parametrize(("path", "said"), [("/hook-secret", ""), ("/other-secret", "HTTPError: HTTP Error 500")])
def test_an_address_gets_json_and_what_fails_is_said_without_the_address(
    posted: tuple[str, list[bytes]], capsys: pytest.CaptureFixture[str], path: str, said: str
) -> None:
    address, bodies = posted
    notify(address + path, {"study": "a"})
    expected = f"notify: {said}: Internal Server Error; the study stands\n" if said else ""
    assert (bodies, capsys.readouterr().out) == ([b'{"study": "a"}'], expected)


def test_a_command_that_fails_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    notify(shlex.join([sys.executable, "-c", "raise SystemExit(3)"]), {})
    assert capsys.readouterr().out == "notify: the command ended with 3; the study stands\n"


@pytest.mark.parametrize("target", ["no-such-program --now", "'", "ftp://host/x", " "])
def test_what_cannot_be_told_is_refused_before_anything_begins(target: str) -> None:
    with pytest.raises(UserError, match=r"notify: got .*; allowed is a command on PATH, or an http\(s\):// address"):
        StudyOptions(notify=target)
