"""The program's commands in processes that can be killed, forked from one that has imported Keras once.

So a command takes a second or two, of which imports would be ten.
"""

import multiprocessing
import os
import signal
from collections.abc import Sequence
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.forkserver import _forkserver
from pathlib import Path

import psutil
from pydantic import Field

import experiments
from library.framework.cli.commands import COMMANDS
from library.framework.cli.main import main
from library.framework.cli.parser import Command
from library.framework.options import StudyOptions
from tests import tiny


class TrainTiny(Command):
    """Trains the tiny experiment."""

    seed: int = Field(0, description="of the training")

    def __call__(self) -> None:
        with self.open_store() as store:
            print("run", tiny.Tiny(epochs=4, seed=self.seed).train(store).run)


class TuneTiny(Command):
    """Tunes the tiny experiment."""

    name: str = Field("tiny", description="of the study")
    trials: int = Field(3, description="of the study")
    workers: int = Field(1, description="of the study")

    def __call__(self) -> None:
        from library.framework.tuning.search import Search
        from library.framework.tuning.study import tune

        options = StudyOptions(trials=self.trials, workers=self.workers, study=self.name)
        with self.open_store() as store:
            tune(Search(tiny.Tiny(epochs=4), tiny.space, ("epochs",), options, store))


ALL = {**COMMANDS, **experiments.COMMANDS, "train-tiny": TrainTiny, "tune-tiny": TuneTiny}

IMPORTED_LATE = (
    "tests.faults.programs", "library.framework.tuning.study", "library.framework.tuning.workers", "matplotlib.pyplot",
    "pandas", "scipy.stats", "mlflow.pyfunc", "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
)  # fmt: skip
"""What commands import when they need it."""


def processes(*preload: str) -> ForkServerContext:
    """Processes that are forked from one which has imported these modules."""
    os.environ["TINY_DIES_IN"] = "0"  # in no epoch; but checkpoints are written after each
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*preload, *IMPORTED_LATE])
    return context


class Program:
    """A command of the program in a process of its own, and what it prints."""

    def __init__(self, context: ForkServerContext, log: Path, *arguments: str) -> None:
        self.log = log
        log.write_text("")
        _forkserver.ensure_running()
        started = (arguments, log, _forkserver._forkserver_address)
        self.process: ForkServerProcess = context.Process(target=_run, args=started)
        self.process.start()

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that the command has started."""
        siblings = psutil.Process(_forkserver._forkserver_pid).children()
        return [one for one in siblings if one.pid != self.process.pid]

    def join(self, seconds: float | None = None) -> int | None:
        """Waits for its end and that of its workers; returns its exit status, None where it has not ended."""
        self.process.join(seconds)
        if self.process.exitcode is not None:
            psutil.wait_procs(self.workers, timeout=60)
        return self.process.exitcode

    @property
    def printed(self) -> str:
        """All that it printed, errors too; from a traceback on, if there is one."""
        printed = self.log.read_text(errors="replace")
        return printed[max(0, printed.find("Traceback")) :]


def _run(arguments: Sequence[str], log: Path, server: str) -> int:
    # Its workers are forked from the same process: it would start another one, and import all again.
    _forkserver._forkserver_address, _forkserver.ensure_running = server, lambda: None
    context = multiprocessing.get_context("forkserver")
    multiprocessing.get_context = lambda *_: context  # type: ignore[assignment]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    raise SystemExit(main(arguments, "make", ALL))
