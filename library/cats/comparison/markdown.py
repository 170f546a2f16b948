"""The comparison as a page of Markdown, to be read where there is no MLflow."""

from collections.abc import Mapping, Sequence

Rows = Sequence[Mapping[str, str]]

CAPTIONS = {
    "reconstructions": "Test images as the autoencoders reproduce them",
    "samples": "Samples of each model by its best strategy, not selected",
    "strategies": "Every strategy of every model, from the same noise",
    "scores": "The scores of every strategy",
    "interpolations": "Ways between two real cats, which stand at both ends as they are",
    "interpolations-of-samples": "Ways between two random latent vectors",
    "nearest-neighbours": "The samples that are nearest to any training image, above that image",
    "training-curves": "Validation scores while training",
}


def table(rows: Rows) -> str:
    """Rows as a table, their keys above."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def page(about: str, models: Rows, strategies: Rows, pictures: Mapping[str, str]) -> str:
    """The whole page.

    Args:
        about: what was compared, and how.
        models: a row for each model.
        strategies: a row for each model and strategy.
        pictures: file names of the figures, by the names in `CAPTIONS`.
    """
    shown = [
        f"## {_title(name)}\n\n{CAPTIONS[name]}.\n\n![{CAPTIONS[name]}]({file})" for name, file in pictures.items()
    ]
    parts = ["# Cats: CAE, VAE and GAN side by side", about, table(models), "## Sampling strategies", MEANING]
    return "\n\n".join([*parts, table(strategies), *shown]) + "\n"


MEANING = """\
A strategy is a distribution that latent vectors are drawn from; bold is the one that a model draws by unless told,
chosen on validation images. KID (with its standard error) and the Frechet distance say how unlike samples and test
images are as a whole: less is better. Precision and density say how many samples look real, recall and coverage how
many test images the samples reach. Memorisation is the median distance of samples to their nearest training image over
that of test images: far below 1, a model draws what it learnt by heart."""


def _title(name: str) -> str:
    return name.replace("-", " ").capitalize()
