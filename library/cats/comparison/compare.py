"""Compares all three models in one MLflow run, with tables and figures, and writes a page of them.

The page is for readers without MLflow, the run for everybody else.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from library.cats.comparison import figures
from library.cats.comparison.markdown import page, table
from library.cats.comparison.registered import NAMES, Model, ModelSamples, data_of, load, sample
from library.cats.data.dataset import Cats
from library.cats.metrics import reconstruction
from library.cats.options import SideBySideOptions
from library.framework import environment
from library.framework.errors import UserError
from library.framework.run import columns_of
from library.framework.tracking import mlflow_run
from library.framework.tracking.store import Store

PAGE, ERROR = "cats.md", "_standard_error"
Row = dict[str, str | float]


def compare(options: SideBySideOptions, store: Store) -> Path:
    """Compares the models of a stage in a run of the experiment `cats`; returns the page.

    Raises as `load` and `data_of`, and UserError if the folder is not writable.
    """
    models = load(options.stage)
    data = data_of(models)
    folder = Path(options.out) if options.out else store.outputs / "cats" / "comparison"
    try:  # before the long computation whose results go there
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(f"out: {str(folder)!r} cannot be written ({error.strerror}); give another OUT=folder") from None
    command = environment.command("compare-cats", "", options.model_dump(exclude_defaults=True))
    versions = ", ".join(f"{NAMES[model.name]} {model.version}" for model in models)
    tags = {"command": command, "page": str(folder / PAGE), "models": versions}
    with mlflow_run.start_run(store, "cats", f"side by side, {options.stage}", tags=tags) as run:
        run.log_dataset("cats", data.digest, {"testing": data.test})
        rows = [_model_row(model, data) for model in models]
        samples = list(sample(models, data, options.n, options.features))
        scores: list[Row] = [{"model": one.model.name, "strategy": one.sampler, **one.scores} for one in samples]
        run.log_table("models", columns_of(rows))
        run.log_table("strategies", columns_of(scores))
        pictures = {}
        for name, figure in figures.all_of(models, samples, data, options.features).items():
            pictures[name] = f"cats-{name}.png"
            figure.savefig(folder / pictures[name], bbox_inches="tight")
            run.log_figure(name, figure)
        tables = [_format_model(row) for row in rows], [_format_samples(one) for one in samples]
        repeat = environment.command("compare-cats", "", options.model_dump(include={"stage", "n", "features"}))
        description = (
            f"    {repeat}\n\n"
            f"All three were trained on the same {len(data.train):,} images (digest {data.digest}) and are scored on "
            f"the same {len(data.test):,} test images, which no training saw: {options.n:,} samples of each strategy, "
            f"from the same noise, in the features of {options.features}. Errors are standard errors over images."
        )
        (folder / PAGE).write_text(page(description, *tables, pictures), encoding="utf-8")
    print(*map(table, tables), folder / PAGE, sep="\n\n")
    return folder / PAGE


def _model_row(model: Model, data: Cats) -> Row:
    """A model's size, training time and reconstruction errors; nan without an encoder."""
    row: Row = {
        "model": model.name,
        "version": model.version,
        "latent_size": model.python_model.latent_size,
        "parameters": model.run.metrics["model/parameters"],
        "training_seconds": model.run.metrics["time/training_seconds"],
    }
    errors = reconstruction.evaluate(data.test, model.reconstruct(data.test)) if model.has_encoder else {}
    names = [f"{measure}{suffix}" for measure in ("mean_squared_error", "psnr", "ssim") for suffix in ("", ERROR)]
    return row | {name: errors.get(f"test/{name}", np.nan) for name in names}


def _format_model(row: Row) -> dict[str, str]:
    return {
        "model": str(row["model"]),
        "version": str(row["version"]),
        "latent size": f"{row['latent_size']}",
        "parameters": f"{row['parameters']:,.0f}",
        "training": f"{float(row['training_seconds']) / 60:.1f} min",
        "mean squared error": _format_estimate(row, "mean_squared_error", 5),
        "PSNR [dB]": _format_estimate(row, "psnr", 2),
        "SSIM": _format_estimate(row, "ssim", 4),
    }


def _format_samples(one: ModelSamples) -> dict[str, str]:
    return {
        "model": one.model.name,
        "strategy": f"**{one.sampler}**" if one.is_best else one.sampler,
        "KID": _format_estimate(one.scores, "kid", 4),
        "Frechet distance": f"{one.scores['frechet_distance']:.2f}",
        **{name: f"{one.scores[name]:.3f}" for name in ("precision", "recall", "density", "coverage")},
        "memorization": f"{one.scores['memorisation_ratio']:.3f}",
    }


def _format_estimate(row: Mapping[str, str | float], name: str, digits: int) -> str:
    value, error = float(row[name]), float(row[f"{name}{ERROR}"])
    return "-" if np.isnan(value) else f"{value:.{digits}f} ± {error:.{digits}f}"
