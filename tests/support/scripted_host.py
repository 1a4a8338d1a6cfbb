"""A model that says what a test tells it to, in place of the embedded one."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from model_runtime.engines.scripted import ScriptedEngine
from model_runtime.models.calibration import UNCALIBRATED, Calibration
from model_runtime.prompt.encoder import PromptEncoder
from model_runtime.prompt.format import FimTokens, HoleStart, Order
from model_runtime.prompt.tokenizer import with_sentinels
from model_runtime.served_model import ServedModel

TOKENS = FimTokens(end=0, suffix=50277, prefix=50278, middle=50279)


@cache
def encoder(hole_start: HoleStart = HoleStart.CURSOR) -> PromptEncoder:
    """The seed's tokenizer and format."""
    path = Path(__file__).parents[1] / "data" / "20B_tokenizer.json"
    return PromptEncoder(with_sentinels(path), TOKENS, Order.SPM1, hole_start)


def scripted_model(
    answer: str | Callable[[str], str],
    *,
    hole_start: HoleStart = HoleStart.CURSOR,
    calibration: Calibration = UNCALIBRATED,
    languages: tuple[str, ...] = (),
    **options: float,
) -> ServedModel:
    """A model that answers each prompt with a text, or with what a function makes of it."""
    tokenizer = encoder(hole_start).tokenizer

    def script(ids: list[int]) -> list[int]:
        text = answer if isinstance(answer, str) else answer(tokenizer.decode(ids))
        return [*tokenizer.encode(text), TOKENS.end]

    return ServedModel(
        name="scripted",
        fingerprint="0" * 64,
        encoder=encoder(hole_start),
        stop_ids=frozenset(TOKENS.all()),
        engine=ScriptedEngine(script, **options),
        calibration=calibration,
        learned_languages=languages,
    )
