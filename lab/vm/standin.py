# SPDX-License-Identifier: Apache-2.0
"""A model that an emulated processor can run: one corner of the real one.

Under TCG a core makes some fifty million multiplications a second, and the default model wants more
than that for one token. The stand-in has its tokenizer and of each matrix the first `WIDTH` rows
and columns, one head of one layer. It makes no sense when it speaks; to the guest it is a model
like any other, with a digest of its own. The format is GGUF 3 (ggml, docs/gguf.md): header,
key-values, tensor table, padding, tensors.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.vm.errors import VmError

WIDTH: Final = 64
"""The length of one head, and of everything else but the vocabulary."""
CHANGED: Final = {
    b"llama.block_count": 1,
    b"llama.embedding_length": WIDTH,
    b"llama.feed_forward_length": WIDTH,
    b"llama.attention.head_count": 1,
    b"llama.attention.head_count_kv": 1,
}
"""The numbers of the shape, all UINT32; one head is as long as before."""
EMBEDDINGS: Final = b"token_embd.weight"
HEADER: Final = struct.Struct("<4sIQQ")  # magic, version, tensors, key-values
MAGIC: Final = b"GGUF"
VERSION: Final = 3
ALIGNMENT: Final = 32
"""Of tensors, where the file does not say; ours do not."""

_F32: Final = 0
_Q8_0: Final = 8
_BLOCKS: Final = {_F32: (1, 4), _Q8_0: (32, 34)}
"""Of the types of tensors that there are: elements of a block, and its bytes."""
_UINT32: Final = 4
_STRING: Final = 8
_ARRAY: Final = 9
_SCALAR_BYTES: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""GGUF's value types of fixed size (`gguf_type`)."""
_LAYER: Final = re.compile(rb"blk\.([0-9]+)\.")


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A tensor as it is; ``shape`` is columns, then rows if there are any."""

    name: bytes
    shape: tuple[int, ...]
    kind: int
    data: bytes

    @property
    def is_kept(self) -> bool:
        """Whether it belongs to the first layer, or to none."""
        match = _LAYER.match(self.name)
        return match is None or match.group(1) == b"0"

    def corner(self) -> _Tensor:
        """Its first columns and rows.

        Raises:
            VmError: it is of another type than ours are.
        """
        if self.kind not in _BLOCKS:
            raise VmError("GGUF", "tensors of F32 and Q8_0", f"type {self.kind}")
        elements, size = _BLOCKS[self.kind]
        columns, *rows = self.shape or (0,)
        stride = columns // elements * size
        if not 0 < stride * math.prod(rows) <= len(self.data) or len(rows) > 1:
            raise VmError("GGUF", "a whole vector or matrix", f"{len(self.data)} bytes")
        shape = (min(columns, WIDTH), *(_cut(self.name, count) for count in rows))
        kept = shape[0] // elements * size
        count = shape[1] if rows else 1
        data = b"".join(self.data[at * stride : at * stride + kept] for at in range(count))
        return _Tensor(self.name, shape, self.kind, data)


def _cut(name: bytes, rows: int) -> int:
    return rows if name == EMBEDDINGS else min(rows, WIDTH)


class _Cursor:
    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise VmError("GGUF", f"{size} bytes at {self.at}", "the end of the file")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def string(self) -> bytes:
        return self.take(self.number(8))

    def skip(self, kind: int) -> None:
        """Pass over one value."""
        if kind == _STRING:
            self.string()
        elif kind == _ARRAY:
            inner, count = self.number(4), self.number(8)
            if inner in _SCALAR_BYTES:
                self.take(_SCALAR_BYTES[inner] * count)
            elif inner == _STRING:
                for _ in range(count):
                    self.string()
            else:
                raise VmError("GGUF", "an array of scalars or strings", f"type {inner}")
        elif kind in _SCALAR_BYTES:
            self.take(_SCALAR_BYTES[kind])
        else:
            raise VmError("GGUF", "a known type of value", str(kind))


def stand_in(model: bytes) -> bytes:
    """The GGUF of a corner of a llama model.

    Raises:
        VmError: the bytes are no such model.
    """
    if len(model) < HEADER.size:
        raise VmError("GGUF", "a header", f"{len(model)} bytes")
    magic, version, tensors, values = HEADER.unpack_from(model)
    if (magic, version) != (MAGIC, VERSION):
        raise VmError("GGUF", f"version {VERSION}", f"{magic!r}, version {version}")
    cursor = _Cursor(model, HEADER.size)
    table = _values(cursor, values)
    kept = [each.corner() for each in _tensors(cursor, tensors) if each.is_kept]
    return HEADER.pack(MAGIC, VERSION, len(kept), values) + _written(table, kept)


def _values(cursor: _Cursor, count: int) -> bytes:
    """The key-values as they stand, but for those in `CHANGED`."""
    begun = cursor.at
    places = {}
    for _ in range(count):
        key, kind = cursor.string(), cursor.number(4)
        if kind == _UINT32:
            places[key] = cursor.at - begun
        cursor.skip(kind)
    table = bytearray(cursor.data[begun : cursor.at])
    for key, number in CHANGED.items():
        if key not in places:
            raise VmError("GGUF", key.decode("ascii"), "none")
        table[places[key] : places[key] + 4] = number.to_bytes(4, "little")
    return bytes(table)


def _tensors(cursor: _Cursor, count: int) -> list[_Tensor]:
    rows = []
    for _ in range(count):
        name = cursor.string()
        shape = tuple(cursor.number(8) for _ in range(cursor.number(4)))
        rows.append((name, shape, cursor.number(4), cursor.number(8)))
    first = cursor.at + -cursor.at % ALIGNMENT
    offsets = sorted({row[3] for row in rows} | {len(cursor.data) - first})
    following = {offsets[-1]: 0, **dict(itertools.pairwise(offsets))}
    return [
        _Tensor(name, shape, kind, cursor.data[first + offset : first + following[offset]])
        for name, shape, kind, offset in rows
    ]


def _written(values: bytes, tensors: list[_Tensor]) -> bytes:
    table = b""
    parts = []
    size = 0
    for tensor in tensors:
        table += len(tensor.name).to_bytes(8, "little") + tensor.name
        table += struct.pack("<I", len(tensor.shape))
        table += struct.pack(f"<{len(tensor.shape)}QIQ", *tensor.shape, tensor.kind, size)
        data = tensor.data + bytes(-len(tensor.data) % ALIGNMENT)
        parts.append(data)
        size += len(data)
    head = values + table
    return head + bytes(-(HEADER.size + len(head)) % ALIGNMENT) + b"".join(parts)


def write_stand_in(model: Path, into: Path) -> bytes:
    """Write the stand-in of a model file; its SHA-256.

    Raises:
        VmError: the file is no model.
    """
    data = stand_in(model.read_bytes())
    into.write_bytes(data)
    return hashlib.sha256(data).digest()
