import argparse
import re
import sys
from collections import Counter
from pathlib import Path

WORD = re.compile(r"[a-z]+")


def count_words(paths: list[Path]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for path in paths:
        with path.open(encoding="utf-8") as file:
            for line in file:
                counts.update(WORD.findall(line.lower()))
    return counts


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--top", type=int, default=10)
    args = parser.parse_args()
    for word, count in count_words(args.paths).most_common(args.top):
        print(f"{count:6} {word}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
