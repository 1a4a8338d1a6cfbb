"""Makes the endless stream of rows that a run is trained on.

The documents of an epoch are permuted by (seed, epoch) and divided into blocks; the examples of a
block are packed together.  A position in the stream is one integer: a checkpoint needs nothing
else.  Training processes and their workers only decide who makes a block, not what is in it: each
process makes its share of the blocks and shows them to the others, so all see the same stream.
"""

from __future__ import annotations

import itertools
import math
import multiprocessing
import os
import queue as queues_module
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from attrs import frozen

from model_runtime.errors import ModelRuntimeError
from model_runtime.prompt.orders import FimTokens
from model_runtime.prompt.tokenizer import FimTokenizer
from model_runtime.training.context_rows import contexts
from model_runtime.training.corpus.source import CorpusError
from model_runtime.training.documents import Documents
from model_runtime.training.encode import TOO_LONG, Encoder, Example
from model_runtime.training.keyed_random import KeyedRandom
from model_runtime.training.packing import PackedRows, join, pack, rows_from
from model_runtime.training.parallel import Processes
from model_runtime.training.recipe import DataRecipe

IntArray = npt.NDArray[np.int64]


@frozen
class RowSource:
    """Everything that decides which rows come; a worker builds its own readers from it."""

    folder: Path
    """Folder of the unpacked corpus."""
    tokenizer: Path
    tokens: FimTokens
    data: DataRecipe
    context: int
    block_mb: float
    seed: int

    def open(self, kind: str = "train") -> BlockBuilder:
        """Returns a builder of blocks over the documents of this kind (`train` or `valid`)."""
        documents = Documents(self.folder, kind)
        tokenizer = FimTokenizer.from_file(self.tokenizer)
        return BlockBuilder(
            self, Encoder(documents, tokenizer, self.tokens, self.data, self.context, self.seed)
        )


class StreamPosition(NamedTuple):
    """Position of the next row in the stream."""

    block: int
    """Number of the block, counted through all epochs."""
    row: int

    @property
    def number(self) -> int:
        """The position as one integer.

        >>> StreamPosition.at(StreamPosition(7, 11).number)
        StreamPosition(block=7, row=11)
        """
        return self.block * _MAX_ROWS + self.row

    @classmethod
    def at(cls, number: int) -> StreamPosition:
        """Returns the position of a number that `number` gave."""
        return cls(*divmod(number, _MAX_ROWS))


_MAX_ROWS = 1 << 24
"""Limit on the rows of a block."""
START = StreamPosition(0, 0)


class Block(NamedTuple):
    """PackedRows that were packed together."""

    rows: PackedRows
    bytes_per_token: float
    too_long: int
    """Number of windows left out because their middle did not fit into the context."""
    per_epoch: int
    """Number of blocks in which each document comes once."""


class BlockBuilder:
    """Builds any block by its number."""

    def __init__(self, source: RowSource, encoder: Encoder) -> None:
        self.source, self.encoder = source, encoder
        entries = encoder.documents.entries
        self._chosen = np.array(
            [
                i
                for i, entry in enumerate(entries)
                if not (source.data.skip_stubs and entry.is_stub)
            ],
            np.int64,
        )
        self._sizes = encoder.documents.sizes[self._chosen]
        self.per_epoch = max(1, math.ceil(self._sizes.sum() / (source.block_mb * 1e6)))
        self._dealt: tuple[int, IntArray, IntArray] | None = None
        """Epoch, its documents in order, and the block of each."""

    def documents_of(self, number: int) -> list[int]:
        """Returns the documents of a block; the blocks of an epoch hold each document once."""
        epoch, place = divmod(number, self.per_epoch)
        if self._dealt is None or self._dealt[0] != epoch:
            order = np.random.default_rng([self.source.seed, epoch]).permutation(len(self._chosen))
            blocks = np.cumsum(self._sizes[order]) * self.per_epoch // (self._sizes.sum() + 1)
            self._dealt = epoch, self._chosen[order], blocks
        _, documents, blocks = self._dealt
        first, last = np.searchsorted(blocks, [place, place + 1])
        return [int(document) for document in documents[first:last]]

    def make(self, number: int) -> Block:
        """Returns the rows of a block; there may be none."""
        rng = KeyedRandom(self.source.seed, "block", number)
        pad, length = self.source.tokens.pad or 0, self.source.context
        if self.source.data.level == "context":
            drawn = self._contexts(number)
            members = [[sequence.ids for sequence in row if sequence.ids] for row in drawn]
            rng.shuffle(members)
            rows = rows_from(members, length, pad)
        else:
            drawn = [self._sequences(number)]
            ids = [sequence.ids for sequence in drawn[0] if sequence.ids]
            rows = pack(ids, length, pad, rng)
        text_bytes = int(self.encoder.bytes_of_ids[rows.ids_RT].sum())
        num_tokens = sum(map(sum, rows.lengths))
        too_long = sum(sequence.kind == TOO_LONG for row in drawn for sequence in row)
        return Block(rows, text_bytes / max(1, num_tokens), too_long, self.per_epoch)

    def _sequences(self, number: int) -> list[Example]:
        epoch = number // self.per_epoch
        return [
            sequence
            for document in self.documents_of(number)
            for sequence in self.encoder.sequences(document, epoch)
        ]

    def _contexts(self, number: int) -> list[list[Example]]:
        epoch = number // self.per_epoch
        return list(contexts(self.encoder, self.documents_of(number), epoch))


class RowStream:
    """Yields rows in order, made by worker processes ahead of time, or by this one if there are
    none.

    All training processes must take the same rows at the same time: `take` may talk to them.
    """

    def __init__(
        self,
        source: RowSource,
        place: StreamPosition,
        workers: int,
        training: Processes | None = None,
    ) -> None:
        self.place = place
        """Position of the next row that `take` gives."""
        self.bytes_per_token = 1.0
        """Bytes per token of the block read last."""
        self.too_long = 0
        """Windows left out of the blocks read since the start, since their middle did not fit."""
        self.waited = 0.0
        """Seconds in which `take` had nothing to give."""
        self._empty = 0
        """Blocks without a row since the last one that had some."""
        self._ready: PackedRows | None = None
        self._processes: list[Any] = []
        self._training = training or Processes()
        own = self._from_workers(source, workers) if workers else self._here(source)
        self._blocks = itertools.chain.from_iterable(map(self._training.gather, own))

    def take(self, count: int) -> PackedRows:
        """Returns the next rows.

        Raises:
            CorpusError: no document of a whole epoch gave a row, so that none ever would come.
        """
        taken = []
        while count:
            if self._ready is None:
                started = time.monotonic()
                block = next(self._blocks)
                self.waited += time.monotonic() - started
                self._ready, self.bytes_per_token = block.rows, block.bytes_per_token
                self.too_long += block.too_long
                self._empty = 0 if len(block.rows) else self._empty + 1
                if self._empty >= block.per_epoch:
                    raise CorpusError(
                        "no document gave a row in a whole epoch: data.skip_stubs, "
                        "data.min_docstrings and data.test_share leave all of them out, or no "
                        "middle fits into the context"
                    )
            piece = self._ready.take(self.place.row, self.place.row + count)
            count -= len(piece)
            self.place = StreamPosition(self.place.block, self.place.row + len(piece))
            if self.place.row >= len(self._ready):
                self.place, self._ready = StreamPosition(self.place.block + 1, 0), None
            taken.append(piece)
        return join(taken)

    def __enter__(self) -> RowStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()

    def _here(self, source: RowSource) -> Iterator[Block]:
        blocks, training = source.open(), self._training
        first = self.place.block + training.rank
        return map(blocks.make, itertools.count(first, training.size))

    def _from_workers(self, source: RowSource, workers: int) -> Iterator[Block]:
        # spawn: a fork of a process whose torch has threads may hang
        context = multiprocessing.get_context("spawn")
        queues = [context.Queue(2) for _ in range(workers)]
        rank, size = self._training.rank, self._training.size
        for i, queue in enumerate(queues):
            first = self.place.block + rank + i * size
            arguments = (source, first, workers * size, queue, os.getpid())
            process = context.Process(target=_work, args=arguments, daemon=True)
            process.start()
            self._processes.append(process)
        return self._collect(queues)

    def _collect(self, queues: list[Any]) -> Iterator[Block]:
        for queue, process in itertools.cycle(zip(queues, self._processes, strict=True)):
            while True:
                try:
                    made: Block | ModelRuntimeError = queue.get(timeout=5)
                    if isinstance(made, ModelRuntimeError):
                        raise made
                    yield made
                    break
                except queues_module.Empty:
                    if not process.is_alive():
                        raise RuntimeError(
                            f"a loader worker ended with code {process.exitcode}"
                        ) from None


def _work(source: RowSource, first: int, stride: int, queue: Any, parent: int) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one core each
    try:
        blocks = source.open()
        for number in itertools.count(first, stride):
            _hand_over(blocks.make(number), queue, parent)
    except ModelRuntimeError as error:  # one sentence, which the trainer says in its own name
        _hand_over(error, queue, parent)


def _hand_over(made: Block | ModelRuntimeError, queue: Any, parent: int) -> None:
    while True:
        if os.getppid() != parent:  # the trainer was killed
            os._exit(0)  # without waiting for a queue that nobody reads
        try:
            queue.put(made, timeout=5)
            return
        except queues_module.Full:
            continue
