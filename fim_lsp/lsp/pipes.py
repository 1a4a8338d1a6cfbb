"""Opens standard input and output for asyncio: pipes, files, sockets or a terminal.

A daemon thread reads and another one writes: the process need not wait for a read or a write that
never returns, and no work for the model can keep either waiting.  What lies between the threads
and the event loop is bounded on both sides.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import select
import threading

from fim_lsp.lsp.connection import MAX_WAITING_BYTES, PAUSE_BYTES

logger = logging.getLogger(__name__)

_READ_BYTES = 65_536
_RETRY_SECONDS = 0.1
_STUCK_SECONDS = 2.0
"""A client that has taken nothing for so long reads no more."""


class Input(asyncio.ReadTransport):
    """Feeds a stream reader from a descriptor, no faster than it is read."""

    def __init__(self, descriptor: int, reader: asyncio.StreamReader) -> None:
        super().__init__()
        self._descriptor, self._reader = descriptor, reader
        self._loop = asyncio.get_running_loop()
        self._may_read = threading.Event()
        self._is_paused = self._is_over = False
        reader.set_transport(self)
        threading.Thread(target=self._read, name="read stdin", daemon=True).start()

    def pause_reading(self) -> None:
        """Reads no further; the reader says so when it holds enough."""
        self._is_paused = True

    def resume_reading(self) -> None:
        """Reads on."""
        self._is_paused = False
        self._may_read.set()

    def end(self) -> None:
        """Takes nothing more, as if the client had closed its side."""
        if not self._is_over:
            self._is_over = True
            self._reader.feed_eof()

    def is_hung_up(self) -> bool:
        """Tells whether the client has closed its side, though there may be more to read."""
        if not hasattr(select, "poll"):  # Windows
            return False
        ends = select.POLLHUP | getattr(select, "POLLRDHUP", 0)
        poll = select.poll()
        poll.register(self._descriptor, ends)
        return any(found & ends for _, found in poll.poll(0))

    def _read(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            while data := self._chunk():
                self._may_read.clear()
                self._loop.call_soon_threadsafe(self._take, data)
                self._may_read.wait()
            self._loop.call_soon_threadsafe(self.end)

    def _take(self, data: bytes) -> None:
        if not self._is_over:
            try:
                self._reader.feed_data(data)
            except MemoryError:  # nothing may be lost of a stream
                self._loop.call_later(_RETRY_SECONDS, self._take, data)
                return
        if not self._is_paused:
            self._may_read.set()

    def _chunk(self) -> bytes:
        try:
            return os.read(self._descriptor, _READ_BYTES)
        except OSError as error:
            logger.info("standard input broke: %s", error)
            return b""


class Output:
    """Writes to a descriptor as the protocol wants it, and knows what has not left yet."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._waiting = 0
        self._error = ""
        self._progress = asyncio.Event()
        threading.Thread(target=self._write, name="write stdout", daemon=True).start()

    def write(self, data: bytes) -> None:
        """Sends bytes soon.

        Raises:
            BrokenPipeError: the client is gone, or has not read for too long.
        """
        if self._waiting > MAX_WAITING_BYTES:
            self.give_up(f"{MAX_WAITING_BYTES >> 20} MB wait to be read")
        if self._error:
            raise BrokenPipeError(self._error)
        self._waiting += len(data)
        self._queue.put(data)

    async def drain(self) -> None:
        """Waits while more than `PAUSE_BYTES` have not left yet.

        Raises:
            BrokenPipeError: as `write`.
        """
        while self._waiting > PAUSE_BYTES and not self._error:
            await self._progress.wait()
        if self._error:
            raise BrokenPipeError(self._error)

    async def finish(self) -> None:
        """Waits until all has left, or nothing leaves any more."""
        while self._waiting and not self._error and not await self.is_stuck():
            pass

    async def is_stuck(self) -> bool:
        """Tells whether something waits, and for some time none of it leaves."""
        if not self._waiting:
            return False
        try:
            await asyncio.wait_for(self._progress.wait(), _STUCK_SECONDS)
        except asyncio.TimeoutError:
            return True
        return False

    def give_up(self, reason: str) -> None:
        """Sends nothing more; whoever waits or writes is told why."""
        self._error = self._error or reason
        self._progressed()

    def _write(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            try:
                while True:
                    data = memoryview(self._queue.get())
                    while data:
                        written = os.write(self._descriptor, data[:_READ_BYTES])
                        data = data[written:]
                        self._loop.call_soon_threadsafe(self._has_left, written)
            except OSError as error:
                self._loop.call_soon_threadsafe(self.give_up, str(error))

    def _has_left(self, num_bytes: int) -> None:
        self._waiting -= num_bytes
        self._progressed()

    def _progressed(self) -> None:
        self._progress.set()  # whoever waits has this one
        self._progress = asyncio.Event()
