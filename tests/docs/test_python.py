"""The package as a stranger gets it: built, installed where this repository is not, and used as the docs say."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import textwrap
import urllib.request
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from library.framework.serving.sockets import find_free_port
from tests.programs import environment

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
ADD = (ROOT / "docs" / "add-an-experiment.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"`((?:experiments|search_spaces)/\w+\.py)`:\n\n```python\n(.*?)```", ADD, re.DOTALL))
[SCRIPT] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
OUTSIDE = environment("PYTHONPATH", "CATS_AND_SUMS_PROGRAM")
"""The environment without what leads to this repository or names make."""


def run(folder: Path, *words: str | Path) -> str:
    return subprocess.run(words, cwd=folder, env=OUTSIDE, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "source").mkdir()
    run(ROOT, "cp", "-r", "library", "pyproject.toml", "README.md", "LICENSE", folder / "source")
    run(folder, *PIP, "wheel", "--no-build-isolation", "--no-deps", "--no-index", "./source")
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def program(wheel: Path) -> Path:
    """The console script of the wheel, in an environment of its own with the packages of this one."""
    folder = wheel.parent / "venv"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    site = run(folder, python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(site, "packages.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    run(folder, *PIP, f"--python={python}", "install", "--no-deps", "--no-index", wheel)
    return folder / "bin" / "cats-and-sums"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the two files of the one page and the script of the other."""
    folder = tmp_path_factory.mktemp("project")
    for name, text in {**FILES, "script.py": SCRIPT}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_the_wheel_holds_the_library_its_program_and_nothing_else(wheel: Path) -> None:
    files = {path for path in (ROOT / "library").rglob("*") if path.suffix in {".py", ".j2", ".css", ".npz"}}
    with ZipFile(wheel) as archive:
        of_the_package = {name for name in archive.namelist() if ".dist-info/" in name}
        assert set(archive.namelist()) - of_the_package == {path.relative_to(ROOT).as_posix() for path in files}
        [scripts] = (archive.read(name).decode() for name in of_the_package if name.endswith("entry_points.txt"))
    assert scripts == "[console_scripts]\ncats-and-sums = library.framework.cli.main:console\n"


@pytest.mark.nightly
def test_the_script_trains_tunes_compares_and_loads(program: Path, project: Path) -> None:
    lines = run(project, program.with_name("python"), "script.py").splitlines()
    assert re.match(r"0\.\d+ Production the first version: there was no champion to beat", lines[0])
    assert re.search(r"\{'units': \d+, 'learning_rate': [\d.]+\} 2", "\n".join(lines))
    assert "| units | accuracy | low | high | seeds | parameters | seconds |" in lines
    assert re.fullmatch(r"\['\d'(, '\d'){4}\]", lines[-1])


@pytest.mark.nightly
def test_the_program_trains_predicts_serves_and_names_itself(program: Path, project: Path) -> None:
    trained = run(project, program, "train", "digits", "--epochs=1", "--store=other")
    assert "digits version 1, Production" in trained
    [query] = re.findall(r"  cats-and-sums predict digits '--query=(.*?)' --store=\S+\n", trained)
    label = run(project, program, "predict", "digits", f"--query={query}", "--store=other").strip()
    assert label in set("0123456789")

    port = find_free_port(5701)
    command = [program, "serve", "--model=digits", "--store=other", f"--port={port}"]
    with subprocess.Popen(command, cwd=project, env=OUTSIDE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("digits version 1, Production, answers on ")
        body = json.dumps({"instances": [json.loads(query)]}).encode()
        address, kind = f"http://127.0.0.1:{port}/invocations", {"Content-Type": "application/json"}
        answer = urllib.request.urlopen(urllib.request.Request(address, body, kind))
        assert json.load(answer) == {"predictions": [label]}
        process.terminate()

    call = [program, "predict", "digits", f"--query={query}", "--store=none"]
    failed = subprocess.run(call, cwd=project, env=OUTSIDE, capture_output=True, text=True, check=False)
    assert failed.returncode == 2
    assert failed.stderr == "error: store none: there is none; train or tune first, or give --store=folder\n"


@pytest.mark.nightly
def test_the_same_lines_run_in_a_notebook(wheel: Path, project: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    imports, body = SCRIPT.split('if __name__ == "__main__":\n')
    cells = [imports, *textwrap.dedent(body).replace('"mlruns"', '"notebook"').split("\n\n")]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(project)}})
    client.execute(env={**os.environ, "PYTHONPATH": str(wheel.parent / "source")})
    [shown] = [output for output in notebook.cells[-1].outputs if output.output_type == "stream"]
    assert re.fullmatch(r"\['\d'(, '\d'){4}\]\n", shown.text)
