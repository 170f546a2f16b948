"""The pages of MLflow and of optuna-dashboard on a store, served by one process that ends at once."""

import gc
import logging
import os
import socket
import warnings
from pathlib import Path

from ..errors import UserError
from ..tracking.store import Store
from . import sockets

RUNS = "#/experiments?workflowType=machine_learning"
"""The part of MLflow's pages that has runs and registered models; the other is about language models."""
FIRST_VISIT = """<script>
  const settings = {workflowType_v1: '"machine_learning"', "assistant.fab.autoOpenedOnFirstLoad_v1": "true"}
  for (const key in settings) localStorage[`mlflow.${key}`] ??= settings[key]
  if (!location.hash) location.hash = "/experiments"
</script>"""
"""Begins MLflow's page: a new visitor sees experiments, and neither language models nor an assistant about them."""


def serve_mlflow(store: Store, listening: socket.socket) -> None:
    """Prints the address of MLflow's pages and serves them until SIGINT or SIGTERM, unless a server does already.

    Raises:
        KeyboardInterrupt: after SIGINT, once all requests are answered. SIGTERM goes on to its handler likewise.
    """
    from mlflow.server import constants

    if store.pages:
        print(f"Runs and models (Model training) are on {store.pages}/{RUNS}")
        return
    os.environ |= {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # eleven processes for evaluations of language models
        constants.BACKEND_STORE_URI_ENV_VAR: store.tracking_uri,
        constants.REGISTRY_STORE_URI_ENV_VAR: store.tracking_uri,
        constants.ARTIFACT_ROOT_ENV_VAR: store.artifacts_uri,
        constants.ARTIFACTS_DESTINATION_ENV_VAR: store.artifacts_uri,
        constants.SERVE_ARTIFACTS_ENV_VAR: "true",
    }
    with warnings.catch_warnings(action="ignore"):  # of Starlette, that MLflow uses what it deprecates
        from mlflow.server import app as pages
        from mlflow.server.fastapi_app import app

    index = Path(str(pages.static_folder), "index.html").read_text(encoding="utf-8")
    pages.view_functions["serve"] = lambda: index.replace("<head>", f"<head>{FIRST_VISIT}", 1)
    print(f"Runs and models (Model training) are on {_address(listening)}{RUNS} until Ctrl-C", flush=True)
    gc.freeze()  # else the process's end searches all that was imported for cycles: a second
    sockets.answer(app, listening)


def serve_dashboard(store: Store, listening: socket.socket) -> None:
    """Prints the address of the pages of the store's studies and serves them until SIGINT or SIGTERM.

    Raises:
        UserError: optuna-dashboard is not installed.
        KeyboardInterrupt: after SIGINT.
    """
    try:
        from optuna_dashboard import wsgi
    except ImportError:
        raise UserError("optuna-dashboard is not installed; pip install optuna-dashboard") from None
    from werkzeug.serving import make_server  # with MLflow

    from ..tuning.search import storage_of

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module=r"optuna\.")  # such as of few trials, whose importances a page shows
    host, port = listening.getsockname()
    server = make_server(host, port, wsgi(storage_of(store)), threaded=True, fd=listening.fileno())
    print(f"Studies are on {_address(listening)} until Ctrl-C", flush=True)
    server.serve_forever()
    raise KeyboardInterrupt  # which the server takes as its end


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()
    return f"http://{host}:{port}/"
