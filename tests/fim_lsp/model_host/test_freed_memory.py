"""Memory of models that were closed, and of texts that are kept no longer, is free again."""

import asyncio
import gc
import platform
import subprocess
import sys
import weakref

import pytest

from fim_lsp.model_host.host import ModelHost
from fim_lsp.model_host.loader import load_model
from fim_lsp.settings import Settings
from model_runtime.served_model import ServedModel

ENGINE = {"engine": "onnx", "threads": 1}


class Loader:
    """Loads the embedded model, and knows what is left of all that it has loaded."""

    def __init__(self) -> None:
        self.tokenizers: list[weakref.ref] = []

    def __call__(self, settings: Settings) -> ServedModel:
        model = load_model(settings)
        self.tokenizers.append(weakref.ref(model.encoder.tokenizer))
        return model

    @property
    def left(self) -> int:
        return sum(tokenizer() is not None for tokenizer in self.tokenizers)


@pytest.fixture
def without_collections():
    """Lets Python collect nothing by itself, as a server that makes few objects does for long."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def is_so(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


async def switch(host: ModelHost, **settings: object) -> None:
    host.apply(Settings(**{**ENGINE, **settings}))
    await is_so(lambda: host.status.progress is None)


@pytest.mark.usefixtures("without_collections")
async def test_after_many_switches_one_model_is_left():
    loader = Loader()
    host = ModelHost(loader)
    await host.ready(Settings(**ENGINE))
    for number in range(6):
        await switch(host, prompt_memory_mb=50 + number)
        await host.run(lambda model: model.encoder.tokenizer.encode("x = 1"))

    assert 7 == len(loader.tokenizers)
    await is_so(lambda: loader.left == 1)
    host.close()


BLOCKS = """
import sys

import numpy

from fim_lsp.model_host.freed_memory import LARGE_BLOCK, return_large_blocks

def resident():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))

if sys.argv[1] == "returned":
    return_large_blocks()
del_first = numpy.ones(16 * LARGE_BLOCK, numpy.uint8)
del del_first  # glibc keeps blocks of this size from now on, where nobody forbids it
before = resident()
large, small = [], []
for _ in range(20):
    large.append(numpy.ones(4 * LARGE_BLOCK, numpy.uint8))
    small.append(numpy.ones(50_000, numpy.uint8))
used = resident() - before
large.clear()
print(used // LARGE_BLOCK, (resident() - before) // LARGE_BLOCK)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others return large blocks")
@pytest.mark.parametrize(("how", "most", "least"), [("returned", 5, 0), ("as glibc does", 200, 60)])
def test_large_blocks_between_small_ones_go_back_to_the_system(how: str, most: int, least: int):
    command = [sys.executable, "-c", BLOCKS, how]
    used, left = map(int, subprocess.check_output(command, text=True, timeout=60).split())

    assert used >= 75
    assert least <= left <= most
