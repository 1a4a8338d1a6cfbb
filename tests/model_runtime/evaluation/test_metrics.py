"""Known answers, and properties against slow and obvious versions."""

import itertools
import math
import random
from functools import cache

import pytest

from model_runtime.evaluation import metrics


@pytest.mark.parametrize(
    ("samples", "passed", "k", "expected"),
    [
        (10, 3, 1, 0.3),
        (10, 3, 5, 0.9166666666666666),
        (10, 3, 10, 1.0),
        (200, 1, 10, 0.05),
        (5, 2, 3, 0.9),
        (7, 0, 7, 0.0),
        (1, 1, 1, 1.0),
    ],
)
def test_pass_at_k_has_its_known_answers(samples, passed, k, expected):
    assert math.isclose(expected, metrics.pass_at_k(samples, passed, k))


def test_pass_at_k_is_the_share_of_all_choices_of_k_with_a_pass():
    rows = [True] * 3 + [False] * 5
    choices = list(itertools.combinations(rows, 4))

    assert math.isclose(
        sum(any(choice) for choice in choices) / len(choices), metrics.pass_at_k(8, 3, 4)
    )


@pytest.mark.parametrize(
    ("samples", "passed", "k"), [(5, 2, 6), (5, 6, 1), (5, -1, 1), (5, 2, 0), (0, 0, 1)]
)
def test_pass_at_k_refuses_counts_that_cannot_be(samples, passed, k):
    with pytest.raises(ValueError):
        metrics.pass_at_k(samples, passed, k)


def test_a_bootstrap_interval_holds_the_mean_and_repeats():
    values = [float(number % 3 == 0) for number in range(300)]
    problems = [number // 5 for number in range(300)]
    first = metrics.cluster_bootstrap(values, problems, seed=1)

    assert 1 / 3 == pytest.approx(first.mean)
    assert first.low < first.mean < first.high
    assert first == metrics.cluster_bootstrap(values, problems, seed=1)


def test_independent_rows_give_the_interval_of_the_normal_approximation():
    values = [1.0] * 200 + [0.0] * 800
    found = metrics.cluster_bootstrap(values, list(range(1000)))
    half = 1.96 * math.sqrt(0.2 * 0.8 / 1000)

    assert 0.2 - half == pytest.approx(found.low, abs=0.003)
    assert 0.2 + half == pytest.approx(found.high, abs=0.003)


def test_rows_that_agree_within_problems_widen_the_interval():
    """Ten rows of one problem that pass or fail together are worth one."""
    values = [float(number // 10 % 2) for number in range(400)]
    alone = metrics.cluster_bootstrap(values, list(range(400)))
    clustered = metrics.cluster_bootstrap(values, [number // 10 for number in range(400)])

    assert 2.5 < (clustered.high - clustered.low) / (alone.high - alone.low) < 4.0


def test_problems_of_different_size_are_weighted_by_their_rows():
    found = metrics.cluster_bootstrap([1.0, 0.0, 0.0, 0.0], ["a", "b", "b", "b"])

    assert 0.25 == found.mean


@pytest.mark.parametrize(("values", "clusters"), [([], []), ([1.0], [1, 2])])
def test_a_bootstrap_needs_rows_with_clusters(values, clusters):
    with pytest.raises(ValueError):
        metrics.cluster_bootstrap(values, clusters)


def test_paired_differences_are_surer_than_two_intervals():
    """An arm that is better by the same tenth everywhere is better for sure."""
    generator = random.Random(0)
    tasks = [f"task {number}" for number in range(200)]
    theirs = {task: float(generator.random() < 0.5) for task in tasks}
    ours = {task: score + 0.1 for task, score in theirs.items()}
    problems = {task: number // 4 for number, task in enumerate(tasks)}
    found = metrics.paired_difference(ours, theirs, problems)

    assert 0.1 == pytest.approx(found.mean)
    assert 0.1 == pytest.approx(found.low)
    assert 0.1 == pytest.approx(found.high)


def test_a_paired_difference_of_ratios_with_equal_weights_is_one_of_means():
    generator = random.Random(1)
    problems = {f"task {number}": number // 3 for number in range(60)}
    ours, theirs = ({task: generator.random() for task in problems} for _ in range(2))
    found = metrics.paired_ratio_difference(
        [(ours[task], 1.0) for task in sorted(problems)],
        [(theirs[task], 1.0) for task in sorted(problems)],
        [problems[task] for task in sorted(problems)],
    )

    assert metrics.paired_difference(ours, theirs, problems) == pytest.approx(found)


def test_a_paired_difference_of_ratios_weighs_long_texts_more():
    """(8 + 2) / (1 + 4) bits per byte, less (4 + 4) / (1 + 4)."""
    found = metrics.paired_ratio_difference(
        [(8.0, 1.0), (2.0, 4.0)], [(4.0, 1.0), (4.0, 4.0)], ["a", "b"]
    )

    assert 2.0 - 1.6 == pytest.approx(found.mean)
    assert (2 - 4) / 4 == pytest.approx(found.low)  # "b" drawn twice
    assert (8 - 4) / 1 == pytest.approx(found.high)  # "a" drawn twice


@pytest.mark.parametrize(
    ("ours", "theirs", "clusters"),
    [([], [], []), ([(1.0, 1.0)], [], ["a"]), ([(1.0, 1.0)], [(1.0, 1.0)], [])],
)
def test_rows_that_cannot_be_paired_are_refused(ours, theirs, clusters):
    with pytest.raises(ValueError, match="cannot be paired"):
        metrics.paired_ratio_difference(ours, theirs, clusters)


def test_arms_that_attempted_different_tasks_are_not_compared():
    with pytest.raises(ValueError, match="2 tasks are in one of the two only, such as a"):
        metrics.paired_difference({"a": 1.0}, {"b": 1.0}, {"a": 0, "b": 1})


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(3, 1033, 0.0010, 0.0085), (16, 1033, 0.0096, 0.0250), (0, 10, 0.0, 0.2775)],
)
def test_wilson_has_its_known_answers(successes, trials, low, high):
    """The first two are the reference model's scores on the single-line split."""
    found = metrics.wilson(successes, trials)

    assert (low, high) == pytest.approx((found.low, found.high), abs=5e-5)


@pytest.mark.parametrize(("successes", "trials"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_proportion(successes, trials):
    with pytest.raises(ValueError):
        metrics.wilson(successes, trials)


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        ("return x", "  return x\n", True),
        ("return x", "return  x", False),
        ("", "\n", True),
        ("a", "", False),
    ],
)
def test_an_exact_match_ignores_outer_white_space_only(text, reference, expected):
    assert expected is metrics.is_exact_match(text, reference)


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        ("", "", 1.0),
        ("", "abc", 0.0),
        ("  abc\n", "abc", 1.0),
        ("kitten", "sitting", 1 - 3 / 7),
        ("flaw", "lawn", 0.5),
        ("🙂", "🙃", 0.0),
    ],
)
def test_edit_similarity_has_its_known_answers(text, reference, expected):
    assert math.isclose(expected, metrics.edit_similarity(text, reference))


def test_edit_similarity_agrees_with_the_definition():
    generator = random.Random(7)
    for _ in range(200):
        text = "".join(generator.choices("abc", k=generator.randrange(9)))
        reference = "".join(generator.choices("abc", k=generator.randrange(9)))
        longer = max(len(text), len(reference))
        expected = 1 - _distance(text, reference) / longer if longer else 1.0

        assert math.isclose(expected, metrics.edit_similarity(text, reference)), (text, reference)


@cache
def _distance(text, reference):
    if not text or not reference:
        return len(text) or len(reference)
    return min(
        _distance(text[1:], reference) + 1,
        _distance(text, reference[1:]) + 1,
        _distance(text[1:], reference[1:]) + (text[0] != reference[0]),
    )
