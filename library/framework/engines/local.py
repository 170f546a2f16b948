"""Workers as processes of this machine, which divide its cores; they die with the process that started them."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from ..environment import available_cores
from ..interrupts import INTERRUPTS
from .base import Engine, Exit, Work, empty_row


class LocalEngine(Engine):
    """Spawned processes; the rows of their progress are in shared memory."""

    def __init__(self, workers: int, num_objectives: int) -> None:
        self.num_threads = max(1, available_cores() // workers)
        self._num_objectives = num_objectives
        self._context: Any = multiprocessing.get_context("spawn")
        self._workers: dict[str, tuple[BaseProcess, Any, Connection]] = {}

    @property
    def workers(self) -> Collection[str]:
        return self._workers

    @property
    def rows(self) -> Mapping[str, Any]:
        return {name: row for name, (_, row, _) in self._workers.items()}

    def start(self, name: str, work: Work) -> None:
        # Without a lock, which a worker that is killed would keep.
        row = self._context.RawArray("d", empty_row(self._num_objectives))
        receiver, sender = self._context.Pipe(duplex=False)
        worker = self._context.Process(target=_run, args=(work, row, sender), daemon=True)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)  # until the worker ignores them, seconds later
        try:
            worker.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        sender.close()
        self._workers[name] = worker, row, receiver

    def wait(self) -> Mapping[str, Exit]:
        multiprocessing.connection.wait([worker.sentinel for worker, *_ in self._workers.values()], timeout=0.5)
        ended = [name for name, (worker, *_) in self._workers.items() if not worker.is_alive()]
        return {name: _exit(*self._workers.pop(name)[::2]) for name in ended}

    def kill(self) -> None:
        for worker, *_ in self._workers.values():
            worker.kill()
            worker.join()
        self._workers.clear()


def _exit(worker: BaseProcess, receiver: Connection) -> Exit:
    code, message = worker.exitcode or 0, ""
    with receiver, suppress(EOFError):  # of a worker that died
        message = receiver.recv()
    return Exit(code, f"its process died with exit code {code}", message)


def _run(work: Work, row: Any, sender: Connection) -> None:
    """A worker process."""
    for interrupt in INTERRUPTS:  # these reach all processes at once; the driver ends its workers
        signal.signal(interrupt, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    code, message = work(row)
    sender.send(message)
    sys.exit(code)


def _die_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)
