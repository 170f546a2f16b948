"""One run, tables, figures and a page of all three models."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from library.cats.comparison import figures
from library.cats.comparison.markdown import page, table
from library.cats.comparison.registered import NAMES, Model, data_of, load
from library.cats.comparison.samples import Drawing, draw
from library.cats.data.dataset import Cats
from library.cats.metrics import reconstruction
from library.cats.options import SideBySideOptions
from library.framework import environment
from library.framework.errors import UserError
from library.framework.run import columns_of
from library.framework.tracking import mlflow_run
from library.framework.tracking.store import Store

PAGE, PREFIX = "cats.md", "cats-"
MEASURES = ("mean_squared_error", "psnr", "ssim")
Numbers = dict[str, str | float]


def compare(options: SideBySideOptions, store: Store) -> Path:
    """Compares the models of a stage in a run of the experiment `cats`, and returns the page that tells it.

    Raises:
        NotRegistered: a model has no version in that stage.
        UserError: the models were trained on different images, those are not there any more, or the folder cannot be
            written.
    """
    models = load(options.stage)
    data = data_of(models)
    folder = Path(options.out) if options.out else store.root / "cats" / "comparison"
    _prepare(folder)
    command = environment.command("compare", "", options.model_dump(exclude_defaults=True))
    compared = ", ".join(f"{NAMES[model.name]} {model.version}" for model in models)
    tags = {"command": command, "page": str(folder / PAGE), "models": compared}
    with mlflow_run.start_run(store, "cats", f"side by side, {options.stage}", tags=tags) as run:
        run.log_dataset("cats", data.digest, {"testing": data.test})
        known = [_known(model, data) for model in models]
        drawings = list(draw(models, data, options.n, options.features))
        drawn: list[Numbers] = [{"model": one.model.name, "strategy": one.strategy, **one.scores} for one in drawings]
        run.log_table("models", columns_of(known))
        run.log_table("strategies", columns_of(drawn))
        pictures = {}
        for name, figure in _figures(models, drawings, data, options.features).items():
            pictures[name] = f"{PREFIX}{name}.png"
            figure.savefig(folder / pictures[name], bbox_inches="tight")
            run.log_figure(name, figure)
        tables = [_shown(row) for row in known], [_marked(one) for one in drawings]
        (folder / PAGE).write_text(page(_about(data, options), *tables, pictures), encoding="utf-8")
    print(*map(table, tables), folder / PAGE, sep="\n\n")
    return folder / PAGE


def _prepare(folder: Path) -> None:
    """Makes the folder, before anything is worked out that is to be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(f"out: {str(folder)!r} cannot be written ({error.strerror}); give another OUT=folder") from None


def _known(model: Model, data: Cats) -> Numbers:
    """What a model is, and how well it reproduces the test images; nan where it cannot."""
    row: Numbers = {
        "model": model.name,
        "version": model.version,
        "latent_size": model.latent_size,
        "parameters": model.metrics["model/parameters"],
        "training_seconds": model.metrics["time/training_seconds"],
    }
    again = reconstruction.evaluate(data.test, model.reconstruct(data.test)) if model.reads else {}
    for measure in MEASURES:
        for name in (measure, f"{measure}_standard_error"):
            row[name] = again.get(f"test/{name}", np.nan)
    return row


def _figures(models: Sequence[Model], drawings: Sequence[Drawing], data: Cats, network: str) -> Mapping[str, Figure]:
    return {
        "reconstructions": figures.reconstructions(models, data.test),
        "samples": figures.drawn(drawings),
        "strategies": figures.strategies(drawings),
        "scores": figures.scores(drawings, network),
        "interpolations": figures.interpolations(models, data.test),
        "interpolations-of-samples": figures.interpolations_of_samples(models),
        "nearest-neighbours": figures.nearest_neighbours(drawings, data.train),
        "training-curves": figures.training_curves(models),
    }


def _about(data: Cats, options: SideBySideOptions) -> str:
    command = environment.command("compare", "", options.model_dump(include={"stage", "n", "features"}))
    return (
        f"    {command}\n\n"
        f"All three were trained on the same {len(data.train):,} images (digest {data.digest}) and are scored on the "
        f"same {len(data.test):,} test images, which no training saw: {options.n:,} samples of each strategy, from the "
        f"same noise, in the features of {options.features}. Errors are standard errors over images."
    )


def _shown(row: Numbers) -> dict[str, str]:
    """A model's row for people."""
    return {
        "model": str(row["model"]),
        "version": str(row["version"]),
        "latent size": f"{row['latent_size']}",
        "parameters": f"{row['parameters']:,.0f}",
        "training": f"{float(row['training_seconds']) / 60:.1f} min",
        "mean squared error": _estimate(row, "mean_squared_error", 5),
        "PSNR [dB]": _estimate(row, "psnr", 2),
        "SSIM": _estimate(row, "ssim", 4),
    }


def _marked(one: Drawing) -> dict[str, str]:
    """A strategy's row for people."""
    scores = {name: f"{one.scores[name]:.3f}" for name in ("precision", "recall", "density", "coverage")}
    return {
        "model": one.model.name,
        "strategy": f"**{one.strategy}**" if one.is_best else one.strategy,
        "KID": _estimate(one.scores, "kid", 4),
        "Frechet distance": f"{one.scores['frechet_distance']:.2f}",
        **scores,
        "memorisation": f"{one.scores['memorisation_ratio']:.3f}",
    }


def _estimate(row: Mapping[str, str | float], name: str, digits: int) -> str:
    value, error = float(row[name]), float(row[f"{name}_standard_error"])
    return "-" if np.isnan(value) else f"{value:.{digits}f} ± {error:.{digits}f}"
