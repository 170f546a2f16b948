"""The sign test and the intervals have known values; the better model is better, whichever comes first."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from library.framework.statistics import PairedComparison, mean_interval, sign_test, wilson_interval
from library.framework.statistics import compare_examples as compare

scores = st.dictionaries(st.sampled_from("abcdefghijkl"), st.sampled_from([0.0, 0.25, 1.0]))


@pytest.mark.parametrize(
    ("wins", "losses", "p_value"),
    [
        *[(0, 0, 1.0), (1, 0, 1.0), (3, 3, 1.0), (5, 0, 2 / 32), (0, 6, 2 / 64), (9, 1, 22 / 1024), (1, 9, 22 / 1024)],
        *[(1100, 1100, 1.0), (3000, 0, 0.0)],  # beyond the range of floats
    ],
)
def test_the_sign_test_gives_known_values(wins: int, losses: int, p_value: float) -> None:
    assert sign_test(wins, losses) == pytest.approx(p_value)


@pytest.mark.parametrize(
    ("successes", "n", "interval"),
    [(8, 10, (0.4902, 0.9433)), (0, 10, (0, 0.2775)), (10, 10, (0.7225, 1)), (50, 100, (0.4038, 0.5962))],
)
def test_the_interval_gives_known_values(successes: int, n: int, interval: tuple[float, float]) -> None:
    assert wilson_interval(successes, n) == pytest.approx(interval, abs=5e-5)


def test_only_common_examples_count_and_without_one_nothing_is_better() -> None:
    candidate = {"1+1": 1.0, "1+2": 1.0, "1+3": 0.0, "9+9": 1.0, "8+8": 1.0}
    champion = {"1+1": 0.0, "1+2": 1.0, "1+3": 1.0, "7+7": 1.0}
    assert compare(candidate, champion) == PairedComparison(examples=3, wins=1, losses=1, p_value=1.0)
    comparison = compare({"a": 1.0}, {"b": 0.0})
    assert comparison == PairedComparison(examples=0, wins=0, losses=0, p_value=1.0)
    assert not comparison.is_better()
    told = "better on 9, worse on 1 of 100 common test examples, p = 0.021"
    assert str(PairedComparison(100, 9, 1, 22 / 1024)) == told


@pytest.mark.parametrize(
    ("wins", "losses", "alpha", "better"),
    [
        *[(6, 0, 0.05, True), (5, 0, 0.05, False), (5, 0, 0.1, True), (9, 1, 0.05, True), (9, 1, 0.02, False)],
        *[(0, 6, 0.05, False), (1, 9, 0.05, False), (100, 100, 0.99, False), (0, 0, 0.99, False)],
    ],
)
def test_better_needs_more_wins_and_no_chance(wins: int, losses: int, alpha: float, better: bool) -> None:
    champion = {str(i): float(i >= wins) for i in range(wins + losses)}
    candidate = {name: 1 - score for name, score in champion.items()}
    comparison = compare(candidate, champion)
    assert (comparison.wins, comparison.losses) == (wins, losses)
    assert comparison.is_better(alpha) is better


@given(scores, scores)
def test_exchanging_the_models_exchanges_wins_and_losses(
    candidate: dict[str, float], champion: dict[str, float]
) -> None:
    there, back = compare(candidate, champion), compare(champion, candidate)
    assert (there.wins, there.losses) == (back.losses, back.wins)
    assert (there.examples, there.p_value) == (back.examples, back.p_value)
    assert not (there.is_better() and back.is_better())
    assert there.wins + there.losses <= there.examples == len(candidate.keys() & champion.keys())


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 1, 1, 0], wilson_interval(3, 4)), ([-1, -2, -3], (-3.1316, -0.8684)), ([2.0], (-math.inf, math.inf))],
)
def test_the_interval_of_a_mean(values: list[float], expected: tuple[float, float]) -> None:
    assert mean_interval(values) == pytest.approx(expected, abs=1e-4)
