"""Reads from a model folder how it must be prompted: format, hole, context, ALiBi.

No standard field of a Hugging Face folder holds this.  In this order of precedence:

1. what the caller says;
2. `fim_config.json`, or the block `fim` of tokenizer_config.json, as our training writes them:
       {"format_version": 1, "order": "spm1", "hole_start": "line", "context": 1024, "arm": "fim",
        "tokens": {"end": "<|endoftext|>", "suffix": "<|SUF|>", ...}}     strings or ids
   or, for other formats, with the entry "prompt" of a manifest in place of order, tokens and
   hole_start; tokens may be named by their texts there;
3. a tokenizer that has the seed model's sentinels at exactly the seed's ids;
4. the published formats whose tokens the tokenizer has (`recognition`); of a GGUF file that names
   sentinels by role, those in which they have these roles, or else each order of them.

The source itself is believed.  What the caller or a tokenizer says has still to be proven by the
model (`store.examination`): a wrong order gives bad completions and no error.  Where nothing says
anything, the answer is a refusal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from model_runtime.errors import ConversionError, shown
from model_runtime.importers.config import CONFIG, read_json
from model_runtime.model_files import MAX_JSON_BYTES, source_file
from model_runtime.prompt.format import HoleStart, PromptFormat, read_hole_start
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.prompt.published import published_format
from model_runtime.prompt.recognition import recognized_formats
from model_runtime.prompt.tokenizer import SEED_SENTINELS, FimTokenizer

END_STRING = "<|endoftext|>"
_SEED_TOKENS = FimTokens(end=0, suffix=50277, prefix=50278, middle=50279)
_ORDERS = ", ".join(order.value for order in Order)


CALLER, TOKENS = "the caller", "the model's tokens"
"""Sources of a format that the model has still to prove."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A format that a model may have been trained on."""

    name: str
    """Name of a published format, or of an order."""
    prompt: PromptFormat


@dataclass(frozen=True, slots=True)
class FimConfig:
    """Holds what was found, and where."""

    candidates: tuple[Candidate, ...]
    """Formats that the model may have, at least one; several where the tokens of several fit."""
    context_length: int | None
    alibi: bool
    source: str
    """Author of the statement of the format, for people to read."""
    license: str
    languages: tuple[str, ...]
    training: Mapping[str, Any]
    """Summary of the training, for people."""
    hole_start: HoleStart | None = None
    """Beginning of the hole that the model was taught to fill; None where nothing says it."""

    @property
    def prompt(self) -> PromptFormat:
        """The format, or the first of several."""
        return self.candidates[0].prompt

    @property
    def is_declared(self) -> bool:
        """True where the source of the model states its format, which is believed."""
        return self.source not in (CALLER, TOKENS)

    @property
    def special_ids(self) -> frozenset[int]:
        """Every special id of every candidate."""
        return frozenset().union(*(one.prompt.special_ids for one in self.candidates))


def read_fim_config(
    folder: Path,
    tokenizer: FimTokenizer,
    *,
    order: Order | str | None = None,
    tokens: FimTokens | Mapping[str, int | str | None] | None = None,
    prompt_format: str | None = None,
) -> FimConfig:
    """Finds out how to prompt the model in `folder`; arguments override what it says itself.

    Args:
        folder: of the model.
        tokenizer: of the model.
        order: of the parts of a prompt.
        tokens: the sentinels by role, as ids or strings.
        prompt_format: the name of a published format, in place of both.

    Raises:
        ConversionError: nothing says what the order or the sentinels are, or it cannot be so.
    """
    found, source = _declared(folder)
    for name, fits, kind in (
        ("license", isinstance(found.get("license", ""), str), "text"),
        (
            "languages",
            isinstance(languages := found.get("languages", []), list)
            and all(isinstance(one, str) for one in languages),
            "a list of names",
        ),
        ("training", isinstance(found.get("training", {}), dict), "a JSON object"),
    ):
        if not fits:
            raise ConversionError(
                f"{folder / source}: {name} must be {kind}, not {shown(found[name])}; correct it"
            )
    context = found.get("context")
    if context is not None and (isinstance(context, bool) or not isinstance(context, int)):
        raise ConversionError(f"{folder}: the context {shown(context)} is no number of tokens")
    declared = found.get("prompt")
    stated = declared if isinstance(declared, dict) else found
    try:
        hole_start = read_hole_start(stated["hole_start"]) if "hole_start" in stated else None
        candidates: tuple[Candidate, ...]
        if prompt_format is not None:
            prompt = published_format(prompt_format, tokenizer.id_of)
            candidates, source = (Candidate(prompt_format, prompt),), CALLER
        elif order is None and tokens is None and declared is not None:
            prompt = PromptFormat.from_json(declared, tokenizer.id_of)
            candidates = (Candidate(prompt.name, prompt),)
        elif order is not None or "order" in found or (not found and _is_seed(tokenizer)):
            prompt, source = _ordered(tokenizer, found, source, order, tokens)
            candidates = (Candidate(prompt.name, prompt),)
        else:
            candidates = _recognized(folder, tokenizer, found.get("tokens"))
            source = TOKENS
    except ValueError as error:
        raise ConversionError(f"{folder}: {error}") from error
    return FimConfig(
        candidates=candidates,
        hole_start=hole_start,
        context_length=context,
        alibi="alibi" in (found.get("arm"), found.get("position_embedding")),
        source=source,
        license=found.get("license", "unknown"),
        languages=tuple(found.get("languages", [])),
        training=found.get("training", {}),
    )


def _recognized(folder: Path, tokenizer: FimTokenizer, roles: object) -> tuple[Candidate, ...]:
    """Returns the formats that fit what the tokenizer owns.

    Args:
        folder: of the model.
        tokenizer: of the model.
        roles: sentinels by role, where the source states them without an order.
    """
    names = recognized_formats(tokenizer, read_json(folder, CONFIG))
    found = [Candidate(name, published_format(name, tokenizer.id_of)) for name in names]
    if roles is not None:
        tokens = _sentinels(roles, tokenizer)
        sentinels = {role: tokens.by_role()[role] for role in ("prefix", "suffix", "middle")}
        found = [one for one in found if one.prompt.roles.items() >= sentinels.items()] or [
            Candidate(order.value, PromptFormat.of_order(order, tokens)) for order in Order
        ]
    if not found:
        raise ConversionError(
            f"{folder} does not say in which order the model was trained to read the parts of a "
            f"prompt, and its tokenizer has the tokens of no known format; give it with --order "
            f"({_ORDERS}) or --prompt-format, as the model's documentation states it"
        )
    return tuple(found)


def _ordered(
    tokenizer: FimTokenizer,
    found: Mapping[str, Any],
    source: str,
    order: Order | str | None,
    tokens: FimTokens | Mapping[str, int | str | None] | None,
) -> tuple[PromptFormat, str]:
    """Returns the format of an order, and who said it."""
    if order is None and not found:
        order, source = Order.SPM1, "the tokenizer has the seed's sentinels at the seed's ids"
        tokens = tokens or _SEED_TOKENS
    elif order is not None:
        source = CALLER
    spelled = order if order is not None else found.get("order")
    try:
        chosen = Order(spelled)
    except ValueError:
        raise ValueError(f"the order {shown(spelled)} is not one of {_ORDERS}") from None
    sentinels = _sentinels(tokens if tokens is not None else found.get("tokens"), tokenizer)
    return PromptFormat.of_order(chosen, sentinels), source


def _declared(folder: Path) -> tuple[dict[str, Any], str]:
    for name, block in (("fim_config.json", None), ("tokenizer_config.json", "fim")):
        path = folder / name
        if source_file(folder, name, MAX_JSON_BYTES) is None:
            continue
        raw = read_json(folder, name)
        found = raw if block is None else raw.get(block)
        if found is None:
            continue
        if not isinstance(found, dict):
            raise ConversionError(f"{path}: {block or 'the content'} must be a JSON object")
        if found.get("format_version") != 1:
            version = shown(found.get("format_version"))
            raise ConversionError(f"{path}: format_version {version} is not 1; update fim-lsp")
        return found, name
    return {}, ""


def _is_seed(tokenizer: FimTokenizer) -> bool:
    strings = (END_STRING, *SEED_SENTINELS)
    return tuple(tokenizer.id_of(string) for string in strings) == _SEED_TOKENS.all()


def _sentinels(given: object, tokenizer: FimTokenizer) -> FimTokens:
    if isinstance(given, FimTokens):
        return given
    if given is None:  # an order without sentinels: the usual strings, if the tokenizer has them
        given = dict(
            zip(("end", "suffix", "prefix", "middle"), (END_STRING, *SEED_SENTINELS), strict=True)
        )
    if not isinstance(given, Mapping):
        raise ConversionError(
            f"the sentinels {shown(given)} are no mapping of role to string or id"
        )
    roles = {entry.name for entry in fields(FimTokens)}
    if unknown := sorted(set(given) - roles):
        raise ConversionError(f"unknown sentinel roles {shown(unknown)}; known are {sorted(roles)}")
    ids = {role: _id(role, given.get(role), tokenizer) for role in sorted(roles)}
    missing = [role for role in ("end", "suffix", "prefix", "middle") if ids[role] is None]
    if missing:
        raise ConversionError(f"no sentinel is given for {', '.join(missing)}")
    try:
        return FimTokens(**ids)  # type: ignore[arg-type]  # the four that may not be None are not
    except ValueError as error:
        raise ConversionError(str(error)) from error


def _id(role: str, given: object, tokenizer: FimTokenizer) -> int | None:
    if given is None:
        return None
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    id_ = tokenizer.id_of(given) if isinstance(given, str) else None
    if id_ is None:
        raise ConversionError(
            f"the sentinel for {role}, {shown(given)}, is no token of the tokenizer"
        )
    return id_
