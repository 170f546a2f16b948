"""HTTP services of models, and requests to them in this process without a network; starlette's client needs httpx."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

JSON = "application/json"
App = Callable[[Any, Any, Any], Coroutine[Any, Any, None]]


def request(app: App, method: str, path: str, body: bytes = b"", content_type: str = JSON) -> tuple[int, bytes]:
    """The status and the body of the response."""
    received: list[dict[str, Any]] = [{"type": "http.request", "body": body}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return received.pop() if received else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(b"content-type", content_type.encode())] if content_type else []
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


def post(app: App, body: Any, content_type: str = JSON) -> tuple[int, Any]:
    """The status and the answer to a request to /invocations: bytes, or what becomes JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body, default=np.ndarray.tolist).encode()
    status, answer = request(app, "POST", "/invocations", raw, content_type)
    return status, json.loads(answer)


class Served(NamedTuple):
    """A loaded model and its HTTP service."""

    model: Any
    app: App

    @classmethod
    def production(cls, name: str) -> "Served":
        """Of the version in Production of a registered model, in the store that is open."""
        import mlflow

        from library.framework.serving import app

        folder = Path(mlflow.artifacts.download_artifacts(f"models:/{name}/Production"))
        model = mlflow.pyfunc.load_model(f"models:/{name}/Production")
        return cls(model, app.create_app(model, folder / app.EXAMPLE))
