"""Workers as processes of this machine, which divide its cores; they die with the process that started them."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Collection, Mapping
from multiprocessing.process import BaseProcess
from typing import Any

from ...environment import available_cores
from .base import Engine, Exit, Work, empty_row

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


class LocalEngine(Engine):
    """Spawned processes; the rows of their progress are in shared memory."""

    def __init__(self, workers: int, num_objectives: int) -> None:
        self.num_threads = max(1, available_cores() // workers)
        self._num_objectives = num_objectives
        self._context: Any = multiprocessing.get_context("spawn")
        self._workers: dict[str, tuple[BaseProcess, Any]] = {}

    @property
    def workers(self) -> Collection[str]:
        return self._workers

    @property
    def rows(self) -> Mapping[str, Any]:
        return {name: row for name, (_, row) in self._workers.items()}

    def start(self, name: str, work: Work) -> None:
        # Without a lock, which a worker that is killed would keep.
        row = self._context.RawArray("d", empty_row(self._num_objectives))
        worker = self._context.Process(target=_run, args=(work, row), daemon=True)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)  # until the worker ignores them, seconds later
        try:
            worker.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._workers[name] = worker, row

    def wait(self) -> Mapping[str, Exit]:
        multiprocessing.connection.wait([worker.sentinel for worker, _ in self._workers.values()], timeout=0.5)
        ended = {name: worker for name, (worker, _) in self._workers.items() if not worker.is_alive()}
        for name in ended:
            del self._workers[name]
        codes = {name: worker.exitcode or 0 for name, worker in ended.items()}
        return {name: Exit(code, f"its process died with exit code {code}") for name, code in codes.items()}

    def kill(self) -> None:
        for worker, _ in self._workers.values():
            worker.kill()
            worker.join()
        self._workers.clear()


def _run(work: Work, row: Any) -> None:
    """A worker process."""
    for interrupt in INTERRUPTS:  # these reach all processes at once; the driver ends its workers
        signal.signal(interrupt, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    sys.exit(work(row)[0])


def _die_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)
