"""README.md quotes what `make demo` prints; this asks the model again and quotes its answer.

python -m benchmarks.demo
"""

from __future__ import annotations

from tests.support.demo import QUOTATION, README, printed


def main() -> None:
    """Writes the answer of now into README.md."""
    answer = printed()
    text = README.read_text(encoding="utf-8")
    README.write_text(QUOTATION.sub(lambda _: answer, text, count=1), encoding="utf-8")
    print(answer, end="")


if __name__ == "__main__":
    main()
