"""The stream of rows is the same however it is made."""

import re
from pathlib import Path

import pytest
from attrs import evolve

from model_runtime.errors import ModelRuntimeError
from model_runtime.training.batches import START, RowSource, RowStream


def take(stream: RowStream, counts: list[int]) -> list[list[int]]:
    return [row for count in counts for row in stream.take(count).ids_RT.tolist()]


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers_gives_the_same_rows(source: RowSource, workers: int):
    with RowStream(source, START, 0) as stream:
        expected = take(stream, [7, 5])
    with RowStream(source, START, workers) as stream:
        assert expected == take(stream, [3, 9])


def test_what_a_worker_cannot_do_is_said_by_the_trainer(source: RowSource, tmp_path: Path):
    broken = tmp_path / "tokenizer.json"
    broken.write_text("{}")
    with (
        RowStream(evolve(source, tokenizer=broken), START, 1) as stream,
        pytest.raises(ModelRuntimeError, match=re.escape(str(broken))),
    ):
        stream.take(1)


def test_a_stream_goes_on_where_another_stopped(source: RowSource):
    with RowStream(source, START, 0) as stream:
        expected = take(stream, [17])
    with RowStream(source, START, 0) as stream:
        first = take(stream, [6])
        place = stream.place
    with RowStream(source, place, 0) as stream:
        assert expected == first + take(stream, [11])


def test_an_epoch_holds_each_document_once_and_the_next_one_in_another_order(source: RowSource):
    blocks = source.open()
    epochs = [
        [
            d
            for i in range(blocks.per_epoch)
            for d in blocks.documents_of(epoch * blocks.per_epoch + i)
        ]
        for epoch in (0, 1)
    ]

    assert list(range(len(blocks.encoder.documents))) == sorted(epochs[0]) == sorted(epochs[1])
    assert epochs[0] != epochs[1]
