"""A web server on this machine, from which raw images are downloaded."""

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest


class Server(http.server.BaseHTTPRequestHandler):
    """Serves `files` by path, or only their first `sent` bytes, and lists the requests.

    Attributes:
        address: of the server, without a path.
    """

    address: str
    files: dict[str, bytes]
    requests: list[str]
    sent: int | None = None

    def do_GET(self) -> None:
        self.requests.append(self.path)
        if self.path not in self.files:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.files[self.path])))
        self.end_headers()
        self.wfile.write(self.files[self.path][: self.sent])

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[type[Server]]:
    handler = type("Own", (Server,), {"files": {}, "requests": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        handler.address = f"http://127.0.0.1:{serving.server_address[1]}"
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield handler
        serving.shutdown()
        thread.join()
