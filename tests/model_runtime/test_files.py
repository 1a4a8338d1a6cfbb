"""Whole folders or nothing, whoever else builds the same one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model_runtime.files import building


@pytest.mark.parametrize("attempt", range(10))
def test_of_many_who_build_the_same_folder_each_succeeds_and_one_folder_is_left(
    tmp_path: Path, attempt: int
):
    target = tmp_path / "target"

    def build(number: int) -> None:
        with building(target) as folder:
            for name in ("one", "two"):
                (folder / name).write_text(str(number))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(build, range(48)))

    assert [target] == list(tmp_path.iterdir())
    assert (target / "one").read_text() == (target / "two").read_text()


def test_a_build_that_fails_leaves_the_earlier_folder(tmp_path: Path):
    target = tmp_path / "target"
    with building(target) as folder:
        (folder / "whole").touch()
    with pytest.raises(RuntimeError), building(target) as folder:
        (folder / "half").touch()
        raise RuntimeError

    assert [target] == list(tmp_path.iterdir())
    assert ["whole"] == [path.name for path in target.iterdir()]
