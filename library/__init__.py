"""Cats & Sums: experiments with Keras models, tracked with MLflow and tuned with Optuna.

The names below are all that an experiment or a notebook needs; each is imported when it is first used, as tensorflow
and mlflow take seconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pydantic import Field

from library.framework.config import Config, ScheduleConfig, TrainingConfig
from library.framework.experiment import Experiment, ModelArtifacts, PredictRequest, TestResult, TrainingResult
from library.framework.run import Run

if TYPE_CHECKING:
    from library.framework.classification import Classifier
    from library.framework.comparison.spec import Baseline, Comparison
    from library.framework.registry.artifacts import load_model
    from library.framework.supervised import Supervised
    from library.framework.tracking.store import open_store
    from library.framework.training.batches import Batches
    from library.framework.training.callbacks import EpochCallback
    from library.framework.training.optimizers import adamw
    from library.framework.training.splits import Examples, split
    from library.framework.training.trainer import Trainer

__all__ = [
    "Baseline", "Batches", "Classifier", "Comparison", "Config", "EpochCallback", "Examples", "Experiment", "Field",
    "ModelArtifacts", "PredictRequest", "Run", "ScheduleConfig", "Supervised", "TestResult", "Trainer",
    "TrainingConfig", "TrainingResult", "adamw", "load_model", "open_store", "split",
]  # fmt: skip

_LAZY = {
    "Baseline": "comparison.spec",
    "Batches": "training.batches",
    "Classifier": "classification",
    "Comparison": "comparison.spec",
    "EpochCallback": "training.callbacks",
    "Examples": "training.splits",
    "Supervised": "supervised",
    "Trainer": "training.trainer",
    "adamw": "training.optimizers",
    "load_model": "registry.artifacts",
    "open_store": "tracking.store",
    "split": "training.splits",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"library.framework.{_LAZY[name]}"), name)
