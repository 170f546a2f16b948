"""The distance of two sets of images by their power spectra: it shows blur and grids without any network.

A generator's upsampling leaves marks in the spectrum that features of a network may miss (Durall et al. 2020, Watch
your Up-Convolution: CNN Based Generative Deep Neural Networks are Failing to Reproduce Spectral Distributions).
"""

import numpy as np


def radial_spectrum(images: np.ndarray) -> np.ndarray:
    """The mean power of images `[n, side, side, 3]` at each whole number of waves per side, `[side // 2]`, from 1 up.

    Power is that of brightness from 0 to 255, summed over each ring of equal frequency and averaged over its places
    (azimuthal integration; Durall et al. 2020, section 2.3). A Hann window keeps the borders' jump out of it.
    """
    side = images.shape[1]
    window = np.outer(np.hanning(side), np.hanning(side)).astype(np.float32)
    frequencies = np.fft.fftfreq(side, 1 / side)
    rings = np.rint(np.hypot(frequencies[:, np.newaxis], frequencies[np.newaxis])).astype(int).ravel()
    power = np.zeros(side * side)
    for start in range(0, len(images), 500):
        brightness = images[start : start + 500].mean(axis=3, dtype=np.float32)
        centered = brightness - brightness.mean(axis=(1, 2), keepdims=True)
        power += np.square(np.abs(np.fft.fft2(centered * window))).sum(axis=0).ravel()
    sums, places = np.bincount(rings, power), np.bincount(rings)
    return (sums / places)[1 : side // 2 + 1] / len(images)


def spectral_distance(real: np.ndarray, samples: np.ndarray) -> float:
    """The root mean square over frequencies of the difference of mean log power, in decibels; 0 for equal spectra.

    Takes two sets of images `[n, side, side, 3]` of the same side, 0 to 255.
    """
    levels = [10 * np.log10(radial_spectrum(images) + 1e-6) for images in (real, samples)]
    return float(np.sqrt(np.mean(np.square(levels[0] - levels[1]))))
