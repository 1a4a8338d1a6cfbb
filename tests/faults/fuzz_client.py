"""A client that sends thousands of messages, and accounts for each answer."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from typing import Any, BinaryIO

from tests.support.wire import TIMEOUT_SECONDS, Message, frame, read_frame


class FuzzClient:
    """One connection.  A thread reads; what the server asks is answered with anything."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO, chance: random.Random) -> None:
        self._reader, self._writer = reader, writer
        self._chance = chance
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self.asked: dict[Any, Message] = {}
        self.answers: dict[Any, Message] = {}
        self.twice: list[Any] = []
        """Ids that were answered more than once."""
        self.unknown: list[Message] = []
        """Answers to nothing."""
        self.seen: Counter[str] = Counter()
        """Number of notifications and requests of the server, by method."""
        self.sent = 0
        self.is_over = False
        self._spare: list[Any] = [None, True, -1, "x", [], {}, [None], {"applied": 3}]
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def send(self, message: Message) -> None:
        """Sends a message, whatever it is; a request of it has to be answered."""
        number = message.get("id")
        if "method" in message and type(number) in (int, str):
            self.asked[number] = message
        self.send_bytes(frame(message))

    def send_bytes(self, data: bytes) -> None:
        with self._lock:
            self._writer.write(data)
            self._writer.flush()
            self.sent += 1

    def request(self, number: Any, method: str, params: Any) -> Any:
        """Sends a request, and returns what it is answered."""
        self.send({"id": number, "method": method, "params": params})
        self.wait_for({number})
        return self.answers[number]

    def wait_for_all(self) -> None:
        self.wait_for(set(self.asked))

    def wait_for(self, numbers: set[Any]) -> None:
        """Returns when all of these requests are answered.

        Raises:
            TimeoutError: some are not.
            ConnectionError: the server has hung up.
        """
        deadline = time.monotonic() + TIMEOUT_SECONDS
        with self._changed:
            while missing := numbers - self.answers.keys():
                if self.is_over:
                    raise ConnectionError(f"the server has hung up; unanswered: {missing}")
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"unanswered: {[self.asked[n] for n in missing][:3]}")

    def close(self) -> None:
        self._thread.join(TIMEOUT_SECONDS)
        self._reader.close()
        self._writer.close()

    def _read(self) -> None:
        try:
            while (message := read_frame(self._reader)) is not None:
                self._take(message)
        except (OSError, ValueError):
            pass
        with self._changed:
            self.is_over = True
            self._changed.notify_all()

    def _take(self, message: Message) -> None:
        number = message.get("id")
        if "method" in message:
            self.seen[message["method"]] += 1
            if "id" in message:
                self._answer(number)
            return
        with self._changed:
            if number in self.answers:
                self.twice.append(number)
            if number not in self.asked:
                self.unknown.append(message)
            self.answers[number] = message
            self._changed.notify_all()

    def _answer(self, number: Any) -> None:
        if self._chance.random() < 0.2:
            error = {"code": self._chance.choice([1, -32601, 2**40]), "message": "no"}
            self.send_bytes(frame({"id": number, "error": error}))
        else:
            self.send_bytes(frame({"id": number, "result": self._chance.choice(self._spare)}))
