"""Registered models of cats as whoever has MLflow sees them, and the commands that draw with them."""

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mlflow.exceptions import MlflowException

from library.cats.data import photos
from library.framework import images
from library.framework.cli.main import main
from tests.http_client import Served, post

WAYS = {
    "cae": "prior, gaussian, mixture",
    "vae": "prior, prior-0.8, prior-0.6, gaussian, mixture",
    "gan": "prior, truncated-1.5, truncated-1, truncated-0.5",
}
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 75, 75, 3), dtype=np.uint8)
IMAGES //= np.array([1, 2, 3], np.uint8).reshape(3, 1, 1, 1)
LATENTS = np.random.default_rng(0).standard_normal((3, 4))
every_model = pytest.mark.parametrize("name", WAYS)
with_an_encoder = pytest.mark.parametrize("name", ["cae", "vae"])

Ask = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def models(served_cats: dict[str, Served]) -> dict[str, Any]:
    """The loaded models by name."""
    return {name: served.model for name, served in served_cats.items()}


@pytest.fixture
def ask(models: dict[str, Any]) -> Ask:
    """The prediction of a model, by its name."""
    return lambda name, asked, **params: models[name].predict(asked, params=params or None)


def told_in_one_line(ask: Ask, name: str, asked: Any, **params: Any) -> str:
    with pytest.raises(ValueError, match=": got ") as caught:
        ask(name, asked, **params)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@every_model
@pytest.mark.parametrize("count", [[1], np.array([5]), 5, [5.0], [501]], ids=repr)  # 501 are more than a batch
def test_a_number_is_answered_by_so_many_images(ask: Ask, name: str, count: Any) -> None:
    drawn = ask(name, count)
    assert drawn.shape == (int(np.ravel(count)[0]), 75, 75, 3)
    assert drawn.dtype == np.uint8
    assert len(drawn) == 1 or drawn.std(axis=0).max() > 0


@every_model
def test_seed_and_strategy_say_which_images(ask: Ask, name: str, models: dict[str, Any]) -> None:
    default, first, other, again = (ask(name, [3], **params) for params in ({}, {"seed": 0}, {"seed": 1}, {"seed": 1}))
    np.testing.assert_array_equal(default, first)
    np.testing.assert_array_equal(other, again)
    assert (first != other).any(axis=(1, 2, 3)).all()
    ways = models[name].unwrap_python_model().strategies
    assert ", ".join(ways) == WAYS[name]
    for way, strategy in ways.items():
        latents = strategy.sample(3, np.random.default_rng(7))
        np.testing.assert_array_equal(ask(name, [3], strategy=way, seed=7), ask(name, latents))
    best = models[name].model_config["strategy"]
    assert best in WAYS[name].split(", ")
    np.testing.assert_array_equal(ask(name, [3]), ask(name, [3], strategy=best, task="generate"))


@every_model
def test_latent_vectors_are_decoded_one_by_one(ask: Ask, name: str) -> None:
    drawn = ask(name, LATENTS)
    assert (drawn.shape, drawn.dtype) == ((3, 75, 75, 3), np.uint8)
    for kind in (np.float32, np.float64):
        np.testing.assert_array_equal(ask(name, LATENTS.astype(kind).tolist(), task="decode"), drawn)
    np.testing.assert_allclose(ask(name, LATENTS[1:2])[0], drawn[1], atol=1)
    assert ask(name, np.zeros((0, 4))).shape == (0, 75, 75, 3)


@with_an_encoder
def test_what_is_encoded_and_decoded_is_reconstructed(ask: Ask, name: str, models: dict[str, Any]) -> None:
    codes = ask(name, IMAGES, task="encode")
    assert (codes.shape, codes.dtype) == ((3, 4), np.float32)
    again = ask(name, IMAGES)
    assert (again.shape, again.dtype) == (IMAGES.shape, np.uint8)
    assert (again[0] != again[1]).any()
    np.testing.assert_array_equal(ask(name, codes), again)
    np.testing.assert_array_equal(ask(name, IMAGES, task="reconstruct"), again)
    assert ask(name, IMAGES[:0], task="encode").shape == (0, 4)
    own = models[name].unwrap_python_model()
    encoded = np.asarray(own.encoder.predict_on_batch(IMAGES.astype(np.float32) / 255))
    assert encoded.shape == (3, 8 if name == "vae" else 4)  # a VAE's posteriors: their means come first
    np.testing.assert_array_equal(codes, encoded[:, :4])
    np.testing.assert_array_equal(own.predict(None, np.array([2])), ask(name, [2]))


@pytest.mark.parametrize("number", [0, -1, 10_001, 1.5, float("nan"), float("inf")])
def test_other_numbers_of_images_are_refused(ask: Ask, number: float) -> None:
    for asked in ([number], number):
        assert told_in_one_line(ask, "gan", asked) == f"number of images: got {number}; allowed is 1 to 10,000"


@pytest.mark.parametrize(
    ("asked", "params", "told"),
    [
        (LATENTS[:, :3], {}, "latent vectors: got float64 [3, 3]; allowed is [n, 4]"),
        (LATENTS * np.nan, {}, "latent vectors: got some that are infinite or not a number; allowed are finite ones"),
        (LATENTS[0], {}, "input: got float64 [4]; allowed are a number of images, as in [16], latent vectors [n, 4] a"),
        (IMAGES[0], {}, "input: got uint8 [75, 75, 3]; allowed are a number of images, as in [16], latent vectors"),
        (["a cat"], {}, "input: got <U5 [1]; allowed are"),
        ([True], {}, "input: got bool [1]; allowed are"),
        (IMAGES[:, 1:], {}, "images: got uint8 [3, 74, 75, 3]; allowed is uint8 [n, 75, 75, 3]"),
        (IMAGES / 255, {}, "images: got float64 [3, 75, 75, 3]; allowed is uint8 [n, 75, 75, 3]"),
        (IMAGES + np.int64(1000), {}, "images: got int64 [3, 75, 75, 3]; allowed is uint8 [n, 75, 75, 3]"),
        ([1], {"strategy": "magic"}, f"strategy: got 'magic'; this model has {WAYS['vae']}"),
        ([1], {"seed": -1}, "seed: got -1; allowed is 0 or more"),
        ([1], {"task": "paint"}, "task: got 'paint'; allowed are auto, generate, decode, reconstruct, encode"),
        ([1], {"task": "encode"}, "task: got 'encode' with a number of images; allowed is images"),
        (LATENTS, {"task": "generate"}, "task: got 'generate' with latent vectors; allowed is a number of images"),
        (IMAGES, {"task": "decode"}, "task: got 'decode' with images; allowed is latent vectors"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_it_cannot_take_is_refused(ask: Ask, asked: Any, params: dict[str, Any], told: str) -> None:
    assert told_in_one_line(ask, "vae", asked, **params).startswith(told)


def test_a_gan_says_that_it_has_no_encoder(ask: Ask) -> None:
    for asked, task, got in ((IMAGES, "encode", "'encode'"), ([1], "encode", "'encode'"), (IMAGES, "auto", "images")):
        told = told_in_one_line(ask, "gan", asked, task=task)
        assert told == f"task: got {got}, but this model has no encoder; allowed are 'generate' and 'decode'"
    assert "images uint8" not in told_in_one_line(ask, "gan", LATENTS[0])


@every_model
def test_the_signature_tells_the_answer_and_the_params(models: dict[str, Any], name: str) -> None:
    signature = models[name].metadata.signature
    assert signature.inputs is None
    [image] = signature.outputs.inputs
    assert (image.type, image.shape) == (np.dtype("uint8"), (-1, 75, 75, 3))
    defaults = {param.name: param.default for param in signature.params}
    assert defaults == {"strategy": models[name].model_config["strategy"], "seed": 0, "task": "auto"}
    assert models[name].input_example == [1]
    with pytest.raises(MlflowException, match="Can not safely convert"):
        models[name].predict([1], params={"seed": "x"})


@pytest.mark.parametrize(
    ("name", "asked", "params"),
    [
        ("cae", [2], {"strategy": "prior", "seed": 3}),
        ("gan", LATENTS, {}),
        ("vae", IMAGES[:1], {"task": "encode"}),
        ("vae", IMAGES[:1], {}),
    ],
)
def test_the_server_answers_as_the_model(
    ask: Ask, served_cats: dict[str, Served], name: str, asked: Any, params: dict[str, Any]
) -> None:
    status, answer = post(served_cats[name].app, {"inputs": asked} | ({"params": params} if params else {}))
    assert status == 200
    np.testing.assert_allclose(answer["predictions"], ask(name, asked, **params))


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("vae", {"inputs": [0]}, "number of images: got 0; allowed is 1 to 10,000"),
        ("cae", {"inputs": [1], "params": {"strategy": "x"}}, f"strategy: got 'x'; this model has {WAYS['cae']}"),
        ("gan", {"inputs": [1], "params": {"way": "a"}}, 'params: got "way"; allowed is an object of strategy ['),
    ],
)
def test_a_bad_request_is_told_what_is_wrong_with_it(served_cats: Any, name: str, body: Any, told: str) -> None:
    status, answer = post(served_cats[name].app, body)
    assert status == 400
    assert set(answer) == {"error_code", "message"}
    assert answer["message"].startswith(told)


@pytest.mark.usefixtures("cats_outcomes")
def test_the_code_in_a_version_imports_nothing_of_this_repository(cats_store: Path) -> None:
    files = [*cats_store.rglob("served_model.py"), *cats_store.rglob("samplers.py")]
    assert len(files) == 2 * len(WAYS)
    assert not any(re.search(r"^\s*(from|import) (library|experiments)\b", file.read_text(), re.M) for file in files)


@pytest.mark.nightly
def test_they_need_nothing_of_this_repository(ask: Ask, cats_store: Path, tmp_path: Path) -> None:
    code = f"""
import sys, mlflow, numpy
mlflow.set_tracking_uri("sqlite:///{cats_store}/mlflow.db")
for name in {list(WAYS)}:
    model = mlflow.pyfunc.load_model(f"models:/cats-{{name}}@production")
    numpy.save(f"{{name}}.npy", model.predict([3], params={{"seed": 5}}))
assert not {{"library", "experiments"}} & set(sys.modules)
"""
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, check=True)
    for name in WAYS:
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), ask(name, [3], seed=5), atol=1)


@every_model
@pytest.mark.parametrize(("n", "rows", "columns"), [(1, 1, 1), (5, 2, 3)])
def test_the_last_command_of_a_training_writes_what_the_model_draws_as_one_grid(
    cats_outcomes: Any, cats_store: Path, ask: Ask, name: str, n: int, rows: int, columns: int, tmp_path: Path
) -> None:
    assert cats_outcomes[name].example == "[1]"
    words = cats_outcomes[name].predict.split()
    assert words == ["make", "generate", f"MODEL=cats-{name}", "OUT=cats.png"]
    flags = [f"--n={n}", "--strategy=prior", "--seed=3", f"--store={cats_store}"]
    with contextlib.chdir(tmp_path), contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(["generate", *(f"--{word}" for word in words[2:]), *flags], "make") == 0
    assert printed.getvalue() == "cats.png\n"
    grid = cv2.imread(str(tmp_path / "cats.png"), cv2.IMREAD_COLOR_RGB)
    assert grid is not None
    assert grid.shape == (75 * rows, 75 * columns, 3)
    tiles = grid.reshape(rows, 75, columns, 75, 3).swapaxes(1, 2).reshape(-1, 75, 75, 3)
    np.testing.assert_array_equal(tiles[:n], ask(name, [n], strategy="prior", seed=3))
    assert (tiles[n:] == 255).all()


@pytest.mark.usefixtures("cats_outcomes")
def test_generate_says_what_the_registry_does_not_have(cats_store: Path, refused: Any, tmp_path: Path) -> None:
    for model, flag, told in (
        ("cats-gan", "--strategy=mixture", f"strategy: got 'mixture'; this model has {WAYS['gan']}"),
        ("cats-vae", "--stage=staging", "model 'cats-vae': no version in stage Staging; there is version 1 in Prod"),
        ("cats-vae", "--version=2", "model 'cats-vae': no version 2; there is version 1 in Production"),
        ("vae", "--version=2", "model 'vae': not registered; there is cats-cae, cats-gan, cats-vae"),
    ):
        line = refused(["generate", f"--model={model}", flag, f"--out={tmp_path}/cats.png", f"--store={cats_store}"])
        assert line.startswith(f"error: {told}")
    assert list(tmp_path.iterdir()) == []


@with_an_encoder
def test_predict_reconstructs_the_middle_of_a_picture(ask: Ask, cats_store: Path, name: str, tmp_path: Path) -> None:
    wide = np.zeros((75, 101, 3), np.uint8)
    wide[:, 13:88] = IMAGES[0]
    images.save(wide, tmp_path / "cat.png")
    paths = [f"--query={tmp_path}/cat.png", f"--out={tmp_path}/again.png"]
    assert main(["predict", name, *paths, f"--store={cats_store}"], "make") == 0
    np.testing.assert_array_equal(photos.read_photo(f"{tmp_path}/again.png"), ask(name, IMAGES[:1])[0])
