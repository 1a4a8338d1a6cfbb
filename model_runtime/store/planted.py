"""Small files with planted lines: each line whose text is hidden stands elsewhere in its file, too.

A hidden line is marked with « at its start and » behind its line end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from model_runtime.prompt.encoder import Hole

_MARKED = re.compile("«([^»]*)»")


class Planted(NamedTuple):
    """A place in a file, and what stands there."""

    hole: Hole
    middle: str
    """One whole line, with its line end."""


def planted_lines() -> Iterator[Planted]:
    """Yields every planted line; in the text around it all the others are to be seen."""
    for text in _FILES:
        for marked in _MARKED.finditer(text):
            before, after = text[: marked.start()], text[marked.end() :]
            yield Planted(Hole(_without_marks(before), _without_marks(after)), marked[1])


def _without_marks(text: str) -> str:
    return text.translate({ord("«"): None, ord("»"): None})


_PYTHON_TABLES = """\
import csv


def load_orders(path):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    print("loaded", len(rows), "rows from", path)
    return rows


def load_customers(path):
    with open(path, newline="") as file:
«        rows = list(csv.DictReader(file))
»    print("loaded", len(rows), "rows from", path)
    return rows


def load_prices(path):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
«    print("loaded", len(rows), "rows from", path)
»    return rows


def load_stock(path):
«    with open(path, newline="") as file:
»        rows = list(csv.DictReader(file))
    print("loaded", len(rows), "rows from", path)
    return rows
"""
_PYTHON_ACCOUNT = """\
class Account:
    def __init__(self, owner, balance):
        self.owner = owner
        self.balance = balance

    def deposit(self, amount):
        if amount <= 0:
            raise ValueError("amount must be positive")
        self.balance += amount
        return self.balance

    def withdraw(self, amount):
        if amount <= 0:
«            raise ValueError("amount must be positive")
»        self.balance -= amount
        return self.balance

    def transfer(self, other, amount):
«        if amount <= 0:
»            raise ValueError("amount must be positive")
        other.balance += amount
        self.balance -= amount
«        return self.balance
»"""
_PYTHON_STACK = """\
class Stack:
    def __init__(self):
        self.items = []

    def __len__(self):
        return len(self.items)

    def __iter__(self):
        return iter(self.items)


class Queue:
    def __init__(self):
«        self.items = []
»
    def __len__(self):
«        return len(self.items)
»
    def __iter__(self):
«        return iter(self.items)
»"""
_JAVASCRIPT = """\
const app = express();

app.get("/users", async (request, response) => {
  const rows = await database.list(request.query);
  response.json(rows);
});

app.get("/orders", async (request, response) => {
«  const rows = await database.list(request.query);
»  response.json(rows);
});

app.get("/items", async (request, response) => {
  const rows = await database.list(request.query);
«  response.json(rows);
»});

app.listen(8080);
"""
_C = """\
#include <stdio.h>

int read_width(FILE *file)
{
    int value = 0;
    if (fscanf(file, "%d", &value) != 1)
        return -1;
    return value;
}

int read_height(FILE *file)
{
    int value = 0;
    if (fscanf(file, "%d", &value) != 1)
«        return -1;
»    return value;
}

int read_depth(FILE *file)
{
«    int value = 0;
»    if (fscanf(file, "%d", &value) != 1)
        return -1;
    return value;
}
"""
_GO = """\
package store

func (s *Store) Users() ([]Row, error) {
	rows, err := s.query("users")
	if err != nil {
		return nil, err
	}
	return rows, nil
}

func (s *Store) Orders() ([]Row, error) {
	rows, err := s.query("orders")
«	if err != nil {
»		return nil, err
	}
	return rows, nil
}

func (s *Store) Items() ([]Row, error) {
	rows, err := s.query("items")
	if err != nil {
«		return nil, err
»	}
	return rows, nil
}
"""
_FILES = (_PYTHON_TABLES, _PYTHON_ACCOUNT, _PYTHON_STACK, _JAVASCRIPT, _C, _GO)
