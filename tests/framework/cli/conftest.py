"""Command lines run in an empty folder, so that one that is wrongly accepted cannot reach a real store."""

from collections.abc import Callable
from pathlib import Path

import pytest

from library.framework.cli.main import main


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command line that is to be refused, and returns the one line that it prints."""

    def run(*arguments: str) -> str:
        assert main(arguments, "python -m experiments") == 2
        out, err = capsys.readouterr()
        assert (out, len(err.splitlines()), err[-1]) == ("", 1, "\n")
        return err.removeprefix("error: ")

    return run
