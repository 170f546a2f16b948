"""Histories of metrics: the same to the last digit or not, and where they begin to differ."""

import math

from library.framework.reproduction.metric_diff import MetricDiff
from library.framework.reproduction.metric_diff import compare_histories as compare

NAN = math.nan


def test_equal_histories_are_the_same_and_what_is_new_is_no_difference() -> None:
    diff = compare({"a": {1: 0.1, 2: NAN}, "b": {2: 3.0}}, {"a": {1: 0.1, 2: NAN}, "b": {2: 3.0}, "c": {1: 9.0}})
    assert diff.is_same
    assert str(diff) == "the same to the last digit: 3 values of 2 metrics"
    assert [str(one) for one in diff.metrics] == ["same", "same"]


def test_the_last_digit_counts_and_the_first_and_the_largest_difference_are_named() -> None:
    then = {"loss": {1: 0.5, 2: 0.1, 3: 4.0}, "accuracy": {1: 1.0}}
    diff = compare(then, {"loss": {1: 0.5, 2: math.nextafter(0.1, 1), 3: 3.5}, "accuracy": {1: 1.0}})
    assert not diff.is_same
    assert diff.metrics[0] == MetricDiff("loss", 3, 0.5, 2, 0.1, math.nextafter(0.1, 1))
    first = "first at step 2: 0.1 then, 0.10000000000000002 now"
    assert str(diff.metrics[0]) == f"differs by up to 0.5, {first}"
    assert str(diff) == "different: 1 of 2 metrics, first at step 2, most in loss: by up to 0.5"
    assert diff.table() == {
        "metric": ["loss", "accuracy"], "same": [False, True], "values": [3, 1], "difference": [0.5, 0.0],
        "step": [2, None], "then": [0.1, None], "now": [math.nextafter(0.1, 1), None],
    }  # fmt: skip


def test_a_value_that_is_missing_or_no_number_in_one_alone_differs() -> None:
    for now in ({}, {"a": {1: 1.0}}, {"a": {1: 1.0, 2: NAN}}, {"a": {1: 1.0, 2: 2.0, 3: 3.0}}):
        diff = compare({"a": {1: 1.0, 2: 2.0}}, now)
        assert not diff.is_same
        assert diff.metrics[0].difference == math.inf
    assert str(diff) == "different: 1 of 1 metrics, first at step 3, most in a: values missing"
    assert str(diff.metrics[0]) == "differs, first at step 3: none then, 3.0 now"


def test_only_the_steps_that_count_are_compared_and_a_single_value_whatever_its_step() -> None:
    assert compare({"test": {3: 0.5}}, {"test": {7: 0.5}}).is_same
    assert compare({"test": {3: 0.5}}, {"test": {7: 0.25}}).metrics[0].difference == 0.25
    assert compare({"a": {1: 1.0, 2: 2.0}, "b": {2: 0.0}}, {"a": {1: 1.0}}, until=1).is_same
    assert [one.metric for one in compare({"a": {1: 1.0}, "b": {2: 0.0}}, {"a": {1: 1.0}}, until=1).metrics] == ["a"]


def test_final_scores_which_have_step_0_come_after_the_curves() -> None:
    diff = compare({"a": {0: 1.0}, "b": {2: 1.0}}, {"a": {0: 2.0}, "b": {2: 3.0}})
    assert [one.metric for one in diff.metrics] == ["b", "a"]
    assert str(diff) == "different: 2 of 2 metrics, first at step 2, most in b: by up to 2"
