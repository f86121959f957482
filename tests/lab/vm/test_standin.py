# SPDX-License-Identifier: Apache-2.0
"""The corner of a model, of a GGUF that is written here: small enough to be looked at whole."""

import hashlib
import math
import struct
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.vm import standin
from lab.vm.errors import VmError
from lab.vm.standin import CHANGED, STEP, WIDTH, write_stand_in

WIDE = 96
VOCABULARY = 100
TOKENS = 40
MERGES = 90
F32, Q8_0, F16 = 0, 8, 1
UINT32, INT32, STRING, ARRAY, FLOAT32, BOOL = 4, 5, 8, 9, 6, 7


def text(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data


def pair(key: bytes, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def array(kind: int, items: list[bytes]) -> bytes:
    return struct.pack("<IQ", kind, len(items)) + b"".join(items)


def values(numbers: dict[bytes, int], *, tokens: int, merges: int) -> list[bytes]:
    """The key-values of a model with these numbers, tokens and merges."""
    words = [text(f"token {number}".encode("ascii")) for number in range(tokens)]
    pairs = [text(f"pair {number}".encode("ascii")) for number in range(merges)]
    return [
        pair(b"general.architecture", STRING, text(b"llama")),
        *(pair(key, UINT32, struct.pack("<I", number)) for key, number in numbers.items()),
        pair(b"llama.vocab_size", UINT32, struct.pack("<I", tokens)),
        pair(b"tokenizer.ggml.tokens", ARRAY, array(STRING, words)),
        pair(b"tokenizer.ggml.token_type", ARRAY, array(INT32, [bytes(4)] * tokens)),
        pair(b"tokenizer.ggml.merges", ARRAY, array(STRING, pairs)),
        pair(b"other", ARRAY, array(FLOAT32, [struct.pack("<f", 0.5)] * 3)),
        pair(b"tokenizer.ggml.add_bos_token", BOOL, b"\x01"),
    ]


VALUES = values(dict.fromkeys(CHANGED, 1000), tokens=VOCABULARY, merges=MERGES)
SCALE = struct.Struct("<e32b")


def block(number: int, scale: float = 1.0) -> bytes:
    return SCALE.pack(scale, *[number] * 32)


def rows(count: int, columns: int = WIDE) -> bytes:
    """A matrix whose blocks can be told apart."""
    blocks = range(columns // 32)
    return b"".join(block(row + at) for row in range(count) for at in blocks)


TENSORS = [
    (b"token_embd.weight", (WIDE, VOCABULARY), Q8_0, rows(VOCABULARY)),
    (b"output_norm.weight", (WIDE,), F32, struct.pack(f"<{WIDE}f", *range(WIDE))),
    (b"blk.0.attn_q.weight", (WIDE, WIDE), Q8_0, rows(WIDE)),
    (b"blk.1.attn_q.weight", (WIDE, WIDE), Q8_0, rows(WIDE)),
    (b"blk.10.attn_q.weight", (WIDE, WIDE), Q8_0, rows(WIDE)),
]
Tensors = list[tuple[bytes, tuple[int, ...], int, bytes]]


def gguf(values: list[bytes], tensors: Tensors) -> bytes:
    table = data = b""
    for name, shape, kind, content in tensors:
        table += text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        table += struct.pack("<IQ", kind, len(data))
        data += content + bytes(-len(content) % 32)
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(values)) + b"".join(values) + table
    return head + bytes(-len(head) % 32) + data


WHOLE = gguf(VALUES, TENSORS)
stand_in = partial(standin.stand_in, tokens=TOKENS)


def test_the_corner_is_a_gguf_of_the_first_tokens_layer_rows_and_columns() -> None:
    step = STEP % TOKENS
    output = [block(row, 1 / math.hypot(*[row] * 32) if row else 1.0) for row in range(TOKENS)]
    tensors: Tensors = [
        (b"token_embd.weight", (WIDTH, TOKENS), Q8_0, rows(TOKENS, WIDTH)),
        (b"output_norm.weight", (WIDTH,), F32, struct.pack(f"<{WIDTH}f", *range(WIDTH))),
        (b"blk.0.attn_q.weight", (WIDTH, WIDTH), Q8_0, rows(WIDTH, WIDTH)),
        (b"output.weight", (WIDTH, TOKENS), Q8_0, b"".join(output[-step:] + output[:-step])),
    ]
    kept = values(CHANGED, tokens=TOKENS, merges=MERGES - (VOCABULARY - TOKENS))
    assert stand_in(WHOLE) == gguf(kept, tensors)


def test_a_corner_has_only_itself_for_a_corner() -> None:
    assert stand_in(stand_in(WHOLE)) == stand_in(WHOLE)


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(WHOLE)
    digest = write_stand_in(tmp_path / "model", tmp_path / "corner", tokens=TOKENS)
    assert digest == hashlib.sha256((tmp_path / "corner").read_bytes()).digest()


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"GGUF", "a header"),
        (b"GGML" + WHOLE[4:], "version 3"),
        (WHOLE[:200], "the end of the file"),
        (gguf(VALUES[1:2], TENSORS), "llama.embedding_length"),
        (gguf([pair(b"key", 99, b"")], TENSORS), "scalars, strings and arrays of them"),
        (gguf(VALUES, [(b"x", (32,), F16, bytes(64))]), "tensors of F32 and Q8_0"),
        (gguf(VALUES, TENSORS[1:]), "token_embd.weight of Q8_0"),
        (gguf(values(CHANGED, tokens=39, merges=39), TENSORS), "40 tokens and their merges"),
        (gguf(values(CHANGED, tokens=100, merges=59), TENSORS), "40 tokens and their merges"),
    ],
)
def test_what_is_no_such_model_is_refused(data: bytes, wanted: str) -> None:
    with pytest.raises(VmError, match=wanted):
        stand_in(data)


@given(st.binary(max_size=200), st.integers(0, len(WHOLE)))
def test_any_bytes_are_a_model_or_an_error(data: bytes, at: int) -> None:
    for changed in (data, WHOLE[:at] + data, WHOLE[:at] + data + WHOLE[at + len(data) :]):
        try:
            stand_in(changed)
        except VmError:
            continue
