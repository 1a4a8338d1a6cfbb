"""Newest wins per document."""

import asyncio

import pytest

from fim_lsp.completion.pending import PendingRequests, Superseded


async def forever() -> None:
    await asyncio.Event().wait()


async def test_a_newer_request_supersedes_the_older_one_at_once():
    scheduler = PendingRequests()
    with scheduler.begin("a") as older:
        waiting = asyncio.ensure_future(older.until_superseded(forever()))
        await asyncio.sleep(0)
        with scheduler.begin("a") as newer:
            with pytest.raises(Superseded):
                await asyncio.wait_for(waiting, 1)
            await newer.pause(0)


async def test_requests_of_different_documents_do_not_meet():
    scheduler = PendingRequests()
    with scheduler.begin("a") as one, scheduler.begin("b") as two:
        await one.pause(0)
        await two.pause(0)


async def test_a_pause_ends_early_when_superseded():
    scheduler = PendingRequests()
    with scheduler.begin("a") as older:
        waiting = asyncio.ensure_future(older.pause(60))
        await asyncio.sleep(0)
        scheduler.supersede("a")
        with pytest.raises(Superseded):
            await asyncio.wait_for(waiting, 1)


async def test_an_undisturbed_pause_and_work_come_to_their_end():
    scheduler = PendingRequests()

    async def work() -> int:
        return 42

    with scheduler.begin("a") as ticket:
        await ticket.pause(0)
        assert 42 == await ticket.until_superseded(work())


async def test_a_cancelled_request_is_forgotten():
    scheduler = PendingRequests()

    async def request() -> None:
        with scheduler.begin("a") as ticket:
            await ticket.until_superseded(forever())

    task = asyncio.ensure_future(request())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not scheduler.supersede("a")


async def test_an_error_of_superseded_work_is_nobodys_business(caplog):
    scheduler = PendingRequests()

    async def fail_later() -> None:
        await asyncio.sleep(0)
        raise RuntimeError("late")

    with scheduler.begin("a") as ticket:
        waiting = asyncio.ensure_future(ticket.until_superseded(fail_later()))
        scheduler.supersede("a")
        with pytest.raises(Superseded):
            await waiting
    await asyncio.sleep(0.01)
    assert not caplog.records
