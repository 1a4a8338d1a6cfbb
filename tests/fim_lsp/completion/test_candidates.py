"""Several suggestions for who asks: different ones, the most probable of what is shown first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.completion.candidates import distinct, gather, mean_logprob_of
from fim_lsp.completion.trace import CandidateOutcome
from fim_lsp.suggestion import Completion
from model_runtime.decoding.generate import Finish, Generation
from model_runtime.engines.protocol import SamplingParams

GREEDY = SamplingParams(max_tokens=8, stop_ids=frozenset({0}))


def shown(text: str, mean_logprob: float = -1.0) -> Completion:
    return Completion(text, text, 0, 0, mean_logprob)


def written(text: str, *tokens: tuple[str, float]) -> Generation:
    ends, logprobs, length = [], [], 0
    for piece, logprob in tokens:
        length += len(piece)
        ends.append(length)
        logprobs.append(logprob)
    return Generation(text, tuple(logprobs), Finish.END, "", len(tokens), 9, 0, 0, ends=tuple(ends))


@pytest.mark.parametrize(
    ("texts", "left"),
    [
        (["a + b", "a - b"], ["a + b", "a - b"]),
        (["a + b", "a+b"], ["a + b"]),
        (["f()\n    g()", "f()\n\tg()"], ["f()\n    g()"]),
        (["a", "a + b"], ["a"]),
        (["a + b", "a"], ["a + b"]),
        (["a", "b", "a + b", "b + a"], ["a", "b"]),
        ([], []),
    ],
)
def test_of_texts_that_are_alike_the_most_probable_stays(texts, left):
    ranked = [shown(text, -float(number)) for number, text in enumerate(texts)]

    assert left == [completion.text for completion in distinct(reversed(ranked))]


@given(st.lists(st.tuples(st.text("ab \n", max_size=4), st.floats(-9, 0)), max_size=8))
def test_what_is_left_is_sorted_and_no_text_begins_with_another(pairs):
    left = distinct(shown(text, mean) for text, mean in pairs)
    bare = ["".join(one.text.split()) for one in left]

    assert sorted((one.mean_logprob for one in left), reverse=True) == [
        one.mean_logprob for one in left
    ]
    assert not [
        1 for i, a in enumerate(bare) for j, b in enumerate(bare) if i != j and b.startswith(a)
    ]


@pytest.mark.parametrize(
    ("text", "mean"),
    [
        ("a + b;", -2.0),
        ("a + b", -1.5),
        ("a", -1.0),
        ("  a", -1.0),  # an indentation that was fitted
    ],
)
def test_the_mean_is_that_of_the_tokens_shown(text, mean):
    generation = written("a + b;", ("a", -1.0), (" +", -1.5), (" b", -2.0), (";", -3.5))

    assert mean == pytest.approx(mean_logprob_of(text, generation))


def test_sampling_ends_when_there_are_enough():
    asked = []

    def generate(sampling):
        asked.append(sampling)
        return written(text := f"value {len(asked)}", (text, -1.0))

    kept, figures = gather(
        written("value 0", ("value 0", -0.1)),
        3,
        generate,
        lambda generation: shown(generation.text, mean_logprob_of(generation.text, generation)),
        GREEDY,
        lambda: False,
    )

    assert ["value 0", "value 1", "value 2"] == [completion.text for completion in kept]
    assert 2 == len(asked) == len({sampling.seed for sampling in asked})
    assert [(CandidateOutcome.KEPT, 9)] * 3 == [(one.outcome, one.cached_tokens) for one in figures]


@pytest.mark.parametrize(("is_over", "tries"), [(False, 5), (True, 1)])
def test_sampling_ends_after_two_tries_for_each_or_when_it_is_called_off(is_over, tries):
    same = written("a", ("a", -1.0))
    kept, figures = gather(
        same, 3, lambda sampling: same, lambda _: shown("a"), GREEDY, lambda: is_over
    )

    assert 1 == len(kept)
    assert tries == len(figures)


def test_what_the_filters_empty_is_no_candidate():
    nothing = written("", ("", -1.0))
    kept, figures = gather(nothing, 2, lambda _: nothing, lambda _: None, GREEDY, lambda: False)

    assert not kept
    assert {CandidateOutcome.FILTERED} == {one.outcome for one in figures}
