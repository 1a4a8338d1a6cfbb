"""A recipe: one TOML file that says everything about a model, as frozen dataclasses.

Every number that changes the weights stands in a recipe; what only changes where or how fast it is
made (number of loader workers, device) may be given on the command line, too.

`extends = "NAME"` begins with another recipe of the same folder; the keys of a section are then
those that differ.
"""

from __future__ import annotations

import dataclasses
import difflib
import sys
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from model_runtime.errors import ModelRuntimeError
from model_runtime.prompt.orders import Order

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Section = TypeVar("Section")


class RecipeError(ModelRuntimeError):
    """A recipe with an unknown key or an impossible value."""


PERMISSIVE = (
    "MIT", "MIT-0", "MIT-CMU", "BSD", "Apache", "ISC", "PSF", "Python Software Foundation",
    "Python-2.0", "Unlicense", "CC0", "Zlib", "0BSD", "HPND", "PIL",
    "Historical Permission", "public domain", "Boost", "BSL-1.0", "NCSA", "WTFPL", "X11", "AFL",
    "Academic Free", "Zope", "ZPL", "UPL",
)  # fmt: skip
"""Words by which a permissive licence is known, in expressions, classifiers and free text."""


@dataclass(frozen=True, slots=True)
class CorpusRecipe:
    """Stage 1: which text, and what is thrown away."""

    roots: tuple[str, ...] = ()
    """Folders, files, data sets (`corpus/roots.py` says which); `$NAME` is expanded.
    Roots given on the command line take their place."""
    suffixes: tuple[str, ...] = (".py", ".pyi")
    """Of the files that are read."""
    licences: tuple[str, ...] = PERMISSIVE
    """The allow-list: words of the licences from whose code the model may learn."""
    columns: dict[str, str] = field(default_factory=dict)
    """Of tables: which column is `text`, `path`, `licence`, `origin`, where it has an odd name."""
    assumed_licence: str = ""
    """Of folders and rows that say nothing of their licence: code of your own."""
    scrub: bool = True
    """Replace e-mail addresses, public IP addresses, keys and tokens."""
    cap_mb: float = 8.0
    """Most megabytes of one package."""
    part_mb: int = 50
    """Most megabytes of one compressed part."""
    block_mb: float = 32.0
    """Text compressed together."""
    valid_share: float = 0.01
    """Share of the packages that is held out for validation."""
    minhash_buckets: int = 14
    """Two documents are near-duplicates if the hashes of one bucket agree: at a similarity of
    (1 / buckets) ** (1 / hashes), 0.72, with an even chance or better."""
    minhash_hashes: int = 8
    """Of a bucket."""
    minhash_words: int = 5
    """Of the runs whose sets are compared."""
    xz_preset: int = 1
    seed: int = 0


@dataclass(frozen=True, slots=True)
class SelectionRecipe:
    """Optional stage: plain functions and a sample of files in place of the whole corpus."""

    functions: bool = False
    """Whether the stage is run at all."""
    most_characters: int = 1000
    """Of a function."""
    most_attributes: float = 0.25
    """Attributes per name in a function."""
    files_mb: float = 4.0
    """Megabytes of whole files beside the functions."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class TokenizerRecipe:
    """Stage 2: a byte-level BPE of its own, or one that there is."""

    file: str = ""
    """A `tokenizer.json` that is taken instead, with the sentinels behind its ids where it has
    none: the GPT-NeoX-20B one then gives the seed's 50277, 50278, 50279.  `$NAME` is expanded."""
    vocabulary: int = 16_384
    """Ids, special ones included; of a `file` too, so that a wrong one is noticed."""
    sample_mb: float = 60.0
    """Megabytes of text it is trained on."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class NetworkRecipe:
    """The shape of the network."""

    layers: int = 12
    width: int = 512
    heads: int = 8
    context: int = 1024
    """Most ids of a prompt and its answer."""
    positions: Literal["rotary", "alibi"] = "rotary"
    alibi_restart: bool = False
    """Whether ALiBi's distances begin again in each part of a prompt with a hole; an arm for
    ablations, which no serving engine knows."""
    rotary_share: float = 1.0
    rotary_base: float = 10_000.0
    tied: bool = True
    """Whether the output head is the embedding."""
    parallel_residual: bool = True
    """Attention and feed-forward beside each other; false: one after the other."""

    @property
    def is_servable(self) -> bool:
        """Whether any engine knows such a network, so that it can be exported."""
        return not self.alibi_restart


@dataclass(frozen=True, slots=True)
class DataRecipe:
    """Which windows are cut from the documents, and which holes into them."""

    fim_rate: float = 0.9
    """Share of windows with a hole; the others are read from left to right."""
    orders: dict[str, float] = field(default_factory=lambda: {"spm1": 0.9, "psm": 0.1})
    """Weight of each order of parts; the first one is what a server uses."""
    hole_start: Literal["cursor", "line"] = "cursor"
    """`line`: every hole begins at the start of its line, as serving then asks for it; the text
    before it on the line is the beginning of the middle."""
    spans: dict[str, float] = field(
        default_factory=lambda: {
            "line": 0.40,
            "rest-of-line": 0.21,
            "character": 0.07,
            "short-run": 0.07,
            "syntax": 0.25,
        }
    )
    """Weight of each kind of hole; `holes.py` says what they are."""
    level: Literal["document", "context"] = "document"
    """`document`: holes lie in windows of one document, packed in any order.  `context`: documents
    follow each other with END between them and are cut into rows; each document's piece of a row
    may have a hole (arXiv:2207.14255, section 4.4), as the seed's had."""
    no_suffix_rate: float = 0.06
    """Share of holes with nothing after them: typing at the end of a file."""
    snippet_rate: float = 0.15
    """Share of windows with snippets of other files of the package."""
    window_tokens: tuple[int, int] = (100, 500)
    """Least and most tokens of most windows."""
    function_rate: float = 0.6
    """Share of windows that begin at a function."""
    windows_per_document: int = 0
    """Most windows of one document and epoch; 0 cuts the whole document."""
    skip_stubs: bool = True
    """Leave out `.pyi` files."""
    test_share: float = 1.0
    """Share of test files that is kept in an epoch."""
    least_docstrings: int = 0
    """Leave out files with fewer docstrings."""
    attention_within: Literal["row", "example"] = "row"
    """`row`: tokens see earlier examples of their row.  `example`: no example sees another."""


@dataclass(frozen=True, slots=True)
class OptimiserRecipe:
    """How weights move."""

    name: Literal["muon", "adamw"] = "muon"
    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    beta1: float = 0.9
    beta2: float = 0.95
    clip: float = 1.0
    """Largest norm of the gradient."""
    schedule: Literal["wsd", "cosine"] = "wsd"
    """`wsd`: warm-up, stable, decay.  `cosine`: half a cosine from the warm-up to the end."""
    warm_up: float = 0.02
    """Share of the run in which the rate rises."""
    decay: float = 0.35
    """Share of the run, at its end, in which the rate falls; `wsd` only."""
    least_rate: float = 0.0
    """Where the rate ends, as a share of `learning_rate`."""


@dataclass(frozen=True, slots=True)
class TrainRecipe:
    """How long, how much at once, and what is written down."""

    budget_seconds: float = 0.0
    """The schedule ends after so many seconds, all starts together; one budget must be given."""
    budget_tokens: int = 0
    budget_steps: int = 0
    rows_per_step: int = 256
    """Of all processes together."""
    rows_at_once: int = 64
    """Rows of a micro-batch of one process; changes memory and speed only."""
    loss_chunk: int = 16_384
    """Tokens whose logits exist at the same time."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    compile_layers: bool = False
    recompute: bool = False
    """Activation checkpointing: keep what enters a layer, and compute the rest a second time."""
    threads: int = 0
    """Of all processes of a machine together; 0 leaves the choice to torch."""
    workers: int = 1
    """Processes that make rows, for each training process; does not change the rows."""
    block_mb: float = 1.0
    """Text that is shuffled and packed together."""
    seed: int = 0
    spike_sigmas: float = 0.0
    """A step is skipped if its loss or its gradient lies so many standard deviations above those
    of the last 128 steps; 0 skips only what is not finite."""
    most_bad_steps: int = 20
    """So many skipped steps in a row end the run."""
    log_seconds: float = 10.0
    log_steps: int = 0
    """Report after so many steps, too; likewise below.  0: by the clock only."""
    valid_seconds: float = 300.0
    valid_steps: int = 0
    valid_examples: int = 512
    save_seconds: float = 180.0
    save_steps: int = 0
    keep: int = 2
    """Newest checkpoints that are kept."""
    tensorboard: bool = False
    """Whether the log is written for TensorBoard as well."""


@dataclass(frozen=True, slots=True)
class ParallelRecipe:
    """How several processes share one run; they are started by torchrun."""

    strategy: Literal["auto", "none", "ddp", "fsdp2"] = "auto"
    """`ddp`: every process has the whole network.  `fsdp2`: each has a share of weights and
    optimiser.  `auto`: `ddp` where there are several.  A single process needs none."""
    timeout_minutes: float = 30.0
    """A process that is not heard of for so long ends the run."""


@dataclass(frozen=True, slots=True)
class ExecutorRecipe:
    """Who makes the corpus: where and how fast, never what."""

    kind: Literal["local", "slurm", "ray"] = "local"
    tasks: int = 16
    """Into which each phase is divided; one that is done is not done again."""
    workers: int = 0
    """Tasks at the same time; 0: as many as this machine has processors, or all of a cluster's."""
    slurm: dict[str, str] = field(default_factory=dict)
    """`partition`, `time`, and what else datatrove's SlurmPipelineExecutor takes as text."""
    ray_address: str = "local"
    """Of the cluster; `local` starts one on this machine."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole model."""

    name: str
    level: str = "mixed"
    """What the cuts follow, as manifests say it."""
    corpus: CorpusRecipe = field(default_factory=CorpusRecipe)
    executor: ExecutorRecipe = field(default_factory=ExecutorRecipe)
    selection: SelectionRecipe = field(default_factory=SelectionRecipe)
    tokenizer: TokenizerRecipe = field(default_factory=TokenizerRecipe)
    network: NetworkRecipe = field(default_factory=NetworkRecipe)
    data: DataRecipe = field(default_factory=DataRecipe)
    optimiser: OptimiserRecipe = field(default_factory=OptimiserRecipe)
    train: TrainRecipe = field(default_factory=TrainRecipe)
    parallel: ParallelRecipe = field(default_factory=ParallelRecipe)


def read_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file.

    Raises:
        RecipeError: the file cannot be read, or a key or value is wrong; the message names it.
    """
    content = _read(path, ())
    content["name"] = content.get("name", path.stem)
    recipe = parse(Recipe, content, path.name)
    check(recipe)
    return recipe


def _read(path: Path, readers: tuple[Path, ...]) -> dict[str, Any]:
    """The file's tables over those of the recipe that it extends, key by key."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{path} is not a readable recipe ({error})") from error
    base = content.pop("extends", None)
    if base is None:
        return content
    base_path = path.parent / f"{base}.toml"
    if not base_path.is_file():
        known = [other.stem for other in path.parent.glob("*.toml") if other != path]
        near = difflib.get_close_matches(str(base), known, n=1, cutoff=0.0)
        hint = f"; the nearest is {near[0]!r}" if near else ""
        raise RecipeError(f"{path.name} extends {base!r}, but there is no {base_path}{hint}")
    if base_path in readers:
        raise RecipeError(f"{path.name} extends {base!r}, which extends {path.stem!r} in turn")
    merged = _read(base_path, (*readers, path))
    merged.pop("name", None)
    for key, value in content.items():
        is_table = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = {**merged[key], **value} if is_table else value
    return merged


def parse(kind: type[Section], content: dict[str, Any], where: str) -> Section:
    """A dataclass from a table; nested dataclasses are nested tables."""
    hints = typing.get_type_hints(kind)
    values = {}
    for key, value in content.items():
        if key not in hints:
            near = difflib.get_close_matches(key, hints, n=1, cutoff=0.0)
            raise RecipeError(f"{where} has no key {key!r}; the nearest right one is {near[0]!r}")
        values[key] = _convert(hints[key], value, f"{where}: {key}")
    try:
        return kind(**values)
    except TypeError as error:
        raise RecipeError(f"{where}: {error}") from error


def _convert(hint: Any, value: Any, where: str) -> Any:
    """The value, if it has the type; integers may stand for floats, lists for tuples."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type) and isinstance(value, dict):
        return parse(hint, value, where)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if value in arguments:
            return value
        raise RecipeError(f"{where} is {value!r}; it may be {' or '.join(map(repr, arguments))}")
    if origin is tuple and isinstance(value, list):
        return tuple(_convert(arguments[0], entry, where) for entry in value)
    if origin is dict and isinstance(value, dict):
        return {
            key: _convert(arguments[1], entry, f"{where}.{key}") for key, entry in value.items()
        }
    if hint is float and type(value) in (int, float):
        return float(value)
    if type(value) is hint:
        return value
    raise RecipeError(f"{where} is {value!r}, which is not {getattr(hint, '__name__', hint)}")


def check(recipe: Recipe) -> None:
    """Refuse values that have the right type but make no sense."""
    data = recipe.data
    for name in ("fim_rate", "no_suffix_rate", "snippet_rate", "function_rate", "test_share"):
        if not 0.0 <= getattr(data, name) <= 1.0:
            raise RecipeError(f"data: {name} is {getattr(data, name)}; it is a share from 0 to 1")
    for name, known in (("orders", ORDERS), ("spans", SPANS)):
        weights: dict[str, float] = getattr(data, name)
        for key in weights:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
                raise RecipeError(f"data: {name} has no {key!r}; the nearest right one is {near!r}")
        if not weights or min(weights.values()) < 0 or not sum(weights.values()):
            raise RecipeError(f"data: {name} is {weights}; it needs at least one weight above 0")
    if data.level == "context":
        for name, only in (("snippet_rate", 0.0), ("windows_per_document", 0)):
            if (value := getattr(data, name)) != only:
                raise RecipeError(
                    f"data: {name} is {value}; level 'context' reads whole documents and nothing "
                    f"else, so it must be {only}"
                )
    check_corpus(recipe)
    check_training(recipe)


def check_corpus(recipe: Recipe) -> None:
    """The same for the corpus."""
    corpus, executor = recipe.corpus, recipe.executor
    for section, least, names in (
        ("corpus", 1, ("minhash_buckets", "minhash_hashes", "minhash_words", "part_mb")),
        ("corpus", 0, ("cap_mb", "block_mb", "valid_share")),
        ("executor", 1, ("tasks",)),
        ("executor", 0, ("workers",)),
    ):
        for name in names:
            if (value := getattr(getattr(recipe, section), name)) < least:
                raise RecipeError(f"{section}: {name} is {value}; it must be {least} or more")
    for name in ("suffixes", "licences"):
        if not getattr(corpus, name):
            raise RecipeError(f"corpus: {name} is empty, so nothing could be read")
    for key in corpus.columns:
        if key not in COLUMNS:
            near = difflib.get_close_matches(key, COLUMNS, n=1, cutoff=0.0)[0]
            raise RecipeError(f"corpus: columns has no {key!r}; the nearest right one is {near!r}")
    missing = [name for name in ("partition", "time") if name not in executor.slurm]
    if executor.kind == "slurm" and missing:
        raise RecipeError(f"executor: slurm needs {' and '.join(missing)}")


def check_training(recipe: Recipe) -> None:
    """The same for the network and how it is trained."""
    network, data, optimiser, train = recipe.network, recipe.data, recipe.optimiser, recipe.train
    for section, least, names in (
        ("network", 1, ("layers", "width", "heads", "context")),
        ("train", 1, ("rows_per_step", "rows_at_once", "loss_chunk", "keep", "most_bad_steps")),
        ("train", 0, ("budget_seconds", "budget_tokens", "budget_steps", "threads", "workers")),
        ("train", 0, ("log_steps", "valid_steps", "save_steps", "spike_sigmas")),
        ("optimiser", 0, ("learning_rate", "weight_decay", "clip", "warm_up", "decay")),
    ):
        for name in names:
            if (value := getattr(getattr(recipe, section), name)) < least:
                raise RecipeError(f"{section}: {name} is {value}; it must be {least} or more")
    if network.width % network.heads:
        raise RecipeError(
            f"network: width {network.width} is not a multiple of heads {network.heads}"
        )
    if not 0.0 < network.rotary_share <= 1.0:
        raise RecipeError(
            f"network: rotary_share is {network.rotary_share}; it is above 0, up to 1"
        )
    if network.positions == "alibi" and data.attention_within == "example":
        raise RecipeError("data: attention_within must be 'row' where positions is 'alibi'")
    if train.compile_layers and data.attention_within == "example":
        raise RecipeError(
            "train: compile_layers needs data.attention_within = 'row'; examples differ in length"
        )
    if network.alibi_restart and network.positions != "alibi":
        raise RecipeError("network: alibi_restart needs positions = 'alibi'")
    low, high = data.window_tokens
    if not 0 < low <= high <= network.context:
        raise RecipeError(
            f"data: window_tokens is [{low}, {high}]; it must rise and fit into network.context, "
            f"{network.context}"
        )
    if optimiser.warm_up + (optimiser.decay if optimiser.schedule == "wsd" else 0.0) > 1.0:
        raise RecipeError(
            f"optimiser: warm_up {optimiser.warm_up} and decay {optimiser.decay} are shares of one "
            "run; together they may not exceed 1"
        )
    for name in ("beta1", "beta2", "least_rate"):
        if not 0.0 <= getattr(optimiser, name) < 1.0:
            raise RecipeError(f"optimiser: {name} is {getattr(optimiser, name)}; it is from 0 to 1")
    budgets = ("budget_seconds", "budget_tokens", "budget_steps")
    given = [name for name in budgets if getattr(train, name)]
    if len(given) != 1:
        raise RecipeError(
            f"train: give one of {', '.join(budgets)}; "
            + (f"{' and '.join(given)} are given" if given else "none is given")
        )


COLUMNS = ("text", "path", "licence", "origin")
ORDERS = tuple(order.value for order in Order)
SPANS = ("line", "typed-line", "rest-of-line", "character", "short-run", "token", "syntax")
