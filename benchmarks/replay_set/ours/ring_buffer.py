"""A ring buffer of fixed size: the newest values push out the oldest."""

from collections.abc import Iterator


class RingBuffer:
    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError("size must be at least 1")
        self.size = size
        self.values: list[float] = []
        self.start = 0

    def append(self, value: float) -> None:
        if len(self.values) < self.size:
            self.values.append(value)
        else:
            self.values[self.start] = value
            self.start = (self.start + 1) % self.size

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[float]:
        for index in range(len(self.values)):
            yield self.values[(self.start + index) % self.size]

    def mean(self) -> float:
        return sum(self.values) / len(self.values) if self.values else 0.0
