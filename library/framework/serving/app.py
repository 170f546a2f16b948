"""MLflow's scoring server for one version of a registered model, in this process, until it is stopped."""

import json
import shlex
import socket
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import mlflow
import uvicorn
from fastapi import FastAPI, Request, Response
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PyFuncModel, scoring_server
from mlflow.types import DataType, TensorSpec

from .. import discovery
from ..environment import one_line
from ..errors import UserError
from .requests import Contract

PATH = "/invocations"
EXAMPLE = "serving_input_example.json"
"""MLflow's name of the file in which a model keeps a request to it."""
LONGEST = 200
"""Characters of a request that is typed; a longer one is sent from its file."""


def cores(version: ModelVersion) -> int | None:
    """As many as its experiment computes on; all (None) where there is no telling, as its run was deleted."""
    try:
        run = mlflow.get_run(str(version.run_id))
        experiment = discovery.find(mlflow.get_experiment(run.info.experiment_id).name)
        return experiment.cores(experiment.recorded(run.data.params))
    except (UserError, MlflowException):
        return None


def serve(model: PyFuncModel, version: ModelVersion, listening: socket.socket) -> None:
    """Answers on a socket, and says so, until SIGINT or SIGTERM, which it passes on when the last answer is given.

    Args:
        model: loaded, and checked by whoever did.
        version: which version of which model that is.
        listening: bound to an address of this machine.
    """
    example = _example(version)
    app = application(model, example)
    model.predict(model.input_example)  # which compiles, so that nobody who asks waits for that
    host, port = listening.getsockname()
    address = f"http://{host}:{port}"
    print(f"{version.name} version {version.version}, {version.current_stage}, answers on {address} until Ctrl-C:")
    print(curl(address, example), flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off")).run(sockets=[listening])


def application(model: PyFuncModel, example: Path) -> FastAPI:
    """MLflow's server for a model, by which a request that is wrong is answered with 400 and one line.

    Args:
        model: that answers.
        example: a file with a request to it.
    """
    contract = _contract(model, example)
    app: FastAPI = scoring_server.init(cast(PyFuncModel, _Asked(model)))

    @app.middleware("http")
    async def check(request: Request, pass_on: Callable[[Request], Awaitable[Response]]) -> Response:
        if request.url.path == PATH and request.method == "POST":
            try:
                contract.check(request.headers.get("content-type", ""), await request.body())
            except ValueError as error:
                refusal = _Failure(str(error), INVALID_PARAMETER_VALUE)
                return Response(refusal.serialize_as_json(), 400, media_type="application/json")
        return await pass_on(request)

    return app


def curl(address: str, example: Path) -> str:
    """The command that asks a served model what its example asks."""
    request = _request(example)
    data = request if len(request) <= LONGEST else f"@{example}"
    return f"curl {address}{PATH} -H 'Content-Type: application/json' -d {shlex.quote(data)}"


class _Asked:
    """A model as MLflow's server asks it: what it cannot take is the caller's to mend, all else ours."""

    def __init__(self, model: PyFuncModel) -> None:
        self._model = model
        self.metadata = model.metadata

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        try:
            return self._model.predict(data, params=params)
        except (ValueError, MlflowException) as error:
            raise _Failure(_shortened(str(error)), INVALID_PARAMETER_VALUE) from error
        except Exception as error:
            traceback.print_exc()  # on the terminal of the server; no business of the caller
            raise _Failure(f"the model failed: {one_line(error)}", INTERNAL_ERROR) from error


class _Failure(MlflowException):
    """One line; MLflow's server would put all that was asked before it."""

    def __init__(self, line: str, code: int) -> None:
        super().__init__(line, error_code=code)
        self._line = line

    def serialize_as_json(self) -> str:
        return json.dumps({"error_code": self.error_code, "message": self._line})


def _shortened(text: str) -> str:
    """One line, without the middle where what was given, and is repeated in it, is long."""
    line = " ".join(text.split())
    return line if len(line) <= 2 * LONGEST else f"{line[:LONGEST]} ... {line[-LONGEST:]}"


def _example(version: ModelVersion) -> Path:
    """The file with a request that the model's folder has."""
    return Path(mlflow.artifacts.download_artifacts(f"models:/{version.name}/{version.version}")) / EXAMPLE


def _request(example: Path) -> str:
    """What is in that file, on one line."""
    return json.dumps(json.loads(example.read_text(encoding="utf-8")))


def _contract(model: PyFuncModel, example: Path) -> Contract:
    """What a model's signature says of inputs and params; of a model that takes any input, that it says nothing."""
    request, signature = _request(example), model.metadata.signature
    inputs = signature.inputs.inputs if signature and signature.inputs else []
    array = next((one for one in inputs if isinstance(one, TensorSpec)), None)
    return Contract(
        example=request if len(request) <= LONGEST else "",
        params={param.name: param.default for param in signature.params} if signature and signature.params else {},
        texts=[one.type for one in inputs] == [DataType.string],
        type=array.type if array else None,
        shape=tuple(array.shape) if array else (),
    )
