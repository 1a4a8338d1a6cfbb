"""The embedded model with weights in float32, and in the forms that other programs read.

Its int8 weights are dequantized once, so that every program computes with the same numbers, and
decodes the same ids.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from model_runtime.exporters.gguf import export_gguf
from model_runtime.importers.bundle_weights import write_bundle_weights
from model_runtime.models.bundle import MANIFEST, TOKENIZER, WEIGHTS, ModelBundle
from model_runtime.store import installed
from tests.support.neox_folder import write_neox_folder


@dataclass(frozen=True)
class ExactModel:
    """One model in three forms."""

    bundle: ModelBundle
    gguf: Path
    """The file that llama.cpp reads, in f32."""
    folder: Path
    """The Hugging Face folder that vLLM reads."""

    @property
    def name(self) -> str:
        """Returns what the setting `model` says to use it."""
        return str(self.bundle.path)

    @property
    def context(self) -> int:
        """Returns the most tokens that prompt and answer may have."""
        return self.bundle.manifest.context_length


def write_exact_model(target: Path) -> ExactModel:
    """Writes the embedded model into a folder of one's own."""
    embedded = installed.find("default")
    weights = embedded.weights()
    path = target / "exact"
    path.mkdir()
    shutil.copyfile(embedded.path / TOKENIZER, path / TOKENIZER)
    spec = embedded.manifest.decoder
    facts = write_bundle_weights(path / WEIGHTS, spec, weights.__getitem__, "float32")
    manifest = replace(embedded.manifest, weights=facts)
    (path / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    bundle = ModelBundle.open(path)
    export_gguf(bundle, target / "exact.gguf", "f32")
    folder = write_neox_folder(bundle, target / "exact-hf")
    return ExactModel(bundle, target / "exact.gguf", folder)
