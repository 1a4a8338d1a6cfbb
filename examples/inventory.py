"""A small stock list: the file that `make demo` completes a line of."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Item:
    """One kind of thing on a shelf."""

    name: str
    price: float
    quantity: int = 0


@dataclass
class Inventory:
    """Items by name."""

    items: dict[str, Item] = field(default_factory=dict)

    def add(self, item: Item) -> None:
        """Put an item on its shelf."""
        self.items[item.name] = item

    def remove(self, name: str) -> Item:
        """Take an item off its shelf."""
        return self.items.pop(name)

    def price(self, name: str) -> float | None:
        """Price of one, or None where there is no such item."""
        try:
            item = self.items[name]
        
            return None
        return item.price

    def total(self) -> float:
        """Price of everything."""
        return sum(item.price * item.quantity for item in self.items.values())
