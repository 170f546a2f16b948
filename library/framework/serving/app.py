"""The HTTP service of one version of a registered model: MLflow's scoring protocol, so that MLflow's clients work.

It is our own because MLflow's server rounds 0.5 to a byte, ignores unknown params and fills its errors with the input.
"""

import asyncio
import json
import shlex
import socket
import sys
import traceback
from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import mlflow
import numpy as np
import pandas as pd
from fastapi import FastAPI, Request, Response
from mlflow.entities.model_registry import ModelVersion
from mlflow.environment_variables import MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.pyfunc import PyFuncModel, scoring_server
from mlflow.types import DataType, Schema, TensorSpec
from mlflow.utils.proto_json_utils import NumpyEncoder
from pydantic_core import from_json

from .. import discovery
from ..environment import one_line
from ..errors import UserError
from ..registry.artifacts import folder_of
from ..tracking.queries import read_run
from . import sockets

JSON, PATH, EXAMPLE = "application/json", "/invocations", "serving_input_example.json"  # all three are MLflow's
FORMS = ("inputs", "instances", "dataframe_split", "dataframe_records")
MAX_INLINE = 200  # characters of an example request that is quoted; a longer one is sent from its file
MAX_SHOWN = 60  # characters of a wrong value that an error repeats
MAX_CHARACTERS = 2**24  # of an array of texts, in which numpy makes all as long as the longest
PARAM_TYPES = {bool: "true or false", int: "an integer", float: "a number", str: "a text"}
ARRAY_TYPES = {int: "int64", float: "float64", bool: "bool", str: "str"}
ACCEPTED_KINDS = {"u": "iu", "i": "iu", "f": "iuf"}  # of numbers, for an array of a kind; otherwise the same kind only


def num_threads(version: ModelVersion) -> int | None:
    """The threads that the version's experiment computes with; all (None) if its run was deleted."""
    try:
        run = read_run(str(version.run_id))
        return discovery.find(run.experiment).from_params(run.params).num_threads
    except (UserError, MlflowException):
        return None


def serve(model: PyFuncModel, version: ModelVersion, listening: socket.socket) -> None:
    """Prints version, stage, address and an example command, then answers on a socket until SIGINT or SIGTERM.

    Once all requests are answered, SIGINT raises KeyboardInterrupt, and SIGTERM goes on to its handler.
    """
    example = folder_of(version) / EXAMPLE
    app = create_app(model, example)
    model.predict(model.input_example)  # compiles the network, so that the first request need not wait
    host, port = listening.getsockname()
    address = f"http://{host}:{port}"
    print(f"{version.name} version {version.version}, {version.current_stage}, answers on {address} until Ctrl-C:")
    print(curl(address, example), flush=True)
    sockets.answer(app, listening)


def curl(address: str, example: Path) -> str:
    """The command that sends the example request to a served model."""
    request = _compact(example)
    data = request if len(request) <= MAX_INLINE else f"@{example}"
    return f"curl {address}{PATH} -H 'Content-Type: {JSON}' -d {shlex.quote(data)}"


def create_app(model: PyFuncModel, example: Path) -> FastAPI:
    """The service of a model: wrong requests are answered with 400 and one line, failures of the model with 500.

    Args:
        model: predicts, in a thread beside the one that serves.
        example: a file with an example request, which errors quote if it is short.
    """
    schema = RequestSchema.from_metadata(model.metadata, example)
    timeout = MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT.get()  # type: ignore[no-untyped-call]
    app = FastAPI(openapi_url=None)

    @app.get("/ping")
    @app.get("/health")
    async def ping() -> Response:
        return Response("\n", media_type=JSON)

    @app.get("/version")
    async def version() -> Response:
        return Response(mlflow.__version__, media_type=JSON)

    @app.post(PATH)
    async def invocations(request: Request) -> Response:
        content_type, body = request.headers.get("content-type", ""), await request.body()
        try:
            return await asyncio.wait_for(asyncio.to_thread(_respond, model, schema, content_type, body), timeout)
        except TimeoutError:
            return _error(504, "DEADLINE_EXCEEDED", f"the model took more than {timeout} s; send fewer inputs")

    return app


def _respond(model: PyFuncModel, schema: "RequestSchema", content_type: str, body: bytes) -> Response:
    try:
        try:
            inputs, params = schema.parse(content_type, body)
            predictions = model.predict(inputs, params=params)
        except (ValueError, MlflowException) as error:
            return _error(400, "INVALID_PARAMETER_VALUE", str(error))
        if isinstance(predictions, pd.Series | pd.DataFrame):
            predictions = pd.DataFrame(predictions).to_dict(orient="records")
        return Response(json.dumps({"predictions": predictions}, cls=NumpyEncoder), media_type=JSON)
    except Exception as error:
        traceback.print_exc()  # on the server's terminal; the caller gets one line
        return _error(500, "INTERNAL_ERROR", f"the model failed: {one_line(error)}")


def _error(status: int, code: str, message: str) -> Response:
    """The message on one line, without its middle if it repeats a long input."""
    line = " ".join(message.split())
    short = line if len(line) <= 2 * MAX_INLINE else f"{line[:MAX_INLINE]} ... {line[-MAX_INLINE:]}"
    return Response(json.dumps({"error_code": code, "message": short}), status, media_type=JSON)


@dataclass(frozen=True)
class RequestSchema:
    """What a model takes, and so what a request may contain.

    Attributes:
        example: a short request as JSON, which errors quote; may be empty.
        params: the default of each param by its name.
        kind: of the inputs: a list of `texts`, an `array`, or any `other` data, which MLflow parses and checks.
        dtype: of an array; None for any.
        shape: of an array with a dtype; -1 for any size.
        columns: MLflow's schema of other data, if they are named columns or arrays.
    """

    example: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    kind: Literal["texts", "array", "other"] = "array"
    dtype: np.dtype[Any] | None = None
    shape: tuple[int, ...] = ()
    columns: Schema | None = None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What the signature of a model in a folder says, without loading the model."""
        return cls.from_metadata(Model.load(str(folder)), folder / EXAMPLE)

    @classmethod
    def from_metadata(cls, metadata: Model, example: Path) -> Self:
        """What a model's signature says; without one, inputs are an array of any type and shape."""
        request, signature = _compact(example), metadata.signature
        columns, params = (signature.inputs, signature.params) if signature else (None, None)
        known = (request if len(request) <= MAX_INLINE else "", {one.name: one.default for one in params or ()})
        if columns is None:
            return cls(*known)
        if columns.has_input_names():
            return cls(*known, "other", columns=columns)
        [only] = columns.inputs
        if isinstance(only, TensorSpec):
            return cls(*known, "array", only.type, tuple(only.shape))
        return cls(*known, "texts" if only.type == DataType.string else "other")

    def parse(self, content_type: str, body: bytes) -> tuple[Any, dict[str, Any] | None]:
        """The inputs of a request, as the model takes them, and its params if any; ValueError says what is wrong."""
        media_type, *options = content_type.lower().replace(" ", "").replace('"', "").split(";")
        if media_type != JSON or set(options) - {"charset=utf-8"}:
            got = repr(content_type) if content_type else "none"
            raise ValueError(f"content type: got {got}; allowed is {JSON}, as by curl -H 'Content-Type: {JSON}'")
        as_in = f", as in {self.example}" if self.example else ""
        try:
            request = from_json(body.removeprefix(BOM_UTF8), allow_inf_nan=False)
        except ValueError as error:
            got = _abbreviated(body.decode(errors="replace"))
            raise ValueError(f"body: got {got}, which is not JSON ({error}); allowed is JSON{as_in}") from None
        fields = request if isinstance(request, dict) else {}
        forms = [name for name in FORMS if name in fields]
        if len(forms) != 1 or fields.keys() - {*forms, "params"}:
            got = f"an object with {_abbreviated(list(fields))}" if isinstance(request, dict) else _abbreviated(request)
            allowed = f"an object with exactly one of {', '.join(FORMS)}, and optionally params"
            raise ValueError(f"body: got {got}; allowed is {allowed}{as_in}")
        return self._parse_inputs(forms[0], fields[forms[0]], as_in), self._parse_params(fields.get("params"))

    def _parse_params(self, params: Any) -> dict[str, Any] | None:
        listed = ", ".join(f"{name} [{default}]" for name, default in self.params.items())
        allowed = f"allowed is an object of {listed}" if listed else "this model takes none"
        if not isinstance(params, dict | None):
            raise ValueError(f"params: got {_abbreviated(params)}; {allowed}")
        for name, value in (params or {}).items():
            if name not in self.params:
                raise ValueError(f"params: got {_abbreviated(name)}; {allowed}")
            kind = type(self.params[name])  # a list or an object is left to MLflow
            if kind in PARAM_TYPES and type(value) is not kind and (kind, type(value)) != (float, int):
                raise ValueError(f"{name}: got {_abbreviated(value)}; allowed is {PARAM_TYPES[kind]}")
            largest = 2**63 - 1 if kind is int else sys.float_info.max
            if kind in (int, float) and abs(value) > largest:
                raise ValueError(f"{name}: got {_abbreviated(value)}; allowed is {PARAM_TYPES[kind]} of 64 bits")
        return params

    def _parse_inputs(self, form: str, value: Any, as_in: str) -> Any:
        is_frame = form.startswith("dataframe")
        if self.kind == "other":
            return _parse_by_mlflow(form, value, self.columns) if is_frame or self.columns else value
        if is_frame:
            rows = _parse_by_mlflow(form, value).to_numpy(dtype=object).tolist()
            is_matrix = self.kind == "array" and len(self.shape) in (0, 2)
            is_column = all(len(row) == 1 and (isinstance(row[0], list) or not is_matrix) for row in rows)
            value = [row[0] for row in rows] if is_column else rows
        if self.kind == "array":
            return self._parse_array(form, value)
        wrong = [one for one in value if not isinstance(one, str)] if isinstance(value, list) else [value]
        if wrong or not value:
            got = _abbreviated(wrong[0] if wrong else value)
            raise ValueError(f"{form}: got {got}; allowed is a list of texts{as_in}")
        return value

    def _parse_array(self, form: str, value: Any) -> np.ndarray:
        """An array of the model's shape and dtype."""
        values = np.array(value, dtype=object)
        shape, types = values.shape, set(map(type, values.ravel())) or {float}  # `flat` ends at 32 dimensions
        [kind, *others] = {float} if types == {int, float} else types
        given = None if others else ARRAY_TYPES.get(kind)
        dtype = self.dtype or np.dtype(given)
        is_kind = given and np.dtype(given).kind in ACCEPTED_KINDS.get(dtype.kind, dtype.kind)
        fits = len(shape) == len(self.shape) and all(n in (-1, m) for n, m in zip(self.shape, shape, strict=True))
        if not is_kind or (self.dtype and not fits):
            sizes = ", ".join("n" if size < 0 else str(size) for size in self.shape)
            got = f"{given} {list(shape)}" if given and shape else _abbreviated(value)
            got = "lists of different lengths" if list in types else got
            raise ValueError(f"{form}: got {got}; allowed is {f'{dtype} [{sizes}]' if self.dtype else 'an array'}")
        padded = values.size * max(map(len, values.ravel())) if dtype.kind == "U" else 0
        if padded > MAX_CHARACTERS:
            raise ValueError(f"{form}: got texts of {padded:,} characters, all padded; allowed is {MAX_CHARACTERS:,}")
        return _convert(form, values, dtype)


def _convert(form: str, values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """An array of JSON's values as one of a dtype; ValueError if some are out of its range."""
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            array = values.astype(dtype)
            if dtype.kind != "f" or np.isfinite(array).all():
                return array
        except OverflowError:
            pass
        limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
        raise ValueError(f"{form}: got {values.min()} to {values.max()}; allowed is {limits.min} to {limits.max}")


def _parse_by_mlflow(form: str, value: Any, columns: Schema | None = None) -> Any:
    """What MLflow's own server makes of the inputs, such as a data frame."""
    try:
        return scoring_server.infer_and_parse_data({form: value}, columns)  # type: ignore[arg-type]
    except Exception as error:  # of MLflow, pandas or numpy: whatever its type, it is about the values
        raise ValueError(f"{form}: {error}") from error


def _compact(example: Path) -> str:
    """The example request on one line."""
    return json.dumps(json.loads(example.read_text(encoding="utf-8")))


def _abbreviated(value: Any) -> str:
    """The beginning of a value as JSON."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
