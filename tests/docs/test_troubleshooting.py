"""The page of errors: each command on it prints just what the page says, in an empty folder."""

import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest

from library.framework.cli.main import main

PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
SAID = re.findall(r"```console\n\$ (.*)\n(error: .*)\n```", PAGE)


def arguments(command: str) -> list[str]:
    """What make passes on: `make train-vae A=1` is `train vae --A=1`, and `make predict` is of seq2seq."""
    _, target, *variables = shlex.split(command)
    target = {"predict": "predict-seq2seq"}.get(target, target)
    return [*target.split("-", 1), *(f"--{variable}" for variable in variables)]


def test_the_page_shows_commands() -> None:
    assert len(SAID) == PAGE.count("```console") >= 10


@pytest.mark.parametrize(("command", "message"), SAID)
def test_a_command_says_what_the_page_says(
    command: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in ("readme.txt", "list.doc"):
        (tmp_path / "photos" / name).touch()
    written = cv2.putText(np.full((200, 800, 3), 230, np.uint8), "2345679", (30, 150), 0, 4, (90, 40, 30), 8)
    cv2.imwrite("photo.jpg", written)
    assert main(arguments(command), "make") == 2
    assert capsys.readouterr().err == f"{message}\n"
