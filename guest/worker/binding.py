# SPDX-License-Identifier: Apache-2.0
"""The part of llama.cpp that the guest calls, and nothing else of llama-cpp-python.

`LlamaApi` lists every C function the engine uses: it is the surface to review. The functions come
from the module `llama_cpp.llama_cpp`, which is ctypes only. Importing it the ordinary way would
first run `llama_cpp/__init__.py`, and with it the high-level class, its caches, numpy, jinja2 and
diskcache: code that sees prompts, in a process that must keep none. So the package is registered
without running its `__init__`, which Python's import system allows (`module_from_spec` makes a
package object with a search path and executes nothing).
"""

import ctypes
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from typing import Any, Protocol, cast

LIBRARY_VARIABLES = ("LLAMA_CPP_LIB", "LLAMA_CPP_LIB_PATH")
"""Environment variables with which llama-cpp-python would load another library."""

Address = int
"""A pointer that llama.cpp gave us: a model, context, vocabulary, memory or sampler."""

Tokens = ctypes.Array[ctypes.c_int32]

State = ctypes.Array[ctypes.c_uint8]


class BindingError(Exception):
    """llama-cpp-python is missing, or the environment would replace its library."""


class LlamaApi(Protocol):
    """What we call of llama.h, which documents each name. Structures by value are `Any`."""

    LLAMA_FLASH_ATTN_TYPE_DISABLED: int

    # Callback types; a callback's address is kept by C, so its owner must keep the object.
    llama_log_callback: Callable[[Callable[[int, bytes, int], None]], Any]
    ggml_abort_callback: Callable[..., Any]

    llama_backend_init: Callable[[], None]
    llama_log_set: Callable[[Any, None], None]
    llama_model_default_params: Callable[[], Any]
    llama_model_load_from_file: Callable[[bytes, Any], Address | None]
    llama_model_get_vocab: Callable[[Address], Address]
    llama_context_default_params: Callable[[], Any]
    llama_init_from_model: Callable[[Address, Any], Address | None]
    llama_n_ctx: Callable[[Address], int]
    # (context, threads when decoding, threads when reading)
    llama_set_n_threads: Callable[[Address, int, int], None]
    llama_set_abort_callback: Callable[[Address, Any, None], None]
    llama_get_memory: Callable[[Address], Address]
    # (memory, whether to zero the cells too)
    llama_memory_clear: Callable[[Address, bool], None]
    llama_batch_get_one: Callable[[Tokens, int], Any]
    llama_decode: Callable[[Address, Any], int]
    # (context, [state, bytes,] sequence)
    llama_state_seq_get_size: Callable[[Address, int], int]
    llama_state_seq_get_data: Callable[[Address, State, int, int], int]
    llama_state_seq_set_data: Callable[[Address, State, int, int], int]
    llama_sampler_init_greedy: Callable[[], Address]
    # (sampler, context, row): the token chosen by the scores of that row, -1 being the last
    llama_sampler_sample: Callable[[Address, Address, int], int]
    llama_vocab_is_eog: Callable[[Address, int], bool]
    # (vocabulary, text, its bytes, tokens, their room, add special, parse special)
    llama_tokenize: Callable[[Address, bytes, int, Tokens, int, bool, bool], int]
    # (vocabulary, token, buffer, its bytes, leading spaces to strip, render special)
    llama_token_to_piece: Callable[[Address, int, Any, int, int, bool], int]


def load_llama() -> LlamaApi:
    """llama.cpp's C functions, bound by ctypes; the same object every time.

    Raises:
        BindingError: llama-cpp-python is not installed, or the environment names another library.
    """
    for name in LIBRARY_VARIABLES:
        if name in os.environ:
            raise BindingError(f"environment: wanted no {name}, got one")
    if "llama_cpp" not in sys.modules:
        spec = importlib.util.find_spec("llama_cpp")
        if spec is None:
            raise BindingError("llama_cpp: wanted it installed, got nothing")
        sys.modules["llama_cpp"] = importlib.util.module_from_spec(spec)
    return cast("LlamaApi", importlib.import_module("llama_cpp.llama_cpp"))
