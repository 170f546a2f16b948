"""Registered models as their users see them: loaded by their stage, served, and given valid and invalid inputs."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModelContext

from experiments.glyph_reader import GlyphReader
from tests.http_client import Served, post

READER, TEXT, READS, DRAWS = "glyph-reader", "seq2seq-text-to-text", "seq2seq-image-to-text", "seq2seq-text-to-image"
QUERIES = ["45+23", " 7-88", "1 + 1"]
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 5, 28, 28), dtype=np.uint8)
INPUTS: dict[str, Any] = {READER: IMAGES[0], TEXT: QUERIES, READS: IMAGES, DRAWS: QUERIES}
NO_QUERY = "query: got 'x'; allowed are two numbers of 0 to 99 with + or - between, as in '45+23'"


@pytest.fixture(scope="module")
def models(served_sums: dict[str, Served]) -> dict[str, Any]:
    """The loaded models by name."""
    return {name: served.model for name, served in served_sums.items()}


@pytest.fixture
def served(served_sums: dict[str, Served]) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Posts to a model by its name."""
    return lambda name, **body: post(served_sums[name].app, body)


def own(model: Any, asked: Any) -> Any:
    """The answer of a model's own file, without what MLflow checks before."""
    return model.unwrap_python_model().predict(None, asked, None)


@pytest.mark.parametrize(("name", "characters"), [(READER, 1), (TEXT, 3), (READS, 3)])
def test_texts_are_answered_one_for_each_input(models: dict[str, Any], name: str, characters: int) -> None:
    answers = models[name].predict(INPUTS[name])
    assert isinstance(answers, list)
    assert len(answers) == len(INPUTS[name])
    assert all(type(answer) is str and len(answer) <= characters for answer in answers)
    assert set("".join(answers)) <= set(GlyphReader.labels)


@pytest.mark.parametrize(
    ("layer", "padding", "drawn", "taken"),
    [
        ("query_characters", "left", "07-88", " 7-88"),
        ("query_characters", "left", "00+05", " 0+ 5"),
        ("query_characters", "left", " 0+50", " 0+50"),
        ("query_characters", "left", "05-07", " 5- 7"),
        ("query_characters", "right", "07-08", "7-8  "),
        ("query_characters", "right", "70-00", "70-0 "),
        ("query_characters", "right", "0-80 ", "0-80 "),
        ("unnamed", "left", "07-88", "07-88"),
    ],
)
def test_images_of_leading_zeros_are_taken_for_blanks_where_the_model_names_characters(
    tmp_path: Path, layer: str, padding: str, drawn: str, taken: str
) -> None:
    import keras

    from library.sums.data import notation
    from library.sums.served.image_to_text import ImageToText

    query = keras.Input((5, 28, 28), dtype="uint8")
    characters = keras.ops.one_hot(12 - keras.ops.cast(query[:, :, 0, 0], "int32"), 13)  # 12 is a blank
    read = keras.layers.Identity(name=layer)(characters)
    keras.Model(query, keras.layers.Identity()(read)).save(tmp_path / "network.keras")
    artifacts = {"network": str(tmp_path / "network.keras"), "notation": notation.__file__}
    (served := ImageToText()).load_context(PythonModelContext(artifacts, {"operators": "+-", "padding": padding}))
    images = np.zeros((2, 5, 28, 28), np.uint8)
    images[:, :, 0, 0] = 12 - served.notation.encode([drawn, taken])
    assert served.predict(None, images) == [taken.strip()] * 2


def test_drawings_are_answered_one_for_each_query_and_the_param_seed_picks_their_style(models: dict[str, Any]) -> None:
    draw = models[DRAWS].predict
    default, first, other, again = (
        draw(QUERIES, params=params) for params in (None, {"seed": 0}, {"seed": 1}, {"seed": 1})
    )
    assert (default.shape, default.dtype) == ((3, 3, 28, 28), np.uint8)
    np.testing.assert_array_equal(default, first)
    np.testing.assert_array_equal(other, again)
    assert (first != other).any(axis=(2, 3)).all()
    np.testing.assert_array_equal(draw(["7 - 88", "1+1 "]), draw([" 7-88", " 1+ 1"]))
    with pytest.raises(MlflowException, match="Can not safely convert"):
        draw(QUERIES, params={"seed": "x"})


def test_batches_of_any_size_are_answered_as_their_parts_are(models: dict[str, Any]) -> None:
    images = np.random.default_rng(1).integers(0, 256, (65, 5, 28, 28), dtype=np.uint8)
    first, last = (models[READS].predict(images[part]) for part in (slice(64), slice(64, 65)))
    assert (models[READS].predict(images), len(first)) == (first + last, 64)


def test_signatures_tell_the_shapes_of_images(models: dict[str, Any]) -> None:
    signatures = {name: model.metadata.signature for name, model in models.items()}
    reader, text, reads, draws = (signatures[name] for name in (READER, TEXT, READS, DRAWS))
    images = [one for schema in (reader.inputs, reads.inputs, draws.outputs) for one in schema.inputs]
    assert [image.shape for image in images] == [(-1, 28, 28), (-1, 5, 28, 28), (-1, 3, 28, 28)]
    assert {image.type for image in images} == {np.dtype("uint8")}
    for schema in (text.inputs, draws.inputs, text.outputs, reads.outputs):
        assert [str(one) for one in schema.input_types()] == ["DataType.string"]
    assert [param.name for param in signatures[DRAWS].params] == ["seed"]


@pytest.mark.parametrize("name", [READER, READS])
def test_images_of_another_shape_or_type_are_refused(models: dict[str, Any], name: str) -> None:
    images = INPUTS[name]
    shapes = images[0], images[..., 1:], images[..., 1:, :], images[np.newaxis]
    for wrong in (*shapes, *(images.astype(kind) for kind in (float, int, bool, np.int8))):
        with pytest.raises(MlflowException, match="does not match expected"):
            models[name].predict(wrong)
        allowed = ["n", *images.shape[1:]]
        told = f"{wrong.dtype} {list(wrong.shape)}; allowed is uint8 {allowed}".replace("'", "")
        with pytest.raises(ValueError, match=rf"^(images|examples): got {re.escape(told)}$"):
            own(models[name], wrong)


@pytest.mark.parametrize("name", [TEXT, DRAWS])
@pytest.mark.parametrize("query", ["4 5+1", "45*2", "100+1", "1+", ""])
def test_the_first_text_that_is_no_query_is_named_in_one_line(models: dict[str, Any], name: str, query: str) -> None:
    allowed = r"allowed are two numbers of 0 to 99 with \+ or -"
    with pytest.raises(ValueError, match=rf"^query: got {re.escape(repr(query))}; {allowed}.*$"):
        models[name].predict(["1+1", query, "?"])


@pytest.mark.parametrize(
    ("name", "wrong"), [(TEXT, [45]), (DRAWS, [45]), (READER, ["5"]), (READS, QUERIES), (TEXT, IMAGES)]
)
def test_inputs_of_another_kind_are_refused(models: dict[str, Any], name: str, wrong: Any) -> None:
    with pytest.raises(MlflowException, match=r"Failed to (validate|enforce)|Expected list, but got ndarray"):
        models[name].predict(wrong)


@pytest.mark.parametrize("name", INPUTS)
def test_an_empty_batch_has_an_empty_answer(models: dict[str, Any], name: str) -> None:
    assert len(own(models[name], INPUTS[name][:0])) == 0
    if name == DRAWS:
        assert own(models[name], []).shape == (0, 3, 28, 28)
        with pytest.raises(MlflowException, match="missing inputs"):  # which MLflow takes for a table without columns
            models[name].predict([])
    else:
        assert models[name].predict(INPUTS[name][:0]) == []


@pytest.mark.parametrize(("name", "params"), [*((name, {}) for name in INPUTS), (DRAWS, {"seed": 7})])
def test_the_server_answers_as_the_model_does(served: Any, models: Any, name: str, params: dict[str, int]) -> None:
    expected = {"predictions": np.asarray(models[name].predict(INPUTS[name], params=params)).tolist()}
    assert served(name, inputs=INPUTS[name], params=params) == (200, expected)


@pytest.mark.parametrize(
    ("name", "wrong", "told"),
    [
        *[(name, ["1+1", "x"], NO_QUERY) for name in (TEXT, DRAWS)],
        (TEXT, "1+1", 'inputs: got "1+1"; allowed is a list of texts, as in {"inputs": ["45+23"]}'),
        (READS, IMAGES[:, 1:], "inputs: got int64 [3, 4, 28, 28]; allowed is uint8 [n, 5, 28, 28]"),
        (READER, IMAGES, "inputs: got int64 [3, 5, 28, 28]; allowed is uint8 [n, 28, 28]"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong_with_it(served: Any, name: str, wrong: Any, told: str) -> None:
    status, answer = served(name, inputs=wrong)
    assert (status, answer) == (400, {"error_code": "INVALID_PARAMETER_VALUE", "message": told})


def test_a_bad_param_is_told_too_and_a_long_query_is_not_repeated_in_full(served: Any) -> None:
    for name, params, told in (
        (TEXT, {"seed": 1}, 'params: got "seed"; this model takes none'),
        (DRAWS, {"hand": 1}, 'params: got "hand"; allowed is an object of seed [0]'),
        (DRAWS, {"seed": "x"}, 'seed: got "x"; allowed is an integer'),
        (DRAWS, {"seed": -1}, "seed: got -1; allowed is 0 or more"),
    ):
        status, answer = served(name, inputs=QUERIES, params=params)
        assert (status, answer["message"]) == (400, told)
    _, answer = served(TEXT, inputs=["?" * 10_000])
    assert answer["message"].startswith("query: got '???")
    assert answer["message"].endswith("as in '45+23'")
    assert len(answer["message"]) < 500
