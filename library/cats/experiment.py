"""What experiments with images of cats have in common: training, scores on the test images, what is registered.

They differ in their networks and in how latent vectors can be drawn for them; each experiment's file says that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from library.cats.config import ImagesConfig
from library.cats.data import dataset, photos
from library.framework import images
from library.framework.experiment import Package, Question, Result
from library.framework.run import Callbacks, Run

if TYPE_CHECKING:
    from library.cats.metrics.neighbors import Nearest
    from library.cats.models.generative import Generative
    from library.cats.models.samplers import Strategy

SERVING = Path(__file__).with_name("served_model.py")
SHOWN = 36  # images of a picture
VALIDATED = 1000  # validation images at most, after each epoch
REMEMBERED = 10_000  # training images at most among which a sample's nearest one is looked for
COMPARED = 500  # samples at most whose nearest one is looked for to be shown
FITTED = 10_000  # training images at most to which strategies are fitted

Strategies = Callable[[Any, Any], "dict[str, Strategy]"]


@dataclass(frozen=True)
class Judged:
    """The ways to draw from a trained model, compared.

    Attributes:
        strategies: by name.
        samples: images drawn by each, `[test_samples, 75, 75, 3]` uint8, always from the same noise.
        scores: of each, by the score's name, on the validation and on the test images.
        best: the name of that with the least kernel distance to validation images.
        covered: whether the best one's samples reach each test image, `[test images]`, as coverage counts it.
        nearest: the training image nearest to each of its first samples, `COMPARED` of them at most.
    """

    strategies: "Mapping[str, Strategy]"
    samples: Mapping[str, np.ndarray]
    scores: Mapping[str, Mapping[str, float]]
    best: str
    covered: np.ndarray
    nearest: "Nearest"


def digest(config: ImagesConfig) -> str:
    """Names the exact images of each part."""
    return dataset.load(config).digest


def train(
    config: ImagesConfig, build: "Callable[[Any], Generative]", monitor: str, run: Run, callbacks: Callbacks
) -> Result:
    """Trains on the training images; the best epoch has the least of a metric.

    The same samples are shown after each epoch, and before the first: MLflow's slider of images begins at step 0.
    """
    import keras

    from library.cats.figures import tiled
    from library.cats.models.generative import draw
    from library.framework.training.batches import Batches, as_they_are
    from library.framework.training.trainer import Trainer

    data = dataset.load(config)
    run.log_dataset("cats", data.digest, {"training": data.train, "validation": data.validation, "testing": data.test})
    keras.utils.set_random_seed(config.seed)  # before build: the weights are drawn there
    model = build(config)
    batches = Batches(
        data.train,
        batch_size=config.batch_size,
        steps=config.steps_per_epoch,
        seed=config.seed,
        render=_mirrored if config.mirror else as_they_are,
    )

    def show(epoch: int, _: Mapping[str, float]) -> None:
        run.log_image("samples", tiled(draw(model.decoder, model.noise[:SHOWN]), columns=6), step=epoch)

    show(0, {})
    validation = (np.ascontiguousarray(data.validation[:VALIDATED]),)
    result = Trainer.of(config, monitor, "min").fit(model, batches, validation, run, [show, *callbacks])
    return Result(result.model, {**result.metrics, "model/latent_size": float(config.latent_size)}, result.epoch)


def _mirrored(arrays: tuple[np.ndarray, ...], random: np.random.Generator) -> tuple[np.ndarray, ...]:
    """A batch of which every other image, on average, looks the other way."""
    [images] = arrays
    turned = random.random(len(images)) < 0.5
    return (np.where(turned[:, np.newaxis, np.newaxis, np.newaxis], images[:, :, ::-1], images),)


@lru_cache(maxsize=1)
def judge(config: ImagesConfig, model: "Generative", strategies: Strategies) -> Judged:
    """Draws by every strategy, and compares the samples with validation and test images; kept for the next call."""
    from library.cats.metrics import sample_quality
    from library.cats.metrics.neighbors import nearest
    from library.cats.models.feature_extractors import features
    from library.cats.models.generative import draw

    data = dataset.load(config)
    ways = strategies(config, model)
    drawn = {
        name: draw(model.decoder, way.sample(config.test_samples, np.random.default_rng(0)))
        for name, way in ways.items()
    }
    seen, validation, test = (
        features(images, config.features) for images in (data.train[:REMEMBERED], data.validation, data.test)
    )
    made = {name: features(images, config.features) for name, images in drawn.items()}
    scores = {
        name: {
            **sample_quality.evaluate(validation, one, network=config.features, split="val"),
            **sample_quality.evaluate(test, one, seen, network=config.features),
        }
        for name, one in made.items()
    }
    best = min(scores, key=lambda name: scores[name][sample_quality.score_name("kid", config.features, "val")])
    covered = sample_quality.covered(test, made[best])
    return Judged(ways, drawn, scores, best, covered, nearest(made[best][:COMPARED], seen))


def outcomes(config: ImagesConfig, values: np.ndarray) -> dict[str, float]:
    """A score of each test image by its place and the data's name: models are compared on the same images alone."""
    data = digest(config)
    return {f"{place} of {data}": float(value) for place, value in enumerate(values)}


def test_samples(config: ImagesConfig, judged: Judged, run: Run) -> dict[str, float]:
    """Reports the strategies side by side, and returns their test scores: `test/SCORE_NETWORK` of the best one.

    Those of each are `test/STRATEGY/SCORE_NETWORK`.
    """
    from library.cats import figures

    ending = f"_{config.features}"
    rows = {
        name: {
            key.removeprefix("test/").removesuffix(ending): value
            for key, value in scores.items()
            if key.startswith("test/") and key.endswith(ending)
        }
        for name, scores in judged.scores.items()
    }
    run.log_table(
        "strategies",
        {"strategy": list(rows), **{key: [row[key] for row in rows.values()] for key in rows[judged.best]}},
    )
    run.log_figure("strategies", figures.sample_scores(rows, config.features))
    run.log_figure("samples", figures.labelled_rows({name: images[:12] for name, images in judged.samples.items()}))
    run.log_figure("samples-of-the-best", figures.contact_sheet(judged.samples[judged.best][:100], title=judged.best))
    some, seen = judged.samples[judged.best][:COMPARED], dataset.load(config).train
    run.log_figure("nearest-neighbours", figures.nearest_pairs(some, seen, judged.nearest))
    run.set_tags({"strategy": judged.best})
    each = {f"test/{name}/{key}{ending}": value for name, row in rows.items() for key, value in row.items()}
    return {**{f"test/{key}{ending}": value for key, value in rows[judged.best].items()}, **each}


def package(name: str, model: "Generative", judged: Judged, folder: Path) -> Package:
    """The networks without their optimizer, and all strategies to draw by; the best one is taken unless told."""
    from library.cats.models import samplers

    files = {"strategies": folder / "strategies.npz", "sampling": Path(str(samplers.__file__))}
    samplers.save(judged.strategies, files["strategies"])
    for part in ("encoder", "decoder"):
        network = getattr(model, part, None)
        if network is not None:
            files[part] = folder / f"{part}.keras"
            network.save(files[part])
    return Package(
        code=SERVING,
        files=files,
        settings={"strategy": judged.best},
        example=[1],
        answer=np.zeros((1, dataset.SIZE, dataset.SIZE, 3), dtype=np.uint8),
        any_input=True,
        verb="generate",
        asked={"model": name, "out": "cats.png"},
        params={"strategy": judged.best, "seed": 0, "task": "auto"},
    )


def ask(_: ImagesConfig, query: str, out: str) -> Question:
    """A picture of a cat, which comes back as the model reproduces it."""
    image, target = photos.read_photo(query), images.check_target(out)

    def show(answers: np.ndarray) -> str:
        images.save(answers[0], target)
        return str(target)

    return Question(image[np.newaxis], show)
