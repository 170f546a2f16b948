"""What may be sent to a served model: all forms of MLflow's protocol, and one line for whatever else is sent."""

import json
import re
import warnings
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from library.framework.serving.app import RequestSchema, create_app
from tests.http_client import JSON, App, post, request

PARAMS = {"seed": 0, "way": "best", "size": 1.0, "exact": False, "sizes": [1]}
TEXTS = RequestSchema('{"inputs": ["1+1"]}', kind="texts")
BYTES = RequestSchema(params=PARAMS, dtype=np.dtype("uint8"), shape=(-1, 2))
FLOATS = RequestSchema(dtype=np.dtype("float32"), shape=(-1, 2))
IMAGES = RequestSchema(dtype=np.dtype("uint8"), shape=(-1, 1, 2))
ANY = RequestSchema()


@pytest.mark.parametrize(
    ("schema", "request_", "message"),
    [
        (TEXTS, {"inputs": "1+1"}, 'inputs: got "1+1"; allowed is a list of texts, as in {"inputs": ["1+1"]}'),
        (TEXTS, {"inputs": ["1+1", 2]}, "inputs: got 2; allowed is a list of texts"),
        (TEXTS, {"inputs": []}, "inputs: got []; allowed is a list of texts"),
        (TEXTS, [1], "body: got [1]; allowed is an object"),
        (TEXTS, {"inputs": ["?"], "params": {"seed": 1}}, 'params: got "seed"; this model takes none'),
        (TEXTS, {}, "body: got an object with []; allowed is an object with exactly one of inputs, instances, dat"),
        (TEXTS, {"inputs": ["1"], "instances": ["1"]}, 'body: got an object with ["inputs", "instances"]; allowed'),
        (TEXTS, {"dataframe_split": {"data": [["1", "2"]]}}, 'dataframe_split: got ["1", "2"]; allowed is a list of'),
        (TEXTS, {"dataframe_split": {"columns": ["a"]}}, "dataframe_split: Invalid input. Dataframe split format must"),
        (TEXTS, {"dataframe_records": [{"a": None}]}, "dataframe_records: got null; allowed is a list of texts"),
        (TEXTS, {"inputs": ["1+1"], "parms": {}}, 'body: got an object with ["inputs", "parms"]; allowed'),
        (TEXTS, {"inputs": ["x" * 100, 2 * ["x" * 100]]}, f'inputs: got ["{"x" * 58}...; allowed'),
        (BYTES, {"inputs": [[1, 2, 3]]}, "inputs: got int64 [1, 3]; allowed is uint8 [n, 2]"),
        (BYTES, {"inputs": [[0.5, 0.5]]}, "inputs: got float64 [1, 2]; allowed is uint8 [n, 2]"),
        (BYTES, {"inputs": [[0, 256]]}, "inputs: got 0 to 256; allowed is 0 to 255"),
        (BYTES, {"inputs": [[1, 2], [3]]}, "inputs: got lists of different lengths; allowed is uint8 [n, 2]"),
        (BYTES, {"inputs": [[True, 1]]}, "inputs: got [[true, 1]]; allowed is uint8 [n, 2]"),
        (BYTES, {"inputs": [[2**70, -1]]}, f"inputs: got -1 to {2**70}; allowed is 0 to 255"),
        (BYTES, {"dataframe_split": {"data": [[1], [2]]}}, "dataframe_split: got int64 [2, 1]; allowed"),
        (FLOATS, {"inputs": [[1, 1e39]]}, "inputs: got 1 to 1e+39; allowed is -3.4028234663852886e+38 to"),
        (FLOATS, {"inputs": [[1, None]]}, "inputs: got [[1, null]]; allowed is float32 [n, 2]"),
        (FLOATS, {"inputs": [["1", "2"]]}, "inputs: got str [1, 2]; allowed is float32 [n, 2]"),
        (FLOATS, {"dataframe_records": [{"a": 1, "b": 2}, {"a": 3}]}, "dataframe_records: got nan to nan; allowed is"),
        (BYTES, {"inputs": None}, "inputs: got null; allowed is uint8 [n, 2]"),
        (BYTES, {"inputs": [[1, 2]], "params": 3}, "params: got 3; allowed is an object of seed [0], way [best]"),
        (BYTES, {"inputs": [[1, 2]], "params": {"sed": 3}}, 'params: got "sed"; allowed is an object of seed [0]'),
        (BYTES, {"inputs": [[1, 2]], "params": {"seed": True}}, "seed: got true; allowed is an integer"),
        (BYTES, {"inputs": [[1, 2]], "params": {"seed": 2**63}}, f"seed: got {2**63}; allowed is an integer of 64 "),
        (BYTES, {"inputs": [[1, 2]], "params": {"way": 1}}, "way: got 1; allowed is a text"),
        (BYTES, {"inputs": [[1, 2]], "params": {"size": 10**400}}, "size: got 1000"),
        (BYTES, {"inputs": [[1, 2]], "params": {"exact": 1}}, "exact: got 1; allowed is true or false"),
        (ANY, {"inputs": [[1], [1, 2]]}, "inputs: got lists of different lengths; allowed is an array"),
        (ANY, {"inputs": ["x" * 100_000, *1000 * [""]]}, "inputs: got texts of 100,100,000 characters, all padded; a"),
    ],
)
def test_a_wrong_request_raises_one_line(schema: RequestSchema, request_: Any, message: str) -> None:
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}.*$"):
        schema.parse(JSON, json.dumps(request_).encode())


@pytest.mark.parametrize(
    ("schema", "request_", "inputs"),
    [
        (TEXTS, {"inputs": ["1+1"]}, ["1+1"]),
        (TEXTS, {"instances": ["1+1"], "params": {}}, ["1+1"]),
        (TEXTS, {"dataframe_split": {"index": [0, 1], "columns": [0], "data": [["1"], ["2"]]}}, ["1", "2"]),
        (TEXTS, {"dataframe_records": [{"a": "1"}, {"a": "2"}]}, ["1", "2"]),
        (BYTES, {"inputs": [[0, 255]], "params": {"seed": 1, "way": "x", "size": 2, "exact": True}}, [[0, 255]]),
        (BYTES, {"inputs": [[0, 255]], "params": None}, [[0, 255]]),
        (FLOATS, {"instances": [[1, 0.5]]}, [[1.0, 0.5]]),
        (FLOATS, {"dataframe_split": {"data": [[1, 0.5]]}}, [[1.0, 0.5]]),
        (FLOATS, {"dataframe_records": [{"a": 1, "b": 2}, {"b": 4, "a": 3}]}, [[1.0, 2.0], [3.0, 4.0]]),
        (FLOATS, {"dataframe_split": {"data": [[[1, 2]], [[3, 4]]]}}, [[1.0, 2.0], [3.0, 4.0]]),
        (IMAGES, {"dataframe_split": {"data": [[[[1, 2]]], [[[3, 4]]]]}}, [[[1, 2]], [[3, 4]]]),
        (ANY, {"inputs": [[[[1]]]]}, [[[[1]]]]),
        (ANY, {"dataframe_split": {"data": [[1, 2]]}}, [[1, 2]]),
    ],
)
def test_a_request_becomes_what_the_model_takes(schema: RequestSchema, request_: Any, inputs: list[Any]) -> None:
    for start in (b"", b"\xef\xbb\xbf"):  # a byte order mark, which some editors write
        parsed, params = schema.parse('application/json; charset="UTF-8"', start + json.dumps(request_).encode())
        assert params == request_.get("params")
        assert isinstance(parsed, list) == (schema is TEXTS)
        assert np.asarray(parsed).dtype == (schema.dtype or np.asarray(inputs).dtype)
        assert np.asarray(parsed).tolist() == inputs


def test_other_bodies_and_charsets_are_refused() -> None:
    nested, surrogate, wide = b"[" * 100_000, b'["\xed\xa0\x80"]', "[]".encode("utf-16")
    for body in (b"", b"\xff", nested, b"45+23", b"NaN", surrogate, b"1" * 5000, wide):
        with pytest.raises(ValueError, match=r"^body: got .*, which is not JSON"):
            TEXTS.parse(JSON, body)
    for kind in ("application/json; charset=latin-1", "application/json; version=1", "text/csv", "text/plain", ""):
        with pytest.raises(ValueError, match=r"^content type: got .*; allowed is application/json"):
            TEXTS.parse(kind, b'{"inputs": ["1+1"]}')


ECHO = """
import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

class Echo(PythonModel):
    def predict(self, context, model_input: {hint}, params=None):
        if len(model_input) > 1000:
            raise KeyError("too many")
        return model_input

set_model(Echo())
"""


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, App]:
    """Services of models that answer with their inputs: texts, bytes, any arrays, named columns, integers."""
    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature

    examples = {
        "texts": (["1+1"], None),
        "bytes": (np.zeros((1, 2), np.uint8), PARAMS),
        "any": (None, PARAMS),
        "columns": (pd.DataFrame({"a": [0.5], "b": [2.0]}), None),
        "integers": ([1], None),
    }
    hints = {"texts": "list[str]", "integers": "list[int]"}
    made: dict[str, App] = {}
    for name, (example, params) in examples.items():
        folder = tmp_path_factory.mktemp(name)
        (folder / "echo.py").write_text(ECHO.format(hint=hints.get(name, "np.ndarray")))
        with warnings.catch_warnings(action="ignore"):  # of pandas: MLflow compares names of columns in an old way
            mlflow.pyfunc.save_model(
                folder / "model",
                python_model=folder / "echo.py",
                signature=None if name in hints else infer_signature(example, np.zeros(1), params),
                input_example=[1] if example is None else example,
                pip_requirements=[],
            )
        model = mlflow.pyfunc.load_model(str(folder / "model"))
        made[name] = create_app(model, folder / "model" / "serving_input_example.json")
    return made


@pytest.mark.parametrize(
    ("name", "body", "predictions"),
    [
        ("texts", {"dataframe_records": [{"a": "é"}]}, '["\\u00e9"]'),
        ("bytes", {"instances": [[1, 2]], "params": {"sizes": [2]}}, "[[1, 2]]"),
        ("any", {"inputs": [0.1, 1]}, "[0.1, 1.0]"),
        ("columns", {"dataframe_split": {"columns": ["b", "a"], "data": [[2, 1]]}}, '[{"a": 1.0, "b": 2.0}]'),
        ("columns", {"inputs": {"a": [0.5], "b": [2]}}, '[{"a": 0.5, "b": 2.0}]'),
        ("integers", {"inputs": [1, 2]}, "[1, 2]"),
    ],
)
def test_answers_are_those_of_mlflows_server(apps: dict[str, App], name: str, body: Any, predictions: str) -> None:
    import mlflow

    answer = request(apps[name], "POST", "/invocations", json.dumps(body).encode())
    assert answer == (200, f'{{"predictions": {predictions}}}'.encode())
    assert request(apps[name], "GET", "/ping") == request(apps[name], "GET", "/health") == (200, b"\n")
    assert request(apps[name], "GET", "/version") == (200, mlflow.__version__.encode())
    assert request(apps[name], "GET", "/invocations")[0] == 405
    assert request(apps[name], "POST", "/nothing")[0] == 404


def test_a_model_that_fails_or_takes_too_long_is_not_a_wrong_request(
    apps: dict[str, App], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = {"error_code": "INTERNAL_ERROR", "message": "the model failed: KeyError: 'too many'"}
    assert post(apps["texts"], {"inputs": 1001 * ["?"]}) == (500, answer)
    assert "Traceback" in capsys.readouterr().err  # on the server's terminal
    monkeypatch.setenv("MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT", "0")
    (tmp_path / "example.json").write_text("{}")
    model: Any = SimpleNamespace(metadata=SimpleNamespace(signature=None))
    status, answer = post(create_app(model, tmp_path / "example.json"), {"inputs": [1]})
    assert (status, answer["message"]) == (504, "the model took more than 0 s; send fewer inputs")


FORMS = ["inputs", "instances", "dataframe_split", "dataframe_records"]
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.integers(2**62, 2**80) | st.floats() | st.text() | st.just(10**400)
)
NAMES = st.sampled_from(["a", "b", "columns", "data", "index", *PARAMS]) | st.text()
VALUES = st.recursive(SCALARS, lambda some: st.lists(some, max_size=4) | st.dictionaries(NAMES, some, max_size=4))
ROWS = st.lists(st.lists(SCALARS, min_size=1, max_size=2), max_size=3)
FRAMES = st.fixed_dictionaries({"data": ROWS}, optional={"columns": st.lists(NAMES, max_size=2), "index": VALUES})
INPUTS = (
    VALUES | ROWS | FRAMES | st.lists(st.text()) | st.lists(st.dictionaries(NAMES, SCALARS, max_size=2), max_size=3)
)
PARAMS_GIVEN = VALUES | st.dictionaries(NAMES, VALUES, max_size=2)
OBJECTS = st.builds(
    lambda form, inputs, others: json.dumps({form: inputs, **others}).encode(),
    st.sampled_from(FORMS), INPUTS, st.just({}) | st.dictionaries(st.sampled_from([*FORMS, "params"]), PARAMS_GIVEN),
)  # fmt: skip
DAMAGED = st.builds(lambda body, at, new: body[:at] + new + body[at + 1 :], OBJECTS, st.integers(0, 60), st.binary())


@pytest.mark.parametrize("name", ["texts", "bytes", "any", "columns", "integers"])
@given(body=OBJECTS | DAMAGED | VALUES.map(lambda value: json.dumps(value).encode()) | st.binary())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_body_is_more_than_a_wrong_request(apps: dict[str, App], name: str, body: bytes) -> None:
    status, answer = post(apps[name], body)
    assert status in (200, 400)
    if status == 200:
        assert set(answer) == {"predictions"}
    else:
        assert set(answer) == {"error_code", "message"}
        assert len(answer["message"].splitlines()) == 1


@pytest.mark.parametrize("depth", [33, 65, 199, 990, 10_000])
def test_deep_nesting_is_a_wrong_request(apps: dict[str, App], depth: int) -> None:
    nested = b"[" * depth + b"1" + b"]" * depth
    for name, form in product(("texts", "bytes", "columns", "integers"), FORMS):
        assert post(apps[name], b'{"%s": %s}' % (form.encode(), nested))[0] == 400
    assert post(apps["bytes"], b'{"inputs": [[1, 2]], "params": {"sizes": %s}}' % nested)[0] == 400
