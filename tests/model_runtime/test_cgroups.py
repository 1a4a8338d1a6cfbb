"""Limits of containers, read from made files of both versions of control groups."""

import pytest

from model_runtime import cgroups
from model_runtime.hardware import usable_cores
from model_runtime.memory import available_memory, total_memory

GB = 10**9
NO_LIMIT = str(0x7FFFFFFFFFFFF000)


def made(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


V2, V1 = "sys/fs/cgroup", "sys/fs/cgroup/memory"
SERVICE = "0::/user.slice/editor.service"
CASES = {
    "no control groups": ({}, None, None),
    "no limit": ({"proc/self/cgroup": SERVICE, f"{V2}/user.slice/memory.max": "max"}, None, None),
    "the top of a container": (
        {
            "proc/self/cgroup": "0::/",
            f"{V2}/memory.max": 4 * GB,
            f"{V2}/memory.current": 3 * GB,
            f"{V2}/memory.stat": f"anon 5\ninactive_file {GB}",
        },
        4 * GB,
        2 * GB,
    ),
    "a parent has less than the group itself": (
        {
            "proc/self/cgroup": SERVICE,
            f"{V2}/user.slice/memory.max": 2 * GB,
            f"{V2}/user.slice/memory.current": GB,
            f"{V2}/user.slice/editor.service/memory.max": 8 * GB,
            f"{V2}/user.slice/editor.service/memory.current": 0,
        },
        2 * GB,
        GB,
    ),
    "a parent has more left, but not as much as the group lacks": (
        {
            "proc/self/cgroup": SERVICE,
            f"{V2}/user.slice/memory.max": 8 * GB,
            f"{V2}/user.slice/memory.current": 0,
            f"{V2}/user.slice/editor.service/memory.max": 3 * GB,
            f"{V2}/user.slice/editor.service/memory.current": 4 * GB,
        },
        3 * GB,
        0,
    ),
    "a name outside of the container": (
        {
            "proc/self/cgroup": "0::/../../other",
            f"{V2}/memory.max": GB,
            f"{V2}/memory.current": 0,
        },
        GB,
        GB,
    ),
    "the host's name in a container of version 1": (
        {
            "proc/self/cgroup": "5:cpu,cpuacct:/docker/1\n4:memory:/docker/1",
            f"{V1}/memory.limit_in_bytes": 5 * GB,
            f"{V1}/memory.usage_in_bytes": 2 * GB,
            f"{V1}/memory.stat": f"total_inactive_file {GB}",
        },
        5 * GB,
        4 * GB,
    ),
    "no limit in version 1": (
        {"proc/self/cgroup": "4:memory:/", f"{V1}/memory.limit_in_bytes": NO_LIMIT},
        None,
        None,
    ),
    "nonsense": (
        {"proc/self/cgroup": "x\n::\n0::/", f"{V2}/memory.max": "plenty"},
        None,
        None,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_smallest_limit_of_a_group_and_its_parents_counts(tmp_path, case):
    files, limit, free = CASES[case]
    root = made(tmp_path, files)

    assert limit == cgroups.memory_limit(root)
    assert free == cgroups.free_memory(root)


def test_memory_is_the_smaller_of_the_machines_and_the_containers(tmp_path):
    small = made(tmp_path / "small", CASES["the top of a container"][0])
    small = made(small, {f"{V2}/memory.max": 10**6, f"{V2}/memory.current": 400_000})
    large = made(tmp_path / "large", {"proc/self/cgroup": "0::/", f"{V2}/memory.max": 10**16})
    large = made(large, {f"{V2}/memory.current": 0})
    unlimited = tmp_path / "none"

    assert 10**6 == total_memory(small)
    assert 10**6 >= available_memory(small)
    assert total_memory(large) == total_memory(unlimited) > 10**8
    assert 0 < available_memory(large) <= total_memory(large)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"proc/self/cgroup": "0::/", f"{V2}/cpu.max": "max 100000"}, 8),
        ({"proc/self/cgroup": "0::/", f"{V2}/cpu.max": "250000 100000"}, 3),
        ({"proc/self/cgroup": "0::/", f"{V2}/cpu.max": "20000 100000"}, 1),
        ({"proc/self/cgroup": "0::/", f"{V2}/cpu.max": "6400000 100000"}, 8),
        ({"proc/self/cgroup": SERVICE, f"{V2}/user.slice/cpu.max": "200000 100000"}, 2),
        (
            {
                "proc/self/cgroup": "3:cpu,cpuacct:/",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            4,
        ),
        (
            {
                "proc/self/cgroup": "3:cpu,cpuacct:/",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            8,
        ),
    ],
)
def test_cores_that_a_container_has_no_time_for_do_not_count(tmp_path, monkeypatch, files, cores):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)

    assert cores == usable_cores(made(tmp_path, files))
