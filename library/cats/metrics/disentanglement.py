"""Whether each dimension of a code stands for one thing: against the factors that images were drawn from.

DCI asks how well simple models recover the factors, and from how many dimensions each; MIG asks, without a model, how
much more of a factor the best dimension knows than the second best.
"""

from collections.abc import Mapping

import numpy as np

# Of the mutual information: codes and continuous factors are cut into so many bins (Locatello et al. 2019, appendix C).
BINS = 20
# Of each forest: more change nothing but the time, which is about 10 s for 2,000 codes of 64 dimensions and 13 factors.
TREES = 10


def dci(
    codes: np.ndarray, factors: Mapping[str, np.ndarray], test_codes: np.ndarray, test_factors: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Disentanglement, completeness, informativeness, each 0 to 1 (Eastwood and Williams 2018, section 2).

    A random forest learns each factor from the codes; how much it relies on each dimension gives the importances.
    `dci_disentanglement`: each dimension is important for one factor; `dci_completeness`: each factor has one important
    dimension; both weighted as in the paper, completeness evenly. `dci_informativeness`: how well the factors are
    predicted, on codes that no forest has seen, as the mean of their R^2, or of their share of right categories as far
    as it is above that of the commonest one; below 0 counts as 0. (The paper reports an error instead.)

    Args:
        codes: `[images, dimensions]` to learn from.
        factors: each `[images]`, by name; whole numbers and booleans are categories, others are continuous.
        test_codes: `[test images, dimensions]`.
        test_factors: of the same names and kinds.

    Raises:
        ValueError: a factor does not vary.
    """
    importances, scores = np.zeros((codes.shape[1], len(factors))), np.zeros(len(factors))
    for i, (name, values) in enumerate(factors.items()):
        importances[:, i], scores[i] = _recovered(name, codes, values, test_codes, test_factors[name])
    of_dimensions = importances.sum(axis=1)
    each = 1 - _entropy(importances, axis=1) / np.log(max(2, len(factors)))
    complete = 1 - _entropy(importances, axis=0) / np.log(max(2, len(importances)))
    return {
        "dci_disentanglement": float((each * of_dimensions).sum() / max(of_dimensions.sum(), 1e-12)),
        "dci_completeness": float(complete.mean()),
        "dci_informativeness": float(scores.mean()),
    }


def mig(codes: np.ndarray, factors: Mapping[str, np.ndarray]) -> float:
    """The mutual information gap, 0 to 1 (Chen et al. 2018, eq. 6), the mean over the factors.

    Of each factor, the information that the best dimension has about it, less what the second best has, over the
    factor's entropy. Codes and continuous factors are cut into 20 bins of equal width.

    Args:
        codes: `[images, dimensions]`, at least two dimensions.
        factors: each `[images]`, by name; whole numbers and booleans are categories, others are continuous.

    Raises:
        ValueError: a factor does not vary.
    """
    binned = [_bins(dimension) for dimension in codes.T]
    gaps = []
    for name, values in factors.items():
        _check_varies(name, values)
        truth = _bins(values) if _is_continuous(values) else np.unique(values, return_inverse=True)[1]
        second, best = np.sort([_mutual_information(dimension, truth) for dimension in binned])[-2:]
        gaps.append((best - second) / _mutual_information(truth, truth))
    return float(np.mean(gaps))


def _recovered(
    name: str, codes: np.ndarray, values: np.ndarray, test_codes: np.ndarray, test_values: np.ndarray
) -> tuple[np.ndarray, float]:
    """How much a forest that learns a factor relies on each dimension, `[dimensions]`, and how well it does, 0 to 1."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    _check_varies(name, values)
    continuous = _is_continuous(values)
    kind = RandomForestRegressor if continuous else RandomForestClassifier
    # All dimensions at each branching: a forest that is kept from the right one leans on others, and says they matter.
    forest = kind(TREES, max_features=1.0, min_samples_leaf=5, random_state=0)
    forest.fit(codes, values)
    score = float(forest.score(test_codes, test_values))
    if not continuous:
        commonest = np.unique(test_values, return_counts=True)[1].max() / len(test_values)
        score = (score - commonest) / max(1 - commonest, 1e-12)
    return forest.feature_importances_, max(0.0, score)


def _entropy(weights: np.ndarray, axis: int) -> np.ndarray:
    """The entropy along an axis of weights that are made to sum to 1 along it, in nats."""
    shares = weights / np.maximum(weights.sum(axis=axis, keepdims=True), 1e-12)
    logarithms = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropy: np.ndarray = -(shares * logarithms).sum(axis=axis)
    return entropy


def _mutual_information(a: np.ndarray, b: np.ndarray) -> float:
    """Of two arrays of category numbers, in nats; of one with itself that is its entropy."""
    counts = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(counts, (a, b), 1)
    joint = counts.ravel()[np.newaxis]
    apart = _entropy(counts.sum(axis=1)[np.newaxis], axis=1) + _entropy(counts.sum(axis=0)[np.newaxis], axis=1)
    return float((apart - _entropy(joint, axis=1))[0])


def _bins(values: np.ndarray) -> np.ndarray:
    edges = np.linspace(values.min(), values.max(), BINS + 1)
    return np.digitize(values, edges[1:-1])


def _is_continuous(values: np.ndarray) -> bool:
    return np.issubdtype(values.dtype, np.floating)


def _check_varies(name: str, values: np.ndarray) -> None:
    if len(np.unique(values)) < 2:
        raise ValueError(f"factor {name}: got {values[:1].tolist()} throughout; allowed are values that vary")
