"""The JAX backend: a study and a training run on it, and a model that was trained there draws alike on TensorFlow."""

import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
from PIL import Image

from library import open_store
from library.framework.environment import PROGRAM
from tests.programs import environment

pytest.importorskip("jax", reason="the extra jax is not installed")

TINY_GAN = (
    "--images=120", "--epochs=2", "--pretraining=1", "--steps-per-epoch=2", "--batch-size=8", "--latent-size=4",
    "--filters=2-2-2", "--discriminator-filters=2-2-2", "--hidden=0", "--validation-samples=20", "--test-samples=40",
)  # fmt: skip


def run(backend: str, *arguments: object) -> None:
    variables = {**environment(PROGRAM), "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], env=variables, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_study_runs_on_jax(tmp_path: Path) -> None:
    run("jax", "tests.tiny", tmp_path, 2, 1)
    with open_store(tmp_path):
        runs = mlflow.search_runs(search_all_experiments=True, output_format="list")
        [version] = mlflow.MlflowClient().search_model_versions("name='tiny'")
    trained = [one.data.tags["compute.backend"] for one in runs if "val/loss" in one.data.metrics]
    assert trained == ["jax"] * 3  # two trials, and the winner in full
    assert {one.info.status for one in runs} == {"FINISHED"}
    assert version.current_stage == "Production"


@pytest.mark.nightly
def test_a_gan_that_jax_trained_draws_alike_on_tensorflow(tmp_path: Path) -> None:
    store = f"--store={tmp_path}"
    run("jax", "experiments", "train", "gan", *TINY_GAN, store)
    drawn = []
    for backend in ("jax", "tensorflow"):
        target = tmp_path / f"{backend}.png"
        run(backend, "experiments", "generate", "--model=cats-gan", "--n=4", f"--out={target}", store)
        drawn.append(np.asarray(Image.open(target)).astype(int))
    assert np.ptp(drawn[0]) > 0
    np.testing.assert_allclose(*drawn, atol=1)
