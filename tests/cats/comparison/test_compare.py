"""`make compare-cats`: three small models trained on the same few drawn cats, on a real store, side by side."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

from library.cats.comparison import figures
from library.cats.comparison.compare import compare
from library.cats.comparison.markdown import CAPTIONS, page, table
from library.cats.comparison.registered import SCORES, Model, data_of, load, sample
from library.cats.config import CatsConfig
from library.cats.data import dataset
from library.cats.options import SideBySideOptions
from library.framework import discovery, pipeline
from library.framework.cli.main import main
from library.framework.environment import start_keras
from library.framework.errors import NotRegistered, UserError
from library.framework.tracking import queries
from library.framework.tracking.store import Store, open_store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("eager", "coarse_features"),
    pytest.mark.filterwarnings("ignore:Even though the:UserWarning"),
]
N = 20
NETWORK = "drawn-cats-v1"
SMALL = {
    "images": 80, "epochs": 1, "steps_per_epoch": 1, "batch_size": 8, "filters": "4-8-8", "latent_size": 4,
    "test_samples": N, "validation_samples": N,
}  # fmt: skip
OWN = {"gan": {"pretraining": 0, "discriminator_filters": "4-8-8", "hidden": 4}}


@pytest.fixture(scope="module")
def filled(eager: None, coarse_features: None, empty_store: Path, tmp_path_factory: Any) -> Iterator[Store]:
    """A store with a CAE, a VAE and a GAN in Production, open."""
    root = shutil.copytree(empty_store, tmp_path_factory.mktemp("filled") / "store")
    with open_store(Path(root)) as store:
        start_keras(None)
        for name in ("cae", "vae", "gan"):
            pipeline.train_in_full(discovery.find(name)(**SMALL, **OWN.get(name, {})), store)
        yield store


@pytest.fixture(scope="module")
def made(filled: Store) -> Path:
    """The page of a comparison."""
    return compare(SideBySideOptions(store=filled.root, n=N), filled)


@pytest.fixture
def models(filled: Store) -> list[Model]:
    filled.connect()
    return load("Production")


@pytest.fixture(scope="module")
def data() -> dataset.Cats:
    return dataset.load(CatsConfig(images=SMALL["images"]))


@pytest.fixture
def told(made: Path, filled: Store) -> mlflow.entities.Run:
    """The run of that comparison; another test makes another one, of fewer images."""
    filled.connect()
    runs = mlflow.search_runs(experiment_names=["cats"], output_format="list")
    return next(run for run in runs if run.data.tags["command"].endswith(f" N={N}"))


def rows(run: mlflow.entities.Run, name: str) -> list[dict[str, Any]]:
    read = queries.read_json(run.info.run_id, f"tables/{name}.json")
    return [dict(zip(read["columns"], row, strict=True)) for row in read["data"]]


def trained(name: str) -> dict[str, float]:
    """The metrics of a model's training."""
    return mlflow.search_runs(experiment_names=[name.lower()], output_format="list")[0].data.metrics


def test_strategies_and_models_have_the_scores_that_their_own_trainings_told(told: mlflow.entities.Run) -> None:
    found = rows(told, "strategies")
    assert [(row["model"], row["strategy"]) for row in found] == [
        *(("CAE", name) for name in ("prior", "gaussian", "mixture")),
        *(("VAE", name) for name in ("prior", "prior-0.8", "prior-0.6", "gaussian", "mixture")),
        *(("GAN", name) for name in ("prior", "truncated-1.5", "truncated-1", "truncated-0.5")),
    ]
    for row in found:  # as many samples, of the same noise, against the same test images
        metrics = trained(row["model"])
        expected = {score: metrics[f"test/{row['strategy']}/{score}_{NETWORK}"] for score in SCORES}
        assert {score: row[score] for score in SCORES} == pytest.approx(expected, rel=0.02, abs=1e-3)
    models = {row["model"]: row for row in rows(told, "models")}
    assert list(models) == ["CAE", "VAE", "GAN"]
    for name, row in models.items():
        metrics = trained(name)
        assert (row["version"], row["latent_size"]) == ("1", 4)
        assert row["parameters"] == metrics["model/parameters"]
        assert row["training_seconds"] == pytest.approx(metrics["time/training_seconds"])
        for measure in ("mean_squared_error", "psnr", "ssim", "ssim_standard_error") if name != "GAN" else ():
            assert row[measure] == pytest.approx(metrics[f"test/{measure}"], rel=0.01)
    assert not models["GAN"]["ssim"]  # it has no encoder


def test_the_run_and_the_page_show_all(
    told: mlflow.entities.Run, data: dataset.Cats, made: Path, filled: Store
) -> None:
    assert (told.info.run_name, told.info.status) == ("side by side, Production", "FINISHED")
    assert told.data.tags["models"] == "cats-cae 1, cats-vae 1, cats-gan 1"
    assert told.data.tags["data.digest"] == data.digest
    assert told.data.tags["command"].startswith("make compare-cats STORE=")
    there = mlflow.artifacts.list_artifacts(run_id=told.info.run_id, artifact_path="figures")
    assert [one.path for one in there] == sorted(f"figures/{name}.png" for name in CAPTIONS)
    assert made == filled.root / "cats" / "comparison" / "cats.md"
    text = made.read_text()
    assert f"{len(data.test)} test images" in text
    assert data.digest in text
    assert str(filled.root) not in text
    lines = text.splitlines()
    assert sum(line.startswith(("| CAE |", "| VAE |", "| GAN |")) for line in lines) == 3 + 12
    assert sum(" | **" in line for line in lines) == 3  # the strategy that each model draws by
    assert {path.name for path in made.parent.iterdir()} == {"cats.md", *(f"cats-{name}.png" for name in CAPTIONS)}
    for name, caption in CAPTIONS.items():
        assert f"![{caption}](cats-{name}.png)" in text
        assert (made.parent / f"cats-{name}.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_tells_the_tables_and_where_the_page_is(
    filled: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("library.cats.comparison.figures.all_of", lambda *_: {})
    assert main(["compare-cats", f"--STORE={filled.root}", "--N=10", f"--OUT={tmp_path / 'new'}"], "make") == 0
    out = capsys.readouterr().out
    assert "| GAN | 1 | 4 |" in out
    assert "| VAE | prior-0.8 | " in out
    assert out.endswith(f"\n{tmp_path}/new/cats.md\n")


def test_interpolations_and_reconstructions_are_of_the_same_cats(models: list[Model], data: dataset.Cats) -> None:
    shown = figures.interpolations(models, data.test).axes
    names = [f"{model} {way} {pair}" for pair in (1, 2) for model in ("CAE", "VAE") for way in ("linear", "spherical")]
    assert [axes.get_ylabel() for axes in shown] == names
    first = np.asarray(shown[0].images[0].get_array())
    assert first.shape == (75, 8 * 75, 3)
    np.testing.assert_array_equal(first[:, :75], data.test[0])
    np.testing.assert_array_equal(first[:, -75:], data.test[1])
    np.testing.assert_array_equal(first[:, 75:150], models[0].reconstruct(data.test[:1])[0])
    above, *below = figures.reconstructions(models, data.test).axes
    assert [axes.get_ylabel() for axes in (above, *below)] == ["original", "CAE", "VAE"]
    np.testing.assert_array_equal(np.asarray(above.images[0].get_array())[:, :75], data.test[0])
    for model, axes in zip(models, below, strict=False):
        expected = model.reconstruct(data.test[:8])[0]
        np.testing.assert_allclose(np.asarray(axes.images[0].get_array())[:, :75], expected, atol=1)

    shown = figures.interpolations_of_samples(models).axes  # of a model without an encoder
    names = [f"GAN {way} {pair}" for pair in (1, 2) for way in ("linear", "spherical")]
    assert [axes.get_ylabel() for axes in shown] == names
    linear, spherical = (np.asarray(axes.images[0].get_array()) for axes in shown[:2])
    np.testing.assert_array_equal(linear[:, :75], spherical[:, :75])
    np.testing.assert_array_equal(linear[:, -75:], spherical[:, -75:])


def test_samples_of_the_best_are_shown(models: list[Model], data: dataset.Cats) -> None:
    samples = list(sample(models, data, N, NETWORK))
    best = [one for one in samples if one.is_best]
    names = {model.name: model.python_model.best for model in models}
    assert {one.model.name: one.sampler for one in best} == names
    shown = figures.best_samples(samples).axes
    assert [axes.get_ylabel() for axes in shown[::2]] == [f"{name}\n{sampler}" for name, sampler in names.items()]
    np.testing.assert_array_equal(np.asarray(shown[0].images[0].get_array())[:, :75], best[0].images[0])
    above, below = figures.nearest_neighbors(samples, data.train).axes[:2]
    nearest = best[0].nearest
    first = nearest.distances.argmin()
    np.testing.assert_array_equal(np.asarray(above.images[0].get_array())[:, :75], best[0].images[first])
    np.testing.assert_array_equal(np.asarray(below.images[0].get_array())[:, :75], data.train[nearest.indices[first]])
    labels = [axes.get_ylabel().split("\n") for axes in figures.all_samples(samples).axes]
    assert [label[0] for label in labels] == [f"{one.model.name} {one.sampler}" for one in samples]
    for one, (_, kid, coverage) in zip(samples, labels, strict=True):
        assert kid == f"KID {one.scores['kid']:.3f} ± {one.scores['kid_standard_error']:.3f}"
        assert coverage == f"coverage {one.scores['coverage']:.2f}"


def test_curves_are_those_of_the_trainings_by_minutes(models: list[Model]) -> None:
    shown = {axes.get_title(): axes for axes in figures.training_curves(models).axes}
    assert list(shown) == ["mean squared error", "kid", "frechet distance", "precision", "recall", "coverage"]
    assert [line.get_label() for line in shown["mean squared error"].lines] == ["CAE", "VAE"]
    kid = {line.get_label(): line.get_xydata() for line in shown["kid"].lines}
    for model in models:
        [(minutes, value)] = kid[model.name]
        assert 0 < minutes < 60
        assert value == model.run.metrics[f"val/kid_{NETWORK}"]


def test_other_models_are_not_compared(data: dataset.Cats, models: list[Model]) -> None:
    there = r"no version in stage Staging; there is version 1 in Production; make train-cae CATS=\.\.\. trains one"
    with pytest.raises(NotRegistered, match=rf"^model 'cats-cae': {there}$"):
        load("Staging")
    client = mlflow.MlflowClient()
    client.set_model_version_tag("cats-vae", "1", "data.digest", "0123456789abcdef")
    digests = ".*".join(
        f"cats-{name} version 1 on {digest}"
        for name, digest in (("cae", data.digest), ("vae", "0123456789abcdef"), ("gan", data.digest))
    )
    try:
        with pytest.raises(UserError, match=rf"^[^\n]*{digests}.*$"):
            load("Production")
    finally:
        client.set_model_version_tag("cats-vae", "1", "data.digest", data.digest)
    assert data_of(models).digest == data.digest
    with pytest.raises(UserError, match=rf"^cats: 'drawn' holds {data.digest}; the models were trained on other$"):
        data_of([replace(model, digest="other") for model in models])


def test_bad_values_and_a_folder_that_cannot_be_written_are_told_first(
    filled: Store, tmp_path: Path, refused: Any
) -> None:
    (tmp_path / "file").touch()
    error = refused(["compare-cats", f"--store={filled.root}", f"--out={tmp_path}/file"])
    assert error.startswith(f"error: out: '{tmp_path}/file' cannot be written (")
    assert error.endswith("); give another OUT=folder\n")
    for flag, told in {
        "--n=9": "n: got '9'; allowed is greater than or equal to 10",
        "--stage=best": "stage: got 'best'; allowed is 'Staging', 'Production' or 'Archived'",
        "--features=vgg": "features: got 'vgg'; allowed is 'drawn-cats-v1' or 'inception-v3'",
    }.items():
        assert refused(["compare-cats", flag]) == f"error: {told}\n"


def test_a_page_is_tables_and_pictures() -> None:
    cells = {"model": "CAE", "SSIM": "0.5 ± 0.1"}
    assert table([cells, cells]) == "| model | SSIM |\n| --- | --- |\n| CAE | 0.5 ± 0.1 |\n| CAE | 0.5 ± 0.1 |"
    text = page("about", [cells], [{"strategy": "prior"}], {"training-curves": "cats-training-curves.png"})
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == ["# Cats: CAE, VAE and GAN side by side", "## Sampling strategies", "## Training curves"]
    assert "\nabout\n" in text
    assert "| prior |" in text
    assert text.endswith("![Validation scores during training](cats-training-curves.png)\n")
