"""A model that says what a test tells it to, in place of the embedded one."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from model_runtime.engines.scripted import ScriptedEngine
from model_runtime.models.calibration import UNCALIBRATED, Calibration
from model_runtime.prompt.encoder import PromptEncoder
from model_runtime.prompt.format import HoleStart, PromptFormat
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.prompt.tokenizer import with_sentinels
from model_runtime.served_model import ServedModel

TOKENS = FimTokens(end=0, suffix=50277, prefix=50278, middle=50279)


@cache
def encoder(hole_start: HoleStart = HoleStart.CURSOR) -> PromptEncoder:
    """The seed's tokenizer and format."""
    return encoder_of(PromptFormat.of_order(Order.SPM1, TOKENS, hole_start))


@cache
def encoder_of(prompt_format: PromptFormat) -> PromptEncoder:
    """The seed's tokenizer with another format."""
    path = Path(__file__).parents[1] / "data" / "20B_tokenizer.json"
    return PromptEncoder(with_sentinels(path), prompt_format)


def scripted_model(
    answer: str | Callable[[str], str],
    *,
    hole_start: HoleStart = HoleStart.CURSOR,
    prompt_format: PromptFormat | None = None,
    calibration: Calibration = UNCALIBRATED,
    languages: tuple[str, ...] = (),
    **options: float,
) -> ServedModel:
    """A model that answers each prompt with a text, or with what a function makes of it."""
    served = encoder(hole_start) if prompt_format is None else encoder_of(prompt_format)

    def script(ids: list[int]) -> list[int]:
        text = answer if isinstance(answer, str) else answer(served.tokenizer.decode(ids))
        return [*served.tokenizer.encode(text), TOKENS.end]

    return ServedModel(
        name="scripted",
        fingerprint="0" * 64,
        encoder=served,
        stop_ids=served.format.stop_ids,
        engine=ScriptedEngine(script, **options),
        calibration=calibration,
        learned_languages=languages,
    )
