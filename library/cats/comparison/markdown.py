"""The comparison as a page of Markdown, for readers without MLflow."""

from collections.abc import Mapping, Sequence

Rows = Sequence[Mapping[str, str]]

CAPTIONS = {
    "reconstructions": "Test images as the autoencoders reconstruct them",
    "samples": "Samples of each model by its best strategy, not selected",
    "strategies": "Every strategy of every model, from the same noise",
    "scores": "The scores of every strategy",
    "interpolations": "Interpolations between two real cats, which are shown at both ends",
    "interpolations-of-samples": "Interpolations between two random latent vectors",
    "nearest-neighbours": "The samples that are closest to any training image, above that image",
    "training-curves": "Validation scores during training",
}
MEANING = """\
A strategy is a distribution that latent vectors are sampled from; bold is each model's default, chosen on validation
images. KID (with its standard error) and the Frechet distance measure how samples and test images differ as a whole:
lower is better. Precision and density measure how many samples look real, recall and coverage how many test images the
samples reach. Memorization is the median distance of samples to their nearest training image over that of test images:
far below 1, a model reproduces training images."""


def table(rows: Rows) -> str:
    """Rows as a table, their keys above."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def page(description: str, models: Rows, strategies: Rows, pictures: Mapping[str, str]) -> str:
    """The whole page: what was compared and how, both tables, and the figures' files by the names in `CAPTIONS`."""
    sections = [
        f"## {name.replace('-', ' ').capitalize()}\n\n{CAPTIONS[name]}.\n\n![{CAPTIONS[name]}]({file})"
        for name, file in pictures.items()
    ]
    parts = ["# Cats: CAE, VAE and GAN side by side", description, table(models), "## Sampling strategies", MEANING]
    return "\n\n".join([*parts, table(strategies), *sections]) + "\n"
