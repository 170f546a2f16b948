"""Which trials are on the Pareto front, and which of them wins."""

from hypothesis import given
from hypothesis import strategies as st

from library.framework.objectives import BestWithinTolerance, Objectives, pareto_front

TWO: Objectives = {"error": "minimize", "size": "minimize"}
rows = st.lists(st.fixed_dictionaries({"error": st.integers(-3, 3), "size": st.integers(-3, 3)}), max_size=12)
objectives = st.fixed_dictionaries({name: st.sampled_from(["minimize", "maximize"]) for name in ("error", "size")})


def of(*pairs: tuple[float, float]) -> list[dict[str, float]]:
    return [{"error": error, "size": size} for error, size in pairs]


def dominates(one: dict[str, float], other: dict[str, float], objectives: Objectives) -> bool:
    gains = [(other[n] - one[n]) * (1 if d == "minimize" else -1) for n, d in objectives.items()]
    return min(gains) >= 0 and max(gains) > 0


def test_the_front_of_one_objective_is_the_first_of_its_best() -> None:
    values = [{"score": score} for score in (2, 1, 3, 1, 3)]
    assert [pareto_front(values, {"score": direction}) for direction in ("minimize", "maximize")] == [[1], [2]]


@given(rows, objectives)
def test_a_front_holds_each_non_dominated_pair_once_and_its_winner_is_one_of_them(
    values: list[dict[str, float]], objectives: Objectives
) -> None:
    front = pareto_front(values, objectives)
    best = [i for i, own in enumerate(values) if not any(dominates(other, own, objectives) for other in values)]
    assert front == [i for i in best if values.index(values[i]) == i]
    if front:
        assert BestWithinTolerance()([values[index] for index in front], objectives) in range(len(front))


def test_the_winner_is_the_smallest_whose_error_is_near_the_least() -> None:
    front = of((1.00, 512), (1.04, 64), (1.06, 32), (9.0, 2))
    assert BestWithinTolerance()(front, TWO) == 1
    assert BestWithinTolerance(0.0)(front, TWO) == 0
    assert BestWithinTolerance(0.1)(front, TWO) == 2
    assert BestWithinTolerance()([{**one, "error": -1 / one["error"]} for one in front], TWO) == 1


def test_of_three_objectives_the_last_decides_among_those_that_are_near_in_the_others() -> None:
    three: Objectives = {"score": "maximize", "size": "minimize", "seconds": "minimize"}
    front = [
        {"score": 1.00, "size": 103, "seconds": 9},
        {"score": 0.96, "size": 100, "seconds": 8},
        {"score": 0.97, "size": 900, "seconds": 1},
        {"score": 0.10, "size": 1, "seconds": 1},
    ]
    assert BestWithinTolerance()(front, three) == 1
