"""Power spectra: a wave is found at its frequency, and blur, grids and noise show."""

import numpy as np
import pytest

from library.cats.feature_network.degradations import degrade
from library.cats.metrics.spectra import radial_spectrum, spectral_distance

IMAGES = np.random.default_rng(0).integers(60, 196, (20, 15, 15, 3), dtype=np.uint8).repeat(5, axis=1).repeat(5, axis=2)


@pytest.mark.parametrize("waves", [3, 12, 30])
def test_a_wave_has_its_power_at_its_frequency(waves: int) -> None:
    wave = 100 * np.sin(2 * np.pi * waves * np.arange(75) / 75)
    images = np.tile((128 + wave).astype(np.uint8)[:, np.newaxis, np.newaxis], (2, 1, 75, 3))
    assert radial_spectrum(images).shape == (37,)
    assert radial_spectrum(images).argmax() + 1 == waves


@pytest.mark.parametrize("name", ["blur", "checkerboard", "noise"])
def test_the_distance_rises_with_a_degradation_from_0(name: str) -> None:
    found = [spectral_distance(IMAGES, degrade(IMAGES, name, strength)) for strength in (0.3, 0.6, 1.0)]
    assert found == sorted(found)
    assert found[0] > 0.1
    assert spectral_distance(IMAGES, IMAGES) == 0
