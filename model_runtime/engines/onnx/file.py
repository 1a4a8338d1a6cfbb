"""ONNX model files, as much of the format as one graph of ours needs, written without the package.

A model is a protobuf message; the field numbers below are those of onnx.proto (IR version 9).
Large constants lie beside it in a file of their own, from which the runtime maps them: so a model
may be larger than protobuf's 2 GB, and is written a tensor at a time.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from model_runtime.models.weights import Array

DECODER, OUTPUT_HEAD = "decoder", "head"
"""Names of the two graphs of a model."""

CONTRIB = "com.microsoft"
"""The domain of ONNX Runtime's own operators."""

_IR_VERSION = 9
_OPSETS = (("", 17), (CONTRIB, 1))
_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7}
_INLINE_BYTES = 256
"""Bytes up to which constants stand in the model itself, where shape inference looks for them."""
_ALIGNMENT = 4096
"""Bytes of a page; constants begin at one, so that they can be mapped."""

Attribute = int | float | tuple[int, ...]
Dimension = int | str
_Field = tuple[int, int | float | str | bytes]


def model_path(folder: Path, name: str) -> Path:
    """Returns the file of a graph; its large constants lie beside it in `<name>.bin`."""
    return folder / f"{name}.onnx"


class OnnxFile:
    """A graph that is being written into a folder; leave the block, and the file is whole."""

    def __init__(self, folder: Path, name: str) -> None:
        """Opens the graph of a name, which a folder may hold beside others.

        Args:
            folder: where `model_path` and the file of its constants are written.
            name: of the graph.
        """
        self._folder, self._name = folder, name
        self._constants_name = f"{name}.bin"
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []
        self._file = (folder / self._constants_name).open("wb")

    def __enter__(self) -> OnnxFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if error is None:
            model_path(self._folder, self._name).write_bytes(self._model())

    def input(self, name: str, dtype: str, shape: Sequence[Dimension]) -> str:
        """Declares an input of the graph; a dimension given by name may vary."""
        self._inputs.append(_value_info(name, dtype, shape))
        return name

    def output(self, name: str, dtype: str, shape: Sequence[Dimension]) -> str:
        """Declares an output of the graph."""
        self._outputs.append(_value_info(name, dtype, shape))
        return name

    def constant(self, name: str, array: Array) -> str:
        """Stores a tensor under `name`."""
        array = np.ascontiguousarray(array)
        facts: list[_Field] = [(1, size) for size in array.shape]
        facts += [(2, _TYPES[array.dtype.name]), (8, name)]
        if array.nbytes <= _INLINE_BYTES:
            facts.append((9, array.tobytes()))
        else:
            self._file.write(b"\0" * (-self._file.tell() % _ALIGNMENT))
            place = {
                "location": self._constants_name,
                "offset": self._file.tell(),
                "length": array.nbytes,
            }
            facts += [(13, _message((1, key), (2, str(value)))) for key, value in place.items()]
            facts.append((14, 1))
            self._file.write(array.data)
        self._constants.append(_message(*facts))
        return name

    def integers(self, name: str, values: Sequence[int]) -> str:
        """Stores an int64 vector, as shapes and places are given."""
        return self.constant(name, np.array(values, np.int64))

    def number(self, name: str, value: float) -> str:
        """Stores a float32 scalar."""
        return self.constant(name, np.array(value, np.float32))

    def node(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: Sequence[str] = (),
        domain: str = "",
        **attributes: Attribute,
    ) -> str:
        """Appends an operator; an input that is left out is named "".

        Returns:
            The name of the first output.
        """
        outputs = outputs or [f"{operator}_{len(self._nodes)}"]
        fields: list[_Field] = [(1, name) for name in inputs]
        fields += [(2, name) for name in outputs]
        fields += [(3, f"{operator}_{len(self._nodes)}"), (4, operator), (7, domain)]
        fields += [(5, _attribute(name, value)) for name, value in attributes.items()]
        self._nodes.append(_message(*fields))
        return outputs[0]

    def _model(self) -> bytes:
        parts = ((1, self._nodes), (5, self._constants), (11, self._inputs), (12, self._outputs))
        graph = _message((2, self._name), *((number, it) for number, all_ in parts for it in all_))
        opsets = [(8, _message((1, domain), (2, version))) for domain, version in _OPSETS]
        return _message((1, _IR_VERSION), (2, "fim-lsp"), (7, graph), *opsets)


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, float):
        return _message((1, name), (2, value), (20, 1))
    if isinstance(value, tuple):
        return _message((1, name), *((8, item) for item in value), (20, 7))
    return _message((1, name), (3, value), (20, 2))


def _value_info(name: str, dtype: str, shape: Sequence[Dimension]) -> bytes:
    sizes = (_message((1, size) if isinstance(size, int) else (2, size)) for size in shape)
    tensor = _message((1, _TYPES[dtype]), (2, _message(*((1, size) for size in sizes))))
    return _message((1, name), (2, _message((1, tensor))))


def _message(*fields: _Field) -> bytes:
    """Encodes (number, value) pairs as protobuf does.

    >>> _message((1, 300), (2, "ab")).hex(" ")
    '08 ac 02 12 02 61 62'
    """
    encoded = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            encoded += _varint(number << 3) + _varint(value)
        elif isinstance(value, float):
            encoded += _varint(number << 3 | 5) + struct.pack("<f", value)
        else:
            data = value.encode() if isinstance(value, str) else value
            encoded += _varint(number << 3 | 2) + _varint(len(data)) + data
    return bytes(encoded)


def _varint(value: int) -> bytes:
    """Encodes seven bits a byte, the lowest first; negative numbers as 64-bit two's complement."""
    value &= 2**64 - 1
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
