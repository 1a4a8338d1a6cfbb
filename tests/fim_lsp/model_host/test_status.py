"""The status of the model while it works."""

import asyncio

from fim_lsp.model_host.status import HostStatus, StatusPublisher
from tests.support.scripted_host import scripted_model


async def test_work_that_is_over_at_once_is_not_told():
    told: list[HostStatus] = []
    publisher = StatusPublisher(busy_after_seconds=600)
    publisher.show_model(scripted_model("a + b"), is_busy=False)
    publisher.subscribe(told.append)
    publisher.begin_work()
    await asyncio.sleep(0)
    publisher.end_work()
    assert [] == told


async def test_work_that_goes_on_is_told_and_so_is_its_end():
    changed: asyncio.Queue[str] = asyncio.Queue()
    publisher = StatusPublisher(busy_after_seconds=0)
    publisher.show_model(scripted_model("a + b"), is_busy=False)
    publisher.subscribe(lambda status: changed.put_nowait(status.state))
    publisher.begin_work()
    assert "busy" == await changed.get()
    publisher.end_work()
    assert "ready" == await changed.get()
