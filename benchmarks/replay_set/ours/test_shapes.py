import pytest

from shapes import Point, Rectangle


@pytest.fixture
def square():
    return Rectangle(Point(0, 0), Point(2, 2))


def test_distance():
    assert Point(0, 0).distance(Point(3, 4)) == 5


def test_area(square):
    assert square.area() == 4


@pytest.mark.parametrize("point", [Point(0, 0), Point(1, 1), Point(2, 2)])
def test_contains(square, point):
    assert square.contains(point)


def test_does_not_contain(square):
    assert not square.contains(Point(3, 1))
