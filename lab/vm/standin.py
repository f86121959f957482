# SPDX-License-Identifier: Apache-2.0
"""A model that an emulated processor can run: one corner of the real one.

Under TCG a core makes some fifty million multiplications a second, and the default model wants more
than that for one token. The stand-in has the first `TOKENS` tokens of its vocabulary, and of each
matrix the first `WIDTH` rows and columns, one head of one layer. To the guest it is a model like
any other, with a digest of its own. The format is GGUF 3 (ggml, docs/gguf.md): header, key-values,
tensor table, padding, tensors.

It makes no sense when it speaks, but it speaks on. A corner by itself says its last token again and
again, as what its one layer knows best; so its output is a matrix of its own, in which each token
has the place of the one `STEP` before it, and it walks through the vocabulary.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lab.vm.errors import VmError

WIDTH: Final = 32
"""The length of one head, and of everything else but the vocabulary: one block of Q8_0."""
TOKENS: Final = 4096
"""Of the vocabulary. Tokens stand in the order of their merges, so the first need no later one."""
STEP: Final = 777
"""From a token to what is said after it: odd, so that many come before one comes again."""
EMBEDDINGS: Final = b"token_embd.weight"
OUTPUT: Final = b"output.weight"
VOCABULARY: Final = b"tokenizer.ggml.tokens"
KINDS: Final = b"tokenizer.ggml.token_type"
MERGES: Final = b"tokenizer.ggml.merges"
CHANGED: Final = {
    b"llama.block_count": 1,
    b"llama.embedding_length": WIDTH,
    b"llama.feed_forward_length": WIDTH,
    b"llama.attention.head_count": 1,
    b"llama.attention.head_count_kv": 1,
    b"llama.rope.dimension_count": WIDTH,
}
"""The numbers of the shape, all UINT32; that of the vocabulary is `VOCABULARY_SIZE`."""
VOCABULARY_SIZE: Final = b"llama.vocab_size"
HEADER: Final = struct.Struct("<4sIQQ")  # magic, version, tensors, key-values
MAGIC: Final = b"GGUF"
VERSION: Final = 3
ALIGNMENT: Final = 32
"""Of tensors, where the file does not say; ours do not."""

_F32: Final = 0
_Q8_0: Final = 8
_BLOCKS: Final = {_F32: (1, 4), _Q8_0: (32, 34)}
"""Of the types of tensors that there are: elements of a block, and its bytes."""
_Q8: Final = struct.Struct("<e32b")
"""A block of Q8_0: a scale, and what is multiplied by it."""
_UINT32: Final = 4
_STRING: Final = 8
_ARRAY: Final = 9
_SCALAR_BYTES: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""GGUF's value types of fixed size (`gguf_type`)."""
_LAYER: Final = re.compile(rb"blk\.([0-9]+)\.")


@dataclass(frozen=True, slots=True)
class _Value:
    """A key with its value; ``items`` are those of an array, and nothing else has any."""

    key: bytes
    kind: int
    data: bytes
    inner: int = 0
    items: tuple[bytes, ...] = ()

    def first(self, count: int) -> _Value:
        """An array of the first items."""
        return replace(self, items=self.items[:count])

    def written(self) -> bytes:
        """As it stands in a file."""
        head = len(self.key).to_bytes(8, "little") + self.key + struct.pack("<I", self.kind)
        if self.kind != _ARRAY:
            return head + self.data
        return head + struct.pack("<IQ", self.inner, len(self.items)) + b"".join(self.items)


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A tensor as it is; ``shape`` is columns, then rows if there are any."""

    name: bytes
    shape: tuple[int, ...]
    kind: int
    data: bytes

    @property
    def is_kept(self) -> bool:
        """Whether it belongs to the first layer, or to none; the output is made anew."""
        match = _LAYER.match(self.name)
        return self.name != OUTPUT and (match is None or match.group(1) == b"0")

    def corner(self, tokens: int) -> _Tensor:
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
        most = tokens if self.name == EMBEDDINGS else WIDTH
        shape = (min(columns, WIDTH), *(min(count, most) for count in rows))
        kept = shape[0] // elements * size
        count = shape[1] if rows else 1
        data = b"".join(self.data[at * stride : at * stride + kept] for at in range(count))
        return _Tensor(self.name, shape, self.kind, data)

    def as_output(self) -> _Tensor:
        """The output matrix to these embeddings, which are of Q8_0 and one block long.

        A row's scale becomes what makes it one long, or a few long rows would be said for ever.
        """
        blocks = [self.data[at : at + _Q8.size] for at in range(0, len(self.data), _Q8.size)]
        rows = [
            _Q8.pack(1 / (math.hypot(*numbers) or 1), *numbers)
            for _, *numbers in map(_Q8.unpack, blocks)
        ]
        step = STEP % len(rows)
        return replace(self, name=OUTPUT, data=b"".join(rows[-step:] + rows[:-step]))


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

    def value(self, key: bytes, kind: int) -> _Value:
        """One value, whose key and type were read."""
        if kind == _ARRAY:
            inner, count = self.number(4), self.number(8)
            return _Value(key, kind, b"", inner, tuple(self._items(inner, count)))
        return _Value(key, kind, self._item(kind))

    def _items(self, kind: int, count: int) -> Iterator[bytes]:
        for _ in range(count):
            yield self._item(kind)

    def _item(self, kind: int) -> bytes:
        begun = self.at
        if kind == _STRING:
            self.string()
        elif kind in _SCALAR_BYTES:
            self.take(_SCALAR_BYTES[kind])
        else:
            raise VmError("GGUF", "scalars, strings and arrays of them", f"type {kind}")
        return self.data[begun : self.at]


def stand_in(model: bytes, *, tokens: int = TOKENS) -> bytes:
    """The GGUF of a corner of a llama model, with that many tokens.

    Raises:
        VmError: the bytes are no such model.
    """
    if len(model) < HEADER.size:
        raise VmError("GGUF", "a header", f"{len(model)} bytes")
    magic, version, tensors, values = HEADER.unpack_from(model)
    if (magic, version) != (MAGIC, VERSION):
        raise VmError("GGUF", f"version {VERSION}", f"{magic!r}, version {version}")
    cursor = _Cursor(model, HEADER.size)
    read = {}
    for _ in range(values):
        key = cursor.string()
        read[key] = cursor.value(key, cursor.number(4))
    kept = {each.name: each.corner(tokens) for each in _tensors(cursor, tensors) if each.is_kept}
    if EMBEDDINGS not in kept or len(kept[EMBEDDINGS].data) != tokens * _Q8.size:
        raise VmError("GGUF", f"{EMBEDDINGS.decode('ascii')} of Q8_0", "another or none")
    kept[OUTPUT] = kept[EMBEDDINGS].as_output()
    table = b"".join(value.written() for value in _changed(read, tokens).values())
    return HEADER.pack(MAGIC, VERSION, len(kept), values) + _written(table, [*kept.values()])


def _changed(values: dict[bytes, _Value], tokens: int) -> dict[bytes, _Value]:
    """The key-values of the corner."""
    numbers = CHANGED | {VOCABULARY_SIZE: tokens}
    for key in (*numbers, VOCABULARY, KINDS, MERGES):
        wanted = _UINT32 if key in numbers else _ARRAY
        if key not in values or values[key].kind != wanted:
            raise VmError("GGUF", key.decode("ascii"), "none")
    beyond = len(values[VOCABULARY].items) - tokens
    counts = {VOCABULARY: tokens, KINDS: tokens, MERGES: len(values[MERGES].items) - beyond}
    if beyond < 0 or counts[MERGES] < 0:
        raise VmError("GGUF", f"{tokens} tokens and their merges", "fewer")
    shape = {key: replace(values[key], data=struct.pack("<I", n)) for key, n in numbers.items()}
    return values | shape | {key: values[key].first(count) for key, count in counts.items()}


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


def write_stand_in(model: Path, into: Path, *, tokens: int = TOKENS) -> bytes:
    """Write the stand-in of a model file, with that many tokens; its SHA-256.

    Raises:
        VmError: the file is no model.
    """
    data = stand_in(model.read_bytes(), tokens=tokens)
    into.write_bytes(data)
    return hashlib.sha256(data).digest()
