from pathlib import Path

import pytest

from model_runtime.prompt.encoder import PromptEncoder
from model_runtime.prompt.format import PromptFormat
from model_runtime.prompt.orders import FimTokens, Order
from model_runtime.prompt.tokenizer import FimTokenizer, with_sentinels

DATA = Path(__file__).parents[1] / "data"
SEED_TOKENS = FimTokens(end=0, suffix=50277, prefix=50278, middle=50279)


@pytest.fixture(scope="session")
def seed_tokenizer() -> FimTokenizer:
    """The GPT-NeoX-20B tokenizer with the seed's sentinels."""
    return with_sentinels(DATA / "20B_tokenizer.json")


@pytest.fixture(scope="session")
def seed_encoder(seed_tokenizer: FimTokenizer) -> PromptEncoder:
    """Returns the encoder of the reference model's prompts."""
    return PromptEncoder(seed_tokenizer, PromptFormat.of_order(Order.SPM1, SEED_TOKENS))
