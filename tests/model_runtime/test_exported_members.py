"""The public names exist, are sorted, and bring nothing heavy until they are used."""

import pytest

import model_runtime


@pytest.mark.parametrize("name", model_runtime.__all__)
def test_every_public_name_is_there(name):
    assert getattr(model_runtime, name) is not None


def test_the_names_are_sorted_and_told():
    assert sorted(model_runtime.__all__) == model_runtime.__all__ == dir(model_runtime)


def test_another_name_is_an_ordinary_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        model_runtime.nonsense  # noqa: B018
