# SPDX-License-Identifier: Apache-2.0
"""The token ids of a canary, by the tokenizer of the model that may have read it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from guest.worker.engine import Engine

CONTEXT_TOKENS: Final = 256
"""As small as the engine allows: nothing is evaluated here."""


def token_ids(model: Path, text: str) -> list[int]:
    """The ids of ``text`` in its place: a text at a word's start has a space before it.

    Raises:
        EngineError: the file is no model that llama.cpp loads.
    """
    descriptor = os.open(model, os.O_RDONLY | os.O_CLOEXEC)
    try:
        engine = Engine.load(descriptor, context_tokens=CONTEXT_TOKENS)
        return [int(token) for token in engine._tokenize(text)]  # noqa: SLF001 - no public use
    finally:
        os.close(descriptor)
