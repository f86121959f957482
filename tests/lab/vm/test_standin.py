# SPDX-License-Identifier: Apache-2.0
"""The corner of a model, of a GGUF that is written here: small enough to be looked at whole."""

import hashlib
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.vm.errors import VmError
from lab.vm.standin import CHANGED, WIDTH, stand_in, write_stand_in

WIDE = 96
VOCABULARY = 100
F32, Q8_0, F16 = 0, 8, 1
UINT32, STRING, ARRAY, FLOAT32, BOOL = 4, 8, 9, 6, 7


def text(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data


def pair(key: bytes, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


VALUES = [
    pair(b"general.architecture", STRING, text(b"llama")),
    *(pair(key, UINT32, struct.pack("<I", 1000)) for key in CHANGED),
    pair(b"tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", STRING, 2) + text(b"a") + text(b"b")),
    pair(b"tokenizer.ggml.scores", ARRAY, struct.pack("<IQff", FLOAT32, 2, 0.5, 1.5)),
    pair(b"tokenizer.ggml.add_bos_token", BOOL, b"\x01"),
]
ROW = [struct.pack("<e32b", 1.0, *[n] * 32) for n in range(WIDE // 32)]  # blocks, told apart
TENSORS = [
    (b"token_embd.weight", (WIDE, VOCABULARY), Q8_0, b"".join(ROW) * VOCABULARY),
    (b"output_norm.weight", (WIDE,), F32, struct.pack(f"<{WIDE}f", *range(WIDE))),
    (b"blk.0.attn_q.weight", (WIDE, WIDE), Q8_0, b"".join(ROW) * WIDE),
    (b"blk.1.attn_q.weight", (WIDE, WIDE), Q8_0, b"".join(ROW) * WIDE),
    (b"blk.10.attn_q.weight", (WIDE, WIDE), Q8_0, b"".join(ROW) * WIDE),
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


def test_the_corner_is_a_gguf_of_the_first_layers_first_rows_and_columns() -> None:
    changed = [pair(key, UINT32, struct.pack("<I", number)) for key, number in CHANGED.items()]
    values = [VALUES[0], *changed, *VALUES[1 + len(CHANGED) :]]
    kept = b"".join(ROW[: WIDTH // 32])
    tensors: Tensors = [
        (b"token_embd.weight", (WIDTH, VOCABULARY), Q8_0, kept * VOCABULARY),
        (b"output_norm.weight", (WIDTH,), F32, struct.pack(f"<{WIDTH}f", *range(WIDTH))),
        (b"blk.0.attn_q.weight", (WIDTH, WIDTH), Q8_0, kept * WIDTH),
    ]
    assert stand_in(WHOLE) == gguf(values, tensors)


def test_a_corner_has_only_itself_for_a_corner() -> None:
    assert stand_in(stand_in(WHOLE)) == stand_in(WHOLE)


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(WHOLE)
    digest = write_stand_in(tmp_path / "model", tmp_path / "corner")
    assert digest == hashlib.sha256((tmp_path / "corner").read_bytes()).digest()


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"GGUF", "a header"),
        (b"GGML" + WHOLE[4:], "version 3"),
        (WHOLE[:200], "the end of the file"),
        (gguf(VALUES[1:2], TENSORS), "llama.embedding_length"),
        (gguf([pair(b"key", 99, b"")], TENSORS), "a known type of value"),
        (gguf(VALUES, [(b"x", (32,), F16, bytes(64))]), "tensors of F32 and Q8_0"),
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
