"""Sections of a recipe about text: the corpus, what is selected from it, and the tokenizer."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from model_runtime.training.recipe.settings import at_least, keys_of, not_empty, setting

PERMISSIVE = (
    "MIT", "MIT-0", "MIT-CMU", "BSD", "Apache", "ISC", "PSF", "Python Software Foundation",
    "Python-2.0", "Unlicense", "CC0", "Zlib", "0BSD", "HPND", "PIL",
    "Historical Permission", "public domain", "Boost", "BSL-1.0", "NCSA", "WTFPL", "X11", "AFL",
    "Academic Free", "Zope", "ZPL", "UPL",
)  # fmt: skip
"""Words by which a permissive licence is known, in expressions, classifiers and free text."""
COLUMNS = ("text", "path", "licence", "origin")
"""Facts about a document that a column of a table may hold."""


@frozen
class CorpusRecipe:
    """Settings of stage 1: which text is read, and what is thrown away."""

    roots: tuple[str, ...] = ()
    """Folders, files, data sets (`corpus/roots.py` says which); `$NAME` is expanded.
    Roots given on the command line take their place."""
    suffixes: tuple[str, ...] = setting((".py", ".pyi"), not_empty)
    """Endings of the files that are read."""
    licences: tuple[str, ...] = setting(PERMISSIVE, not_empty)
    """The allow-list: words of the licences from whose code the model may learn."""
    columns: dict[str, str] = setting({}, keys_of(COLUMNS))
    """Columns of tables that hold `text`, `path`, `licence`, `origin` under an odd name."""
    assumed_licence: str = ""
    """Licence of folders and rows that say nothing of theirs: code of your own."""
    scrub: bool = True
    """Whether e-mail addresses, public IP addresses, keys and tokens are replaced."""
    cap_mb: float = setting(8.0, at_least(0))
    """Largest number of megabytes of one package."""
    part_mb: int = setting(50, at_least(1))
    """Largest number of megabytes of one compressed part."""
    block_mb: float = setting(32.0, at_least(0))
    """Megabytes of text compressed together."""
    valid_share: float = setting(0.01, at_least(0))
    """Share of the packages that is held out for validation."""
    minhash_buckets: int = setting(14, at_least(1))
    """Number of buckets.  Two documents are near-duplicates if the hashes of one bucket agree: at
    a similarity of (1 / buckets) ** (1 / hashes), 0.72, with an even chance or better."""
    minhash_hashes: int = setting(8, at_least(1))
    """Hashes of a bucket."""
    minhash_words: int = setting(5, at_least(1))
    """Words of the runs whose sets are compared."""
    xz_preset: int = 1
    seed: int = 0


@frozen
class SelectionRecipe:
    """Settings of the optional stage that puts plain functions and a sample of files in place of
    all.
    """

    functions: bool = False
    """Whether the stage is run at all."""
    max_characters: int = 1000
    """Largest number of characters of a function."""
    max_attributes: float = 0.25
    """Largest number of attributes per name in a function."""
    files_mb: float = 4.0
    """Megabytes of whole Python files beside the functions."""
    other_languages_mb: float = setting(0.0, at_least(0))
    """Megabytes of whole files of all other languages, in equal parts as far as they have files."""
    seed: int = 0


@frozen
class TokenizerRecipe:
    """Settings of stage 2: a byte-level BPE of its own, or one that there is."""

    file: str = ""
    """A `tokenizer.json` that is taken instead, with the sentinels behind its ids where it has
    none: the GPT-NeoX-20B one then gives the reference model's 50277, 50278, 50279.  `$NAME` is
    expanded."""
    vocabulary: int = 16_384
    """Number of ids, special ones included; of a `file` too, so that a wrong one is noticed."""
    sample_mb: float = 60.0
    """Megabytes of text that it is trained on."""
    seed: int = 0


@frozen
class ExecutorRecipe:
    """Settings of the machines that make the corpus; they never change what comes out."""

    kind: Literal["local", "slurm", "ray"] = "local"
    tasks: int = setting(16, at_least(1))
    """Tasks into which each phase is divided; one that is done is not done again."""
    workers: int = setting(0, at_least(0))
    """Tasks at the same time; 0: as many as this machine has processors, or all of a cluster's."""
    slurm: dict[str, str] = setting({})
    """`partition`, `time`, and what else datatrove's SlurmPipelineExecutor takes as text."""
    ray_address: str = "local"
    """Address of the cluster; `local` starts one on this machine."""
