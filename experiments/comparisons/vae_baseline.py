"""The VAE against the plain one of the assignment: the networks of the CAE's baseline, and the mean squared error.

make compare-vae-baseline CATS=mlruns/cats/cat-faces
"""

from experiments.comparisons.cae_baseline import comparison as autoencoder
from library.framework.comparison.spec import Baseline

comparison = Baseline(
    experiment="vae",
    fields={**autoencoder.fields, "likelihood": "unit", "beta": 1, "beta_warmup": 0},
    figures=autoencoder.figures,
)
