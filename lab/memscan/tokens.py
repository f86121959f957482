# SPDX-License-Identifier: Apache-2.0
"""A canary as a model keeps it: its token ids, and its values in the first layer's cache.

Most of a KV cache cannot be searched for. What a token leaves there depends on all before it (each
layer reads the ones below) and on its place (keys are rotated by it). The values of the first layer
are the exception: they are computed from the token alone, so the same words leave the same numbers
wherever they stand in a prompt, and without flash attention the numbers of consecutive tokens lie
side by side. The engine is asked what they are for a canary that stands alone; measured with the
default model, all 192 rows were bit-equal behind a prefix. They are searched for as "kv-values".
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from guest.worker.engine import Engine
from lab.memscan.forms import FORM_MIN_BYTES, Needle

CONTEXT_TOKENS: Final = 256
"""As small as the engine allows: one canary is evaluated here."""
ROWS: Final = 8
"""Rows of the value cache that are searched for: one would do, and any may be overwritten."""

_ROW_HEADER: Final = struct.Struct("<iII")  # of a layer's values in a saved state: see below
_F16: Final = 1  # ggml's number of the type
_F16_BYTES: Final = 2


def token_ids(model: Path, text: str) -> list[int]:
    """The ids of ``text`` in its place: a text at a word's start has a space before it.

    Raises:
        EngineError: the file is no model that llama.cpp loads.
    """
    with _engine(model) as engine:
        return [int(token) for token in engine._tokenize(text)]  # noqa: SLF001 - no public use


def kv_needles(label: str, model: Path, text: str) -> list[Needle]:
    """Rows of the first layer's value cache after ``text``, which must begin as in its place.

    A saved state ends with the values of every layer: type, bytes of an element, rows, and then
    each row with one element per token (llama.cpp, `llama_kv_cache::state_write_data`).

    Raises:
        EngineError: the file is no model that llama.cpp loads.
        ValueError: the cache is not laid out so, or the text has too few tokens to be told by them.
    """
    with _engine(model) as engine:
        engine.learn("canary", text)
        prefix = engine._prefixes["canary"]  # noqa: SLF001 - it has no other use
        llama: Any = engine._llama  # noqa: SLF001
        shape = llama.llama_get_model(engine._context)  # noqa: SLF001
        heads = llama.llama_model_n_head_kv(shape)
        rows = llama.llama_model_n_embd(shape) // llama.llama_model_n_head(shape) * heads
        layers = llama.llama_model_n_layer(shape)
    state = bytes(prefix.state)
    size = prefix.tokens * _F16_BYTES
    at = len(state) - layers * (_ROW_HEADER.size + rows * size)
    if at < 0 or _ROW_HEADER.unpack_from(state, at) != (_F16, _F16_BYTES, rows):
        raise ValueError(f"value cache: wanted {layers} layers of {rows} rows, got another layout")
    if size < FORM_MIN_BYTES:
        raise ValueError(f"value cache: wanted {FORM_MIN_BYTES} bytes a row, got {size}")
    first = at + _ROW_HEADER.size
    return [
        Needle(label, f"kv-values+{row}", state[first + row * size : first + (row + 1) * size])
        for row in range(ROWS)
    ]


@contextmanager
def _engine(model: Path) -> Iterator[Engine]:
    descriptor = os.open(model, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield Engine.load(descriptor, context_tokens=CONTEXT_TOKENS)
    finally:
        os.close(descriptor)
