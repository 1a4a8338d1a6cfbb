"""Free space is that of the disk that a file would lie on."""

import shutil

from model_runtime.memory import free_disk


def test_a_folder_that_is_not_there_yet_is_on_the_disk_of_its_parent(tmp_path):
    inside = free_disk(tmp_path / "not" / "there" / "yet")

    assert 0 < inside <= shutil.disk_usage(tmp_path).total
