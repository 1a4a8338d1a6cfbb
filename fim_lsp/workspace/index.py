"""Indexes a project's files: which names they define and where they lie, no text.

The numbers of files are packed into bytes: the garbage collector does not look at those, and would
hold up the event loop for 40 ms over as many arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fim_lsp.context.related_files import in_same_folder, is_test_or_header, subject_of

MAX_FILES = 100_000
MAX_NAMES = 200_000
"""Names; with the files they take some 60 MB, and most projects a thousandth of it."""
_MAX_PLACES = 8
"""Files of one name; a name that more of them define says little."""
_MAX_NEIGHBOURS = 64
_BYTES = 4
"""Bytes of the number of a file."""


class WorkspaceIndex:
    """The files that define a name, and those that lie beside another.

    Only grows: a file that has gone, or a name that a file has no longer, does no harm, since
    texts are read from the disk when they are wanted.  Written by one thread; others may read.
    """

    def __init__(self, max_files: int = MAX_FILES, max_names: int = MAX_NAMES) -> None:
        self._max_files, self._max_names = max_files, max_names
        self._paths: list[str] = []
        self._ids: dict[str, int] = {}
        self._defining: dict[str, bytes] = {}
        self._about: dict[str, bytes] = {}
        """Files by the name that a test and the tested file have in common."""
        self._in_folder: dict[str, bytes] = {}
        self.version = 0
        """Counts the changes that may matter to a prompt."""

    def __len__(self) -> int:
        return len(self._paths)

    def add(self, path: str, names: Iterable[str]) -> None:
        """Adds a file, or more names to one that is known."""
        number = self._ids.get(path)
        if number is None:
            if len(self._paths) == self._max_files:
                return
            number = self._ids[path] = len(self._paths)
            self._paths.append(path)
            _put(self._in_folder, path.rpartition("/")[0], number, _MAX_NEIGHBOURS)
            _put(self._about, subject_of(path), number, _MAX_NEIGHBOURS)
        for name in names:
            if name in self._defining or len(self._defining) < self._max_names:
                _put(self._defining, name, number, _MAX_PLACES)

    def defining(self, names: Iterable[str]) -> Iterator[str]:
        """Yields files that define one of the names; of a name that too many define, none."""
        for name in sorted(names):
            places = self._defining.get(name, b"")
            if len(places) < _MAX_PLACES * _BYTES:
                yield from self._files_at(places)

    def beside(self, path: str) -> Iterator[str]:
        """Yields the test of a file or the file that it tests, then files of the same folder."""
        about = self._files_at(self._about.get(subject_of(path), b""))
        yield from (other for other in about if is_test_or_header(path, other))
        same_folder = self._files_at(self._in_folder.get(path.rpartition("/")[0], b""))
        yield from (other for other in same_folder if in_same_folder(path, other))

    def _files_at(self, places: bytes) -> Iterator[str]:
        return (self._paths[number] for number in _numbers(places))


def _numbers(places: bytes) -> tuple[int, ...]:
    return tuple(
        int.from_bytes(places[at : at + _BYTES], "little") for at in range(0, len(places), _BYTES)
    )


def _put(table: dict[str, bytes], key: str, number: int, max_places: int) -> None:
    places = table.get(key, b"")
    if len(places) < max_places * _BYTES and number not in _numbers(places):
        table[key] = places + number.to_bytes(_BYTES, "little")
