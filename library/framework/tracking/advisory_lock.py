"""Locks that PostgreSQL holds for a connection: they are released when their process, machine or network dies."""

import math
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import psycopg2
from filelock import Timeout
from psycopg2.errors import LockNotAvailable

SETTLING_SECONDS = 5
"""After the server's start only those who held a lock before may have it: they take it back within this time."""
CHECK_SECONDS = 30
"""How often the owner of a lock asks whether its connection still works, besides seeing at once that it was closed."""
KEY = "hashtextextended(current_schema() || ' ' || %s, 0)"
UPTIME = "SELECT extract(epoch FROM now() - pg_postmaster_start_time())"


class AdvisoryLock:
    """A lock of a name in the schema of a connection (PostgreSQL 18, 9.28.10: advisory lock functions).

    Each held lock has a connection of its own, as two of one session would not exclude each other. When the server
    restarts, the owner takes its lock back. TCP's keepalive tells both sides of a network that was cut, in a minute.
    """

    def __init__(self, connect: Callable[[], Any], name: str) -> None:
        """The lock of a name, not held yet; `connect` makes a connection of psycopg2."""
        self._connect, self._name = connect, name
        self._connection: Any = None
        self._stop = threading.Event()
        self._keeper: threading.Thread | None = None
        self.is_lost = False

    def acquire(self, timeout: float = -1) -> Self:
        """Waits so many seconds for the lock, without end if negative; Timeout if another process holds it."""
        connection = self._open()
        try:
            time.sleep(max(0.0, SETTLING_SECONDS - float(_ask(connection, UPTIME))))
            if not self._lock(connection, timeout):
                raise Timeout(self._name)
        except BaseException:
            connection.close()
            raise
        self._connection, self.is_lost = connection, False
        self._stop.clear()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()
        return self

    def release(self) -> None:
        """Gives the lock back; does nothing where it is not held."""
        if self._keeper is not None:
            self._stop.set()
            self._keeper.join()
            self._keeper = None
            self._connection.close()

    def remove(self) -> None:
        """Does nothing: the server keeps nothing of a lock that nobody holds."""

    def __enter__(self) -> Self:
        return self if self._keeper is not None else self.acquire()

    def __exit__(self, kind: object, error: object, traceback: object, /) -> None:
        self.release()

    def _open(self) -> Any:
        connection = self._connect()
        connection.autocommit = True
        return connection

    def _lock(self, connection: Any, timeout: float) -> bool:
        if timeout == 0:
            return bool(_ask(connection, f"SELECT pg_try_advisory_lock({KEY})", self._name))
        with connection.cursor() as cursor, suppress(LockNotAvailable):
            cursor.execute("SET lock_timeout = %s", [max(0, math.ceil(timeout * 1000))])
            cursor.execute(f"SELECT pg_advisory_lock({KEY})", [self._name])
            return True
        return False

    def _keep(self) -> None:
        """Takes the lock back when its connection broke; another process may have it by then."""
        checked = time.monotonic()
        while not self._stop.wait(0.5):
            try:
                is_closed = bool(select.select([self._connection], [], [], 0)[0])  # nothing else is sent unasked
                if is_closed or time.monotonic() > checked + CHECK_SECONDS:
                    _ask(self._connection, "SELECT 1")
                    checked = time.monotonic()
            except (psycopg2.Error, OSError, ValueError):
                with suppress(psycopg2.Error):
                    self._connection.close()
                    self._connection = self._open()
                    self.is_lost = not self._lock(self._connection, timeout=0)
                    if self.is_lost:
                        return


def _ask(connection: Any, query: str, *values: object) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchone()[0]
