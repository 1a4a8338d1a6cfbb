"""Writes a .gguf file of some hundred kilobytes that is added without being run."""

import json
from pathlib import Path

from tests.support.gguf_files import write_gguf
from tests.support.random_neox import train_tokenizer
from tests.support.requirements import required_module

PROMPT = {
    "template": [1, {"slot": "suffix"}, 2, {"slot": "prefix"}, 3],
    "end": 0,
    "hole_start": "line",
}


def write_small_gguf(path: Path, *, seed: int = 0) -> Path:
    """Writes a random model of the class of Qwen2, with its tokenizer and the form of its prompt."""
    torch, transformers = required_module("torch"), required_module("transformers")
    torch.manual_seed(seed)
    config = transformers.Qwen2Config(
        vocab_size=512,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    tokenizer = path.with_suffix(".json")
    train_tokenizer(tokenizer, 400)
    model = transformers.Qwen2ForCausalLM(config).float().eval()
    write_gguf(path, model, tokenizer, fim_lsp__prompt=json.dumps(PROMPT), general__license="mit")
    tokenizer.unlink()
    return path
