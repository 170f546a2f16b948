"""What tests of cats share: TensorFlow without tracing, and features without a network, both of which take long."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def eager() -> Iterator[None]:
    """Runs TensorFlow's functions eagerly, and writes figures with few pixels."""
    import matplotlib
    import tensorflow as tf  # type: ignore[import-untyped]

    tf.config.run_functions_eagerly(True)
    with matplotlib.rc_context({"savefig.dpi": 30}):
        yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def coarse_features() -> Iterator[None]:
    """Features are images of 5x5 pixels."""
    import numpy as np

    from library.cats.models.feature_extractors import FeatureExtractor

    def coarse(_: FeatureExtractor, images: np.ndarray) -> np.ndarray:
        return images.reshape(-1, 5, 15, 5, 15, 3).mean(axis=(2, 4), dtype=np.float32).reshape(-1, 75)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureExtractor, "__call__", coarse)
        yield
