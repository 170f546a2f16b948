"""The VAE against the assignment's plain VAE: the networks of the CAE's baseline, trained by mean squared error.

    make compare-vae-baseline CATS=mlruns/cats/cat-faces

Both use the same data and the same scores.
"""

from experiments.comparisons.cae_baseline import comparison as autoencoder
from library import Baseline

comparison = Baseline(
    experiment="vae",
    fields={**autoencoder.fields, "likelihood": "unit", "beta": 1, "beta_warmup": 0},
    figures=autoencoder.figures,
)
