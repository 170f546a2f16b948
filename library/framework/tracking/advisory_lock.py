"""Locks that PostgreSQL holds for a connection: they are released when their process, machine or network dies."""

import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import psycopg2
from filelock import Timeout

SETTLING_SECONDS = 5
"""After the server's start only those who held a lock before may have it: they take it back within this time."""
CHECK_SECONDS = 30
"""How often the owner of locks asks whether its connection still works, besides seeing at once that it was closed."""
POLL_SECONDS = (0.01, 0.2)
"""How often a lock that another holds is tried: at first, and at last."""
KEY = "hashtextextended(coalesce(current_schema(), '') || ' ' || %s, 0)"
TRY = f"SELECT CASE WHEN now() - pg_postmaster_start_time() > %s * interval '1 s' THEN pg_try_advisory_lock({KEY}) END"
UNLOCK = f"SELECT pg_advisory_unlock({KEY})"


class Session:
    """The one connection in which a process holds all its locks (PostgreSQL 18, 9.28.10: advisory lock functions).

    When the server restarts, the locks are taken back. Both sides notice within a minute that the network was cut.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        """Not connected yet; `connect` makes a connection of psycopg2, and waits for a server that restarts."""
        self._connect = connect
        self._connection: Any = None
        self._held: dict[str, AdvisoryLock] = {}
        self._mutex = threading.RLock()

    def take(self, lock: "AdvisoryLock") -> bool | None:
        """Whether a lock is held from now on; None while the server settles."""
        with self._mutex:
            if lock.name in self._held:  # PostgreSQL would give it to a session twice
                return False
            taken = self._ask(TRY, SETTLING_SECONDS, lock.name)
            if taken:
                self._held[lock.name] = lock
            return taken

    def give_back(self, lock: "AdvisoryLock") -> None:
        """Releases a lock that this session holds, or has lost."""
        with self._mutex:
            del self._held[lock.name]
            try:
                self._answer(UNLOCK, lock.name)
            except psycopg2.Error:  # the server releases it with the connection
                self._connection.close()

    def _ask(self, query: str, *values: object) -> bool | None:
        """The answer to a query, asked again where a restart broke it off."""
        if self._connection is None or self._connection.closed:
            self._reconnect()
        try:
            return self._answer(query, *values)
        except psycopg2.OperationalError:
            self._connection.close()
        self._reconnect()
        return self._answer(query, *values)

    def _answer(self, query: str, *values: object) -> bool | None:
        with self._connection.cursor() as cursor:
            cursor.execute(query, values)
            answer: bool | None = cursor.fetchone()[0]
            return answer

    def _reconnect(self) -> None:
        """Connects, and takes back what was held, at once; another process may have it by then."""
        is_first = self._connection is None
        self._connection = self._connect()
        self._connection.autocommit = True
        for lock in self._held.values():
            lock.is_lost = not self._answer(TRY, -1, lock.name)
        if is_first:
            threading.Thread(target=self._keep, daemon=True).start()

    def _keep(self) -> None:
        """Takes the locks back as soon as the connection breaks."""
        checked = time.monotonic()
        while True:
            time.sleep(0.5)
            with self._mutex, suppress(psycopg2.Error, OSError, ValueError):
                is_closed = self._connection.closed or select.select([self._connection], [], [], 0)[0]  # sent unasked
                if is_closed or time.monotonic() > checked + CHECK_SECONDS:
                    checked = time.monotonic()
                    self._ask("SELECT true")


class AdvisoryLock:
    """A lock of a name in the schema of a session, which one process holds at a time, and in it one owner."""

    def __init__(self, session: Session, name: str) -> None:
        """The lock of a name, not held yet."""
        self._session, self.name = session, name
        self._is_held = self.is_lost = False

    def acquire(self, timeout: float = -1) -> Self:
        """Waits so many seconds for the lock, without end if negative; Timeout if another holds it."""
        deadline, (pause, longest) = time.monotonic() + timeout, POLL_SECONDS
        while not (taken := self._session.take(self)):
            if taken is False and timeout >= 0 and time.monotonic() >= deadline:
                raise Timeout(self.name)
            time.sleep(pause)
            pause = min(1.5 * pause, longest)
        self._is_held, self.is_lost = True, False
        return self

    def release(self) -> None:
        """Gives the lock back; does nothing where it is not held."""
        if self._is_held:
            self._is_held = False
            self._session.give_back(self)

    def remove(self) -> None:
        """Does nothing: the server keeps nothing of a lock that nobody holds."""

    def __enter__(self) -> Self:
        return self if self._is_held else self.acquire()

    def __exit__(self, kind: object, error: object, traceback: object, /) -> None:
        self.release()
