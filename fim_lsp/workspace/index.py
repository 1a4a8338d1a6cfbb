"""What is known of a project's files: names and places, no text.

The numbers of files are packed into bytes: the garbage collector does not look at those, and would
hold up the event loop for 40 ms over as many arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fim_lsp.context.related_files import in_same_folder, is_test_or_header, subject_of

MAX_FILES = 100_000
MAX_NAMES = 200_000
"""Both together take some 60 MB; most projects have a thousandth of it."""
_MAX_PLACES = 8
"""Of one name; a name that stands for more says little."""
_MAX_NEIGHBOURS = 64
_BYTES = 4
"""Of the number of a file."""


class WorkspaceIndex:
    """Where names are defined, and which files lie beside another.

    Only grows: a file that has gone, or a name that a file has no longer, does no harm, since
    texts are read from the disk when they are wanted.  Written by one thread; others may read.
    """

    def __init__(self, most_files: int = MAX_FILES, most_names: int = MAX_NAMES) -> None:
        self._most_files, self._most_names = most_files, most_names
        self._paths: list[str] = []
        self._ids: dict[str, int] = {}
        self._defining: dict[str, bytes] = {}
        self._about: dict[str, bytes] = {}
        """Files by the name that a test and what it tests have in common."""
        self._in_folder: dict[str, bytes] = {}
        self.version = 0
        """Another one after each change that may matter to a prompt."""

    def __len__(self) -> int:
        return len(self._paths)

    @property
    def num_names(self) -> int:
        """Names that are known."""
        return len(self._defining)

    def add(self, path: str, names: Iterable[str]) -> None:
        """Know a file, and more of it if it is known."""
        number = self._ids.get(path)
        if number is None:
            if len(self._paths) == self._most_files:
                return
            number = self._ids[path] = len(self._paths)
            self._paths.append(path)
            _put(self._in_folder, path.rpartition("/")[0], number, _MAX_NEIGHBOURS)
            _put(self._about, subject_of(path), number, _MAX_NEIGHBOURS)
        for name in names:
            if name in self._defining or len(self._defining) < self._most_names:
                _put(self._defining, name, number, _MAX_PLACES)

    def defining(self, names: Iterable[str]) -> Iterator[str]:
        """Files that define one of the names; of a name that stands in too many, none."""
        for name in sorted(names):
            places = self._defining.get(name, b"")
            if len(places) < _MAX_PLACES * _BYTES:
                yield from self._files_at(places)

    def beside(self, path: str) -> Iterator[str]:
        """The test of a file or what it tests, then files of the same folder."""
        about = self._files_at(self._about.get(subject_of(path), b""))
        yield from (other for other in about if is_test_or_header(path, other))
        siblings = self._files_at(self._in_folder.get(path.rpartition("/")[0], b""))
        yield from (other for other in siblings if in_same_folder(path, other))

    def _files_at(self, places: bytes) -> Iterator[str]:
        return (self._paths[number] for number in _numbers(places))


def _numbers(places: bytes) -> tuple[int, ...]:
    return tuple(
        int.from_bytes(places[at : at + _BYTES], "little") for at in range(0, len(places), _BYTES)
    )


def _put(table: dict[str, bytes], key: str, number: int, most: int) -> None:
    places = table.get(key, b"")
    if len(places) < most * _BYTES and number not in _numbers(places):
        table[key] = places + number.to_bytes(_BYTES, "little")
