"""Writes a GGUF file again with its matrices at Q8_0, for llama.cpp beside its first form.

The numbers are those of the file: it is dequantised and quantised anew, so nothing comes back that
its own type has lost.  Metadata, vocabulary and vectors stay as they are.
"""

from __future__ import annotations

from pathlib import Path

from model_runtime.progress import step


def at_q8_0(source: Path) -> Path:
    """Returns the file beside `source` that has its numbers at Q8_0; made at the first call."""
    target = source.with_name(f"{source.stem}-as-q8_0.gguf")
    if not target.exists():
        with step(f"writing {target.name}"):
            unfinished = target.with_suffix(".unfinished")
            _write(source, unfinished)
            unfinished.replace(target)
    return target


def _write(source: Path, target: Path) -> None:
    import gguf
    from gguf import GGMLQuantizationType, GGUFValueType

    reader = gguf.GGUFReader(source)
    fields = {
        name: field
        for name, field in reader.fields.items()
        if not name.startswith("GGUF.") and name != "general.file_type"
    }
    architecture = fields.pop("general.architecture").contents()
    writer = gguf.GGUFWriter(target, architecture)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    for name, field in fields.items():
        kind, *inner = field.types
        sub_type = inner[-1] if kind is GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), kind, sub_type)
    for tensor in reader.tensors:
        numbers = gguf.dequantize(tensor.data, tensor.tensor_type)
        kind = GGMLQuantizationType.Q8_0 if numbers.ndim > 1 else GGMLQuantizationType.F32
        writer.add_tensor(tensor.name, gguf.quantize(numbers, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
