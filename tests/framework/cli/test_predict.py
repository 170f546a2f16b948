"""Several queries at once: read from a file, refused by line, answered in order by one call of the model."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from library import PredictRequest
from library.framework.cli.main import main
from library.framework.registry import artifacts, stages
from library.framework.tracking.store import Store
from tests.tiny import Tiny
from tests.versions import register


class Doubled(Tiny):
    """Takes a number and answers with its double."""

    name = "tiny"

    def parse_query(self, query: str, out: str = "", seed: int = 0) -> PredictRequest:
        """An array of one number."""
        return PredictRequest(np.array([float(query)]), lambda outputs: f"{query} {outputs[0]:g}", {"seed": seed})


class Doubling:
    """In place of a loaded model; keeps what it is called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[float], dict[str, int]]] = []

    def predict(self, inputs: np.ndarray, params: dict[str, int]) -> np.ndarray:
        """Doubles."""
        self.calls.append((inputs.tolist(), params))
        return 2 * inputs


@pytest.fixture
def ask(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, Doubling]]:
    """Runs `predict` with options; returns its status and the model."""
    monkeypatch.setattr("library.framework.cli.predict.find", lambda _: Doubled)

    def run(*options: str) -> tuple[int, Doubling]:
        model = Doubling()
        monkeypatch.setattr(artifacts, "load_version", lambda _: model)
        return main(["predict", "tiny", *options, f"--store={store.root}"], "make"), model

    stages.promote_if_better("tiny", register(store, tmp_path, "01"))
    return run


def test_several_queries_are_answered_in_order_by_one_call(
    ask: Callable[..., tuple[int, Doubling]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("queries.txt").write_bytes(b"\xef\xbb\xbf3\r\n 1\n2")
    status, model = ask("--QUERIES=queries.txt", "--seed=7")
    assert (status, model.calls) == (0, [([3, 1, 2], {"seed": 7})])
    assert capsys.readouterr().out == "3 6\n 1 2\n2 4\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("4\n5\n"))
    assert ask("--queries=-")[0] == 0
    assert ask("--query=6", "--version=1")[0] == 0
    assert capsys.readouterr().out == "4 8\n5 10\n6 12\n"


def test_a_wrong_line_is_named_by_its_number_before_a_model_is_loaded(
    ask: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("queries.txt").write_text("1\nx\n")
    Path("none.txt").touch()
    told = ["line 2 of queries.txt: could not convert", "queries: 'none.txt' is empty; allowed is a text file, one qu"]
    for name, line in zip(("queries.txt", "none.txt"), told, strict=True):
        status, model = ask(f"--queries={name}")
        assert (status, model.calls) == (2, [])
        assert capsys.readouterr().err.startswith(f"error: {line}")


def test_answers_are_json_for_scripts_and_paths_may_begin_at_home(
    ask: Callable[..., tuple[int, Doubling]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(Path.cwd()))
    Path("queries.txt").write_text("3\n1\n")
    ask("--queries=~/queries.txt", "--json=1")
    made = {"model": "tiny", "version": 1}
    expected = [{**made, "query": "3", "answer": "3 6"}, {**made, "query": "1", "answer": "1 2"}]
    assert json.loads(capsys.readouterr().out) == expected
