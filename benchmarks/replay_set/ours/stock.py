import csv
import json
from pathlib import Path


def read_stock(path: Path) -> dict[str, int]:
    stock = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            stock[row["name"]] = int(row["count"])
    return stock


def missing(stock: dict[str, int], wanted: dict[str, int]) -> dict[str, int]:
    result = {}
    for name, count in wanted.items():
        available = stock.get(name, 0)
        if available < count:
            result[name] = count - available
    return result


def write_report(path: Path, result: dict[str, int]) -> None:
    with path.open("w") as file:
        json.dump(result, file, indent=2, sort_keys=True)
