"""Says what a GGUF file holds that is no decoder for engines here, and what to do with it instead.

llama.cpp and its relatives keep projectors, adapters, image models and much else in this format.
The names of architectures are those of llama.cpp, stable-diffusion.cpp and ComfyUI-GGUF.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from model_runtime.errors import shown

_SERVED = "serve it by llama-server or vLLM instead"
_TYPES = {
    "adapter": "a LoRA adapter, which changes another model and is none itself; merge it into its "
    "model with llama-export-lora and add the result",
    "mmproj": "a projector, the part of a multimodal model that reads images or sound; add the "
    "file with the language model",
    "imatrix": "an importance matrix, which helps to quantize a model; add the model's own file",
    "vocab": "a vocabulary without a model; add the model's own file",
}
"""Values of `general.type` -> what such a file is, and what to do."""
_IMAGES = (
    *("aura", "chroma", "cosmos", "flux", "hidream", "hunyuan_video", "hyvid", "ltxv", "lumina2"),
    *("pig", "qwen_image", "sd1", "sd2", "sd3", "sdxl", "wan", "z_image"),
)
_EMBEDDINGS = (
    *("bert", "eurobert", "gemma-embedding", "jina-bert-v2", "jina-bert-v3", "llama-embed"),
    *("modern-bert", "neo-bert", "nomic-bert", "nomic-bert-moe", "t5encoder"),
)
_PART = re.compile(r"-(\d{5})-of-(\d{5})$")
"""End of the stem of a file that is one of several, as llama-gguf-split names them."""


def part_of_several(stem: str) -> str:
    """Returns the end of a sentence on a file that is one of several.

    >>> part_of_several("coder-00002-of-00003").partition(";")[0]
    'is part 2 of 3'
    """
    found = _PART.search(stem)
    if found is None:
        return "is one of several parts; join them with: llama-gguf-split --merge FIRST OUT.gguf"
    number, count = map(int, found.groups())
    first = f"{stem[: found.start()]}-00001-of-{found[2]}.gguf"
    return (
        f"is part {number} of {count}; join them with: llama-gguf-split --merge {first} OUT.gguf, "
        "and add OUT.gguf"
    )


def other_kind(metadata: Callable[[str], object], readable: Collection[str]) -> str:
    """Returns what a file holds that cannot be read, as the end of a sentence; "" for a model.

    Args:
        metadata: returns the value of a key of the file, None where it has none.
        readable: the architectures that can be read.
    """
    architecture, kind = metadata("general.architecture"), metadata("general.type")
    if isinstance(kind, str) and kind in _TYPES:
        return f"holds {_TYPES[kind]}"
    if architecture == "clip":
        return f"holds {_TYPES['mmproj']}"
    if architecture in _IMAGES:
        return (
            f"holds a model that makes images or films ({shown(architecture)}); add a model that "
            "completes code"
        )
    if architecture in _EMBEDDINGS:
        return (
            f"holds a model that embeds texts and writes none ({shown(architecture)}); add a model "
            "that completes code"
        )
    if architecture not in readable:
        return (
            f"holds the architecture {shown(architecture)}, and those that can be read are "
            f"{', '.join(sorted(readable))}; {_SERVED}"
        )
    if experts := metadata(f"{architecture}.expert_count"):
        return f"holds a mixture of {shown(experts)} experts, which no engine here runs; {_SERVED}"
    return ""
