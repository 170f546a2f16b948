"""The program: which commands it finds, how it ends, and that neither help nor a refusal waits for tensorflow."""

import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import experiments
from library.framework.cli.commands import COMMANDS
from library.framework.cli.main import main
from library.framework.cli.parser import Command
from library.framework.environment import PROGRAM
from library.framework.serving.sockets import find_free_port

ROOT = Path(__file__).parents[3]
HEAVY = {"tensorflow", "keras", "mlflow", "optuna", "matplotlib", "sklearn", "scipy", "pandas"}
SERVE = f"serve --model=tiny --port={find_free_port(5701)}"  # one that no test beside this one uses
REFUSED = [
    ("tune seq2seq --help", 0, "--train-fraction"),
    ("compare products --help", 0, "--seeds"),
    ("serve --help", 0, "--port"),
    ("tune seq2seq --units=0", 2, "error: units: got '0'"),
    ("tune seq2seq --nope=1", 2, "error: unknown option '--nope'; python -m experiments tune seq2seq --help lists all"),
    ("train seq2seq --batch=1", 2, "error: unknown option '--batch'; did you mean --batch-size?"),
    ("train nope", 2, "error: unknown experiment 'nope'"),
    ("predict seq2seq --query=100+1", 2, "error: query: got '100+1'"),
    ("predict seq2seq --query=1+1", 2, "error: store mlruns: there is none"),
    ("generate --model=cats-vae --n=0", 2, "error: n: got '0'"),
    *((line, 2, "error: store mlruns: there is none") for line in ("models", "repeat --run=1", SERVE)),
]
SCRIPT = """
import sys, time
sys.stderr = sys.stdout
from library.framework.cli.main import main
for line in sys.argv[1:]:
    try:
        status = main(line.split(), "python -m experiments")
    except SystemExit as end:
        status = end.code
    print("=", status, time.process_time(), flush=True)
print(*{name.partition(".")[0] for name in sys.modules})
"""
CONSOLE = "from library.framework.cli.main import console; console()"
HELLO = """
from library import Field
from library.framework.cli.parser import Command
class Hello(Command):
    "Greets."
    name: str = Field("world", min_length=2, description="who is greeted")
    def __call__(self) -> int:
        print("hello", self.name)
        return 3
COMMANDS = {"hello": Hello}
"""
INTERRUPTED = [
    ("train vae", "its run is recorded as killed"),
    ("tune vae", "the same command resumes it"),
    ("compare products", "the same command resumes it"),
    ("predict vae --query=a.png", "nothing was answered"),
    ("repeat --run=1", "its run is recorded as killed"),
    ("serve --model=tiny", "the server has stopped"),
    ("report", "nothing was written"),
    ("cats --cats=photos", "the same command resumes it"),
    ("generate --model=cats-vae", "nothing was drawn"),
]


def python(code: str, *arguments: str, library: Path = ROOT, **settings: Any) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != PROGRAM}
    command, env = [sys.executable, "-c", code, *arguments], {**inherited, "PYTHONPATH": str(library)}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, **settings)


def test_help_and_refusals_import_nothing_heavy_and_come_at_once() -> None:
    lines, statuses, shown = zip(*REFUSED, strict=True)
    *printed, imported = re.split(r"^= (\d+) (\S+)\n", python(SCRIPT, *lines).stdout, flags=re.MULTILINE)
    texts, ends, seconds = printed[::3], printed[1::3], [0, *map(float, printed[2::3])]
    assert [int(end) for end in ends] == list(statuses)
    assert [part for part, text in zip(shown, texts, strict=True) if part not in text] == []
    assert max(after - before for before, after in itertools.pairwise(seconds)) < 1  # of the processor, for each
    assert HEAVY.isdisjoint(imported.split())
    assert "pydantic" in imported.split()


def test_the_console_script_works_on_the_experiments_of_its_folder(tmp_path: Path) -> None:
    def console(*arguments: str) -> tuple[int, str]:
        done = python(CONSOLE, *arguments, library=tmp_path / "installed", cwd=tmp_path)
        return done.returncode, done.stdout + done.stderr

    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "library").symlink_to(ROOT / "library")
    nothing = "allowed are none, as there is no experiments/ with files in this folder"
    assert console("train", "vae") == (2, f"error: unknown experiment 'vae'; {nothing}\n")
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "__init__.py").write_text(HELLO)
    (tmp_path / "experiments" / "iris_flowers.py").touch()
    assert console("hello", "--NAME=you") == (3, "hello you\n")
    status, shown = console("--help")
    assert status == 0
    assert shown.startswith("usage: cats-and-sums COMMAND [NAME]")
    assert re.search(r"^  hello +Greets.$", shown, re.MULTILINE)
    assert "experiments: iris-flowers\n" in shown
    status, shown = console("hello", "--name=")
    assert (status, shown) == (2, "error: name: got ''; allowed is text of at least 2 characters\n")


def test_output_that_nobody_reads_any_more_is_no_error(store_path: Path) -> None:
    command = [sys.executable, "-m", "experiments", "runs", f"--store={store_path}", "--json=1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.close()
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (128 + signal.SIGPIPE, b"")


@pytest.mark.parametrize(("line", "what"), INTERRUPTED)
def test_an_interrupted_command_says_in_one_line_what_becomes_of_its_work(
    line: str, what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    command = {**COMMANDS, **experiments.COMMANDS}[line.split()[0]]
    monkeypatch.setattr(command, "__call__", interrupt)
    assert main(line.split(), "make") == 130
    monkeypatch.setattr("library.framework.cli.main.find_commands", interrupt)
    assert main(line.split(), "make") == 130
    assert capsys.readouterr() == ("", f"interrupted: {what}\ninterrupted: nothing was done yet\n")


def test_an_interrupt_that_native_code_turned_into_an_error_is_an_interrupt(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Import(Command):
        def __call__(self) -> None:
            try:
                raise SystemError("returned a result with an exception set") from KeyboardInterrupt()
            except SystemError:
                raise TypeError("no data set") from None

    class Bug(Command):
        def __call__(self) -> None:
            raise TypeError("a bug")

    assert main(["import"], "make", {"import": Import}) == 130
    assert capsys.readouterr().err == f"interrupted: {Import.on_interrupt}\n"
    with pytest.raises(TypeError, match="a bug"):
        main(["bug"], "make", {"bug": Bug})


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_interrupt_of_which_native_code_left_no_trace_is_one_too(sent: signal.Signals, status: int) -> None:
    class Import(Command):
        def __call__(self) -> None:
            with suppress(KeyboardInterrupt, SystemExit):
                signal.raise_signal(sent)
            raise ValueError("too many calls")

    class Bug(Command):
        def __call__(self) -> None:
            raise ValueError("a bug")

    try:
        assert main(["import"], "make", {"import": Import}) == status
    except SystemExit as end:
        assert end.code == status
    with pytest.raises(ValueError, match="a bug"):  # of another command, to which no signal came
        main(["bug"], "make", {"bug": Bug})


def test_a_terminated_command_ends_like_an_interrupted_one() -> None:
    class Wait(Command):
        def __call__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit, match=r"^143$"):
        main(["wait"], "make", {"wait": Wait})
    assert signal.getsignal(signal.SIGTERM) is handler


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_is_not_lost_in_a_callback_of_garbage_collection(
    sent: signal.Signals, status: int, twice: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Timer(threading.Timer):
        def start(self) -> None:
            signal.raise_signal(sent)  # another, while the first is being sent again
            super().start()

    if twice:
        monkeypatch.setattr("library.framework.interrupts.threading.Timer", Timer)

    class Wait(Command):
        def __call__(self) -> None:
            weakrefs.append(weakref.ref(collected := set[int](), lambda _: signal.raise_signal(sent)))
            del collected
            threading.Event().wait(60)

    weakrefs: list[object] = []
    try:
        assert main(["wait"], "make", {"wait": Wait}) == status
    except SystemExit as end:
        assert end.code == status
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("program", "hints"),
    [
        ("make", ["OUT=answer.png", "STORE=folder", "SEEDS=how many"]),
        ("cats-and-sums", ["--out=answer.png", "--store=folder", "--seeds=how many"]),
    ],
)
def test_hints_are_written_as_the_program_takes_them(
    program: str, hints: list[str], refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROGRAM, program)
    lines = ["generate --model=cats-vae", "models", "compare products --seed=3"]
    assert [hint for hint, line in zip(hints, lines, strict=True) if hint not in refused(*line.split())] == []
