"""Reads data sets: tables of documents on this machine, and those of the Hugging Face hub.

A row says of its document what it knows: text, path, licence, origin.  The columns have many names;
`corpus.columns` of a recipe settles what `NAMES` does not.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from model_runtime.telemetry import import_silenced
from model_runtime.training.corpus.licences import Verdict, classify_text
from model_runtime.training.corpus.source import (
    MAX_FILE_BYTES,
    CorpusError,
    Opened,
    Share,
    SourceFile,
)
from model_runtime.training.recipe import CorpusRecipe

NAMES: dict[str, tuple[str, ...]] = {
    "text": ("text", "content", "code"),
    "path": ("path", "max_stars_repo_path", "file_path", "filename"),
    "licence": ("license", "licence", "licenses", "max_stars_repo_licenses", "detected_licenses"),
    "origin": ("origin", "repo_name", "max_stars_repo_name", "repo", "meta.pile_set_name"),
}
"""Columns in which a fact is looked for, in order; a dot leads into a column of columns."""
BY_DOCUMENT = Verdict("by document", "table", "")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A `.jsonl`, `.jsonl.gz`, `.jsonl.zst` or `.parquet` file."""

    path: Path
    name: str
    version: str = ""
    is_shared = False

    def open(self, recipe: CorpusRecipe, share: Share) -> Opened:
        """Reads the table as `CorpusSource.open` says."""
        rows = _parquet_rows if self.path.suffix == ".parquet" else _json_rows
        return BY_DOCUMENT, files(rows(self.path), recipe, self.name)


@dataclass(frozen=True)
class HubDataset:
    """A streamed data set; nothing but the rows that are read is downloaded."""

    name: str
    options: tuple[tuple[str, str], ...]
    """Arguments of `datasets.load_dataset`: `split`, `name`, `revision`, `data_files`, `data_dir`.
    """
    limit: int = 0
    """Most rows of all tasks together; 0: all."""
    version: str = ""
    is_shared = True

    @classmethod
    def parse(cls, text: str) -> HubDataset:
        """Returns the data set of `NAME?split=train&limit=1000`, the part of a root behind `hf:`.

        >>> HubDataset.parse("org/set?name=python&limit=10").options
        (('name', 'python'), ('split', 'train'))
        """
        name, _, query = text.partition("?")
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
        limit = int(options.pop("limit", "0"))
        options.setdefault("split", "train")
        return cls(name, tuple(sorted(options.items())), limit)

    def open(self, recipe: CorpusRecipe, share: Share) -> Opened:
        """Reads the rows as `CorpusSource.open` says."""
        try:
            datasets = import_silenced("datasets")
            distributed = import_silenced("datasets.distributed")
        except ImportError as error:
            raise CorpusError("hf: needs datasets; run `pip install 'fim-lsp[train]'`") from error
        datasets.disable_progress_bars()
        dataset = datasets.load_dataset(self.name, streaming=True, **dict(self.options))
        if self.limit:
            dataset = dataset.take(self.limit)
        rows = distributed.split_dataset_by_node(dataset, share.rank, share.size)
        return BY_DOCUMENT, files(rows, recipe, self.name)


def files(rows: Iterable[Row], recipe: CorpusRecipe, table: str) -> Iterator[SourceFile]:
    """Yields the documents of the rows; a row without text is left out.

    Raises:
        CorpusError: no row of the table has text where it was looked for.
    """
    columns = {
        key: (recipe.columns[key],) if key in recipe.columns else NAMES[key] for key in NAMES
    }
    seen, found = 0, 0
    row: Row = {}
    for row in rows:
        seen += 1
        text = _value(row, columns["text"])
        if not text or len(text) > MAX_FILE_BYTES:
            continue
        found += 1
        path = _value(row, columns["path"])
        if path and not path.endswith(recipe.suffixes):
            continue
        licence = _value(row, columns["licence"]) or recipe.assumed_licence
        yield SourceFile(
            path,
            text.encode("utf-8", "surrogatepass"),
            _value(row, columns["origin"]) or table,
            "",
            classify_text("row", licence, recipe.licences),
        )
    if seen and not found:
        raise CorpusError(
            f"no row of {table} has text in {' or '.join(columns['text'])}; its columns are "
            f"{', '.join(row)}; set corpus.columns.text"
        )


def _value(row: Row, names: Iterable[str]) -> str:
    """Returns the first of these columns that says something; a list is joined."""
    for name in names:
        value: Any = row
        for key in name.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, list):
            value = ", ".join(map(str, value))
        if isinstance(value, str) and value:
            return value
    return ""


def _json_rows(path: Path) -> Iterator[Row]:
    with _opened(path) as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise ValueError(f"line {number} is not JSON: {error}") from error
                yield row if isinstance(row, dict) else {"text": row}


def _opened(path: Path) -> Any:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    if path.suffix == ".zst":
        import zstandard

        return io.TextIOWrapper(
            zstandard.ZstdDecompressor().stream_reader(open(path, "rb"), closefd=True),
            encoding="utf-8",
        )
    return open(path, encoding="utf-8")


def _parquet_rows(path: Path) -> Iterator[Row]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as table:
        for batch in table.iter_batches(batch_size=256):
            yield from batch.to_pylist()
