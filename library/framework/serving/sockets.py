"""The port of a server, reserved first of all: one in use is reported before tensorflow and mlflow are imported."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from ..environment import option
from ..errors import UserError

HOST = "127.0.0.1"
"""No other machine can connect, as there is no authentication."""
MAX_PORT = 65535


@contextmanager
def listen(port: int) -> Iterator[socket.socket]:
    """A socket on which clients wait until a server accepts them; UserError names who uses it, and the next."""
    listening = _bind(port)
    if listening is None:
        next_port = find_free_port(port + 1)
        raise UserError(f"port: got {port}, which {_user_of(port)} uses; stop it, or give {option(port=next_port)}")
    with listening:
        yield listening


def answer(app: Any, listening: socket.socket, **settings: Any) -> None:
    """Answers with an application until SIGINT or SIGTERM; clients that hang up or send no HTTP are no tracebacks.

    Args:
        app: speaks ASGI.
        listening: the socket.
        settings: of `uvicorn.Config`.
    """
    import h11  # late, as uvicorn and starlette take longer than the checks before them
    import uvicorn
    from starlette.requests import ClientDisconnect

    def is_of_server(record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], h11.LocalProtocolError | ClientDisconnect))

    config = uvicorn.Config(app, **{"log_level": "warning", "lifespan": "off", **settings})
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).addFilter(is_of_server)
    uvicorn.Server(config).run(sockets=[listening])


def find_free_port(first: int = 5001) -> int:
    """The lowest free port from `first` on, or else any free one; another process may take it at any moment."""
    for port in (*range(first, MAX_PORT + 1), 0):
        listening = _bind(port)
        if listening is not None:
            with listening:
                return int(listening.getsockname()[1])
    raise UserError("port: all of this machine are in use; stop a program that listens on one")


def _user_of(port: int) -> str:
    """The program that listens on a port, with its number."""
    try:
        for one in psutil.net_connections("tcp"):
            if one.laddr.port == port and one.status == psutil.CONN_LISTEN and one.pid:
                return f"{psutil.Process(one.pid).name()} (process {one.pid})"
    except psutil.Error:  # it has ended, or this system tells of connections to its administrator alone
        pass
    return "another user's program"


def _bind(port: int) -> socket.socket | None:
    """A listening socket; None if the port is in use."""
    # With the protocol by name: otherwise asyncio leaves Nagle's algorithm on, and each answer waits for 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # else a closed port stays taken for a minute
        listening.bind((HOST, port))
        listening.listen(128)
    except OSError:
        listening.close()
        return None
    return listening
