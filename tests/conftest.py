"""What tests of several folders share: stores, copied from one that is made once, and small registered models."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.http_client import Served

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("CATS_AND_SUMS_PROGRAM", "make")  # which messages name


LONG = {
    "test_study.py",
    "test_failing_studies.py",
    "test_contracts.py",
    "test_python.py",
    "test_compare.py",
    "test_served_model.py",
    "test_served.py",
}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first, so that no worker waits for another at the end."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without a run; not to be written to."""
    from library import open_store

    return open_store(tmp_path_factory.mktemp("empty") / "store").root


@pytest.fixture
def store_path(empty_store: Path, tmp_path: Path) -> Path:
    """A store of one's own, not open."""
    return Path(shutil.copytree(empty_store, tmp_path / "store"))


@pytest.fixture
def store(store_path: Path) -> Iterator["Store"]:  # noqa: F821 -- imported late, as it takes seconds
    """A store of one's own, open in this process."""
    from library import open_store

    with open_store(store_path) as opened:
        yield opened


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[[Sequence[str]], str]:
    """Runs a command that cannot be done, and returns the one line that it prints."""
    from library.framework.cli.main import main

    def run(arguments: Sequence[str]) -> str:
        assert main(arguments, "make") == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.endswith("\n")
        assert len(err.splitlines()) == 1
        return str(err)

    return run


@pytest.fixture(scope="session")
def sums_store(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of `served_sums`."""
    return Path(shutil.copytree(empty_store, tmp_path_factory.mktemp("sums") / "store"))


@pytest.fixture(scope="session")
def served_sums(sums_store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Served]:
    """The registered models of sums by name, with the weights that they begin with: training takes a minute."""
    from experiments.glyph_reader import GlyphReader
    from experiments.seq2seq import Seq2Seq
    from library import TestResult, open_store
    from library.framework.registry import artifacts, stages
    from library.framework.tracking.mlflow_run import start_run
    from tests.eager import eagerly

    small = {"epochs": 1, "steps_per_epoch": 2, "batch_size": 8, "filters": 2}
    reader = GlyphReader(**small)
    with open_store(sums_store) as store, eagerly():
        names = [reader.train(store).model]
        for modality in ("text-to-text", "image-to-text", "text-to-image"):
            experiment = Seq2Seq(**small, units=8, train_fraction=0.99, modality=modality)
            if experiment.config.draws_images:
                vars(experiment).update(dependencies=[reader], teacher=artifacts.load_trained_from(reader).network)
            name = experiment.model_name
            with start_run(store, name, "untrained", config=experiment.config):
                package = experiment.package(experiment.build(), tmp_path_factory.mktemp(name))
                stages.promote_if_better(name, artifacts.register(name, package, TestResult({}, {}), {}))
            names.append(name)
        return {name: Served.production(name) for name in names}


@pytest.fixture(scope="session")
def cats_store(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of `cats_outcomes`."""
    return Path(shutil.copytree(empty_store, tmp_path_factory.mktemp("cats") / "store"))


@pytest.fixture(scope="session")
def cats_outcomes(cats_store: Path) -> "dict[str, pipeline.Outcome]":  # noqa: F821
    """Models cae, vae and gan, not trained; weights are doubled, or all images would be one grey."""
    import numpy as np

    from library import Run, TestResult, TrainingResult, open_store
    from library.cats.models.feature_extractors import FeatureExtractor
    from library.framework.discovery import find

    small = {"epochs": 1, "steps_per_epoch": 2, "batch_size": 8, "filters": "4-8-8", "latent_size": 4, "images": 60}
    small |= {"validation_samples": 10, "test_samples": 10}
    own = {"gan": {"discriminator_filters": "4-8-8", "hidden": 0, "pretraining": 0}}
    outcomes = {}
    with open_store(cats_store) as store, pytest.MonkeyPatch.context() as patch:
        mean = lambda _, images: np.asarray(images.mean(axis=(1, 2)), dtype=np.float32)  # noqa: E731
        patch.setattr(FeatureExtractor, "__call__", mean)
        for name in ("cae", "vae", "gan"):

            class Louder(find(name)):  # type: ignore[misc]
                def fit(self, run: Run, callbacks: Any = ()) -> TrainingResult:
                    model = self.build()
                    for part in ("encoder", "decoder"):
                        if network := getattr(model, part, None):
                            network.set_weights([2 * weights for weights in network.get_weights()])
                    return TrainingResult(model, {}, 0)

                def test(self, model: Any, run: Run) -> TestResult:
                    return TestResult({}, {})

            Louder.name = name
            outcomes[name] = Louder(**small, **own.get(name, {})).train(store)
    return outcomes


@pytest.fixture(scope="session")
def served_cats(cats_store: Path, cats_outcomes: Any) -> dict[str, Served]:
    """The registered models cae, vae and gan."""
    from library import open_store

    with open_store(cats_store):
        return {name: Served.production(f"cats-{name}") for name in cats_outcomes}
