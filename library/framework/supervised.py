"""Supervised experiments: examples and a network that predicts their targets make one."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .errors import UserError
from .experiment import Experiment, ModelArtifacts, PredictRequest, TestResult, TrainingResult
from .run import Callbacks, Run
from .training.splits import Pair

if TYPE_CHECKING:
    import keras

CODE = Path(__file__).parent / "serving" / "network_model.py"
MAX_TYPED = 1000
"""Numbers of an example that is typed as a query; a larger one is kept in a file."""


class Supervised(Experiment):
    """An experiment of examples and a network; the best epoch has the least loss on validation examples.

    To be defined: `Config`, `load`, `build` and `score`.

    Attributes:
        labels: what a registered model answers, one for each output of the network; none if it answers numbers.
    """

    objectives = {"val/loss": "minimize"}
    labels: ClassVar[Sequence[str]] = ()

    def load(self) -> Any:
        """The `Examples` of this config, or what has all of their attributes."""
        raise NotImplementedError

    def build(self) -> "keras.Model":
        """A network, compiled with a loss; its metrics are reported as `train/NAME` and `val/NAME`."""
        raise NotImplementedError

    def score(self, y: np.ndarray, predicted: np.ndarray, run: Run) -> Mapping[str, np.ndarray]:
        """The score of every test example, `[n]`, by metric.

        The mean of each is reported as `test/NAME`, with its 95 % interval. Versions are compared by the first: higher
        is better, unless the objectives minimize `val/NAME`.

        Args:
            y: the targets, `[n, ...]`.
            predicted: the network's outputs, `[n, ...]`.
            run: gets figures and tables.
        """
        raise NotImplementedError

    def fit(self, run: Run, callbacks: Callbacks = ()) -> TrainingResult:
        import keras

        from .training.batches import Batches
        from .training.callbacks import check_objectives
        from .training.trainer import Trainer

        data, config = self.data, self.config
        run.log_dataset(self.name, data.digest, data.inputs)
        keras.utils.set_random_seed(config.seed)  # before build: the weights are drawn there
        model = self.build()
        if self.labels and model.output_shape != (None, len(self.labels)):
            got, allowed = model.output_shape, f"one for each of {len(self.labels)} labels"
            raise UserError(f"build: got outputs {got}; allowed is {allowed}")
        x, y = map(keras.ops.convert_to_tensor, (part[:2] for part in data.train))
        names = model.compute_metrics(x, y, model(x), None)
        model.reset_metrics()
        check_objectives(self.resolved_objectives, [f"{split}/{name}" for split in ("train", "val") for name in names])
        batches = Batches(*data.train, batch_size=config.batch_size, steps=config.steps_per_epoch, seed=config.seed)
        return Trainer.of(config).fit(model, batches, data.validation, run, callbacks)

    def test(self, model: "keras.Model", run: Run) -> TestResult:
        return self.evaluate(model, self.data.test, run)

    def evaluate(self, model: "keras.Model", examples: Pair, run: Run) -> TestResult:
        """What a network scores on examples, at least one."""
        from .statistics import mean_interval

        x, y = examples
        scores = self.score(y, model.predict(x, batch_size=1000, verbose=0), run)
        metrics: dict[str, float] = {}
        for name, values in scores.items():
            low, high = mean_interval(values.tolist())
            metrics |= {f"test/{name}": float(values.mean()), f"test/{name}_low": low, f"test/{name}_high": high}
        name, values = next(iter(scores.items()))
        sign = -1 if self.resolved_objectives.get(f"val/{name}") == "minimize" else 1
        return TestResult(
            metrics={**metrics, "test/examples": float(len(y))},
            per_example_scores={f"{i} in {self.dataset_digest}": sign * float(one) for i, one in enumerate(values)},
            score=f"test/{name}",
        )

    def package(self, model: "keras.Model", folder: Path) -> ModelArtifacts:
        """The network without its optimizer and its loss."""
        import keras

        example, network = self.data.test[0][:1], folder / "network.keras"
        keras.Model(model.inputs, model.outputs).save(network)
        values = np.round(example[0].astype(float), 4) if example.dtype.kind == "f" else example[0]
        typed = json.dumps(values.tolist(), separators=(",", ":")) if example.size <= MAX_TYPED else "example.npy"
        return ModelArtifacts(
            code=CODE,
            files={"network": network},
            settings={"type": str(example.dtype), "shape": list(example.shape[1:]), "labels": list(self.labels)},
            example=example,
            example_output=[*self.labels[:1]] or model.predict(example, verbose=0),
            cli_example={"query": typed},
        )

    def parse_query(self, query: str, out: str = "", seed: int = 0) -> PredictRequest:
        """One example, written as a list (of lists, for an image), or the path of an `.npy` file."""
        like = self.data.test[0]
        allowed = f"allowed is {like.dtype} {list(like.shape[1:])}, as a list such as [1,2,3] or in an .npy file"
        try:
            given = np.array(np.load(query) if query.endswith(".npy") else json.loads(query))
            with np.errstate(invalid="ignore"):
                example = given.astype(like.dtype)
        except Exception as error:  # json and numpy raise many kinds where there are no numbers
            raise ValueError(f"query: {query[:60]!r} cannot be read ({str(error)[:60]}); {allowed}") from None
        if example.shape != like.shape[1:] or (like.dtype.kind != "f" and (example != given).any()):
            raise ValueError(f"query: got {given.dtype} {list(given.shape)}, {query[:60]!r}; {allowed}")
        return PredictRequest(example[np.newaxis], show=_format_answer)


def _format_answer(outputs: Any) -> str:
    """The answer to one example: its label, or its numbers as JSON."""
    return outputs[0] if isinstance(outputs[0], str) else json.dumps(np.asarray(outputs[0]).tolist())
