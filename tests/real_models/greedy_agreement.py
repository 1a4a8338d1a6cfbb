"""Counts in how many places engines decode other ids than transformers, with a real model.

    python -m tests.real_models.greedy_agreement FILE.gguf FOLDER

Transformers computes in float32 with the weights that the package gguf dequantizes.  Each form of
the model runs in a process of its own, one after the other, so that one alone is in memory: up to
2.5 GB for half a billion weights.  FOLDER keeps bundles, the engines' forms and answers, some 7 GB;
a second call prints the table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from model_runtime.engines.protocol import SamplingParams
from model_runtime.importers.gguf import convert_gguf
from model_runtime.models.bundle import ModelBundle
from model_runtime.prompt.encoder import Hole, PromptBudget, PromptRequest

ROOT = Path(__file__).parents[2]
REFERENCE = "transformers"
FORMS = {
    "onnx float32": ("onnx", "float32", "float32"),
    "ctranslate2 float32": ("ctranslate2", "float32", "float32"),
    "torch float32": ("torch", "float32", "float32"),
    "onnx int8 in blocks": ("onnx", "int8", "int8-128"),
    "ctranslate2 int8": ("ctranslate2", "int8", "int8"),
    "torch int8": ("torch", "int8", "int8"),
    "onnx 4 bits": ("onnx", "float32", "int4-32"),
}
"""Name of a form -> engine, number type of the bundle, number type of the engine."""
TIE = 1e-3
"""Difference of two log-probabilities that rounding in float32 may turn around."""
_PROMPT_TOKENS = 160
_SHARES = (0.25, 0.45, 0.65, 0.85)
"""Places of the holes in each file."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Counts for one form."""

    answers: int
    """Answers that are the reference's from the first id to the last."""
    ids: int
    """Places at which the form's likeliest id is the reference's, after the reference's ids."""
    ties: int
    """Places of other ids at which the reference's two likeliest lay closer than `TIE`."""
    of_answers: int
    of_ids: int


def main() -> int:
    """Runs what is missing, prints the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gguf", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prompts", type=int, default=20)
    parser.add_argument("--ids", type=int, default=24)
    parser.add_argument("--form", choices=[REFERENCE, *FORMS], help="run this one, in this process")
    given = parser.parse_args()
    if given.form:
        run(given.gguf, given.folder, given.form, given.prompts, given.ids)
        return 0
    for form in FORMS:
        found = agreement(given.gguf, given.folder, form, given.prompts, given.ids)
        print(
            f"{form:22} {found.answers:3} of {found.of_answers} answers, {found.ids:4} of "
            f"{found.of_ids} ids; {found.ties} of the others are ties",
            flush=True,
        )
    return 0


def agreement(gguf: Path, folder: Path, form: str, prompts: int, ids: int) -> Agreement:
    """Returns how far a form agrees with transformers; runs both where `folder` lacks them."""
    for name in (REFERENCE, form):
        if not _answer_file(folder, name).exists():
            command = [sys.executable, "-m", "tests.real_models.greedy_agreement", gguf, folder]
            command += ["--form", name, "--prompts", str(prompts), "--ids", str(ids)]
            environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
            subprocess.run(command, cwd=ROOT, env=environment, check=True)
    expected, found = (
        json.loads(_answer_file(folder, name).read_text()) for name in (REFERENCE, form)
    )
    pairs = list(zip(expected["ids"], found["ids"], strict=True))
    places = [
        (one == other, margin < TIE)
        for ours, theirs, margins in zip(
            found["likeliest"], expected["ids"], expected["margins"], strict=True
        )
        for one, other, margin in zip(ours, theirs, margins, strict=True)
    ]
    return Agreement(
        answers=sum(one == other for one, other in pairs),
        ids=sum(is_same for is_same, _ in places),
        ties=sum(is_tie for is_same, is_tie in places if not is_same),
        of_answers=len(pairs),
        of_ids=len(places),
    )


def run(gguf: Path, folder: Path, form: str, prompts: int, ids: int) -> None:
    """Decodes with one form, and writes its answers into `folder`."""
    whole = _bundle(gguf, folder, "float32")
    texts = _prompts(whole, prompts)
    if form == REFERENCE:
        model = _transformers_model(gguf, is_tied=whole.manifest.decoder.tied)
        answers = _by_transformers(model, texts, ids)
    else:
        after = json.loads(_answer_file(folder, REFERENCE).read_text())["ids"]
        engine, dtype, kind = FORMS[form]
        answers = _by_engine(_bundle(gguf, folder, dtype), engine, kind, texts, after)
    _answer_file(folder, form).write_text(json.dumps(answers))


def _answer_file(folder: Path, form: str) -> Path:
    return folder / f"{form.replace(' ', '-')}.json"


def _bundle(gguf: Path, folder: Path, dtype: str) -> ModelBundle:
    target = folder / "bundles" / dtype
    if not target.exists():
        convert_gguf(gguf, target, name=dtype, quantization=dtype, prompt_format="qwen2.5-coder")
    return ModelBundle.open(target)


def _prompts(bundle: ModelBundle, count: int) -> list[list[int]]:
    """Returns prompts at places spread over the files of the replay set."""
    paths = sorted((ROOT / "benchmarks" / "replay_set").rglob("*.*"))
    texts = [path.read_text("utf-8") for path in paths if path.suffix not in (".md", ".txt")]
    places = [(text, int(len(text) * share)) for share in _SHARES for text in texts]
    budget = PromptBudget(_PROMPT_TOKENS)
    return [
        bundle.encoder.prompt(PromptRequest(Hole(text[:place], text[place:])), budget).ids
        for text, place in places[:: max(1, len(places) // count)][:count]
    ]


def _by_engine(
    bundle: ModelBundle, name: str, kind: str, texts: list[list[int]], after: list[list[int]]
) -> dict[str, object]:
    from model_runtime.engines.ctranslate2.engine import CTranslate2Engine
    from model_runtime.engines.onnx.engine import OnnxEngine

    if name == "torch":
        from model_runtime.engines.torch.engine import TorchEngine

        engine = TorchEngine.open(bundle, device="cpu", kind=kind)
    else:
        kinds = {"onnx": OnnxEngine, "ctranslate2": CTranslate2Engine}
        engine = kinds[name].open(bundle, kind=kind)
    decoded, likeliest = [], []
    for text, expected in zip(texts, after, strict=True):
        sampling = SamplingParams(len(expected), frozenset())
        with engine.generate(text, sampling) as stream:
            decoded.append([token.id for token in stream])
        scored = engine.logprobs([*text, *expected])[len(text) - 1 :]
        likeliest.append([token.best_id for token in scored])
    return {"ids": decoded, "likeliest": likeliest}


def _by_transformers(model, texts: list[list[int]], count: int) -> dict[str, object]:
    """Decodes greedily; `margins` has by how much the likeliest id led at each place."""
    import torch

    decoded, margins = [], []
    for text in texts:
        ids, leads, state, given = [], [], None, text
        for _ in range(count):
            with torch.no_grad():
                out = model(torch.tensor([given]), past_key_values=state, use_cache=True)
            best = out.logits[0, -1].log_softmax(-1).topk(2)
            state, given = out.past_key_values, [int(best.indices[0])]
            ids += given
            leads.append(float(best.values[0] - best.values[1]))
        decoded.append(ids)
        margins.append(leads)
    return {"ids": decoded, "margins": margins}


def _transformers_model(gguf: Path, *, is_tied: bool):
    """Returns transformers' Qwen2ForCausalLM with the dequantized weights of the file.

    Names are written out here, so that no table of ours is what both sides read.  A bundle may keep
    the file's output matrix for the embedding, too (`is_tied`); then this model does the same.
    """
    import torch
    from gguf import GGUFReader, dequantize
    from transformers import Qwen2Config, Qwen2ForCausalLM

    reader = GGUFReader(gguf)
    keys = {name: field.contents() for name, field in reader.fields.items() if "." in name}
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    config = Qwen2Config(
        vocab_size=int(tensors["token_embd.weight"].shape[1]),
        hidden_size=keys["qwen2.embedding_length"],
        intermediate_size=keys["qwen2.feed_forward_length"],
        num_hidden_layers=keys["qwen2.block_count"],
        num_attention_heads=keys["qwen2.attention.head_count"],
        num_key_value_heads=keys["qwen2.attention.head_count_kv"],
        max_position_embeddings=keys["qwen2.context_length"],
        rms_norm_eps=keys["qwen2.attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": keys["qwen2.rope.freq_base"]},
        tie_word_embeddings=is_tied,
    )
    with torch.device("meta"):
        model = Qwen2ForCausalLM(config)
    renamed = {
        "model.embed_tokens": "token_embd",
        "model.norm": "output_norm",
        "lm_head": "output",
        "self_attn.o_proj": "attn_output",
        "self_attn.": "attn_",
        "mlp.": "ffn_",
        "_proj": "",
        "post_attention_layernorm": "ffn_norm",
        "input_layernorm": "attn_norm",
        "model.layers.": "blk.",
    }
    for name, old in list(model.named_parameters()):
        theirs = name
        for ours, short in renamed.items():
            theirs = theirs.replace(ours, short)
        if is_tied and theirs == "token_embd.weight" and "output.weight" in tensors:
            theirs = "output.weight"
        tensor = tensors[theirs]
        values = torch.tensor(dequantize(tensor.data, tensor.tensor_type)).reshape(old.shape)
        owner, _, part = name.rpartition(".")
        setattr(model.get_submodule(owner), part, torch.nn.Parameter(values, requires_grad=False))
    model.tie_weights()
    model.model.rotary_emb = type(model.model.rotary_emb)(config)
    return model.float().eval()


if __name__ == "__main__":
    sys.exit(main())
