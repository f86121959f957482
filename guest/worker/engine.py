# SPDX-License-Identifier: Apache-2.0
"""The model: loaded once, taught the public prefixes, and asked one question per process.

The rule: the same prompt gives the same tokens, bit for bit, whatever ran before it. Decoding is
greedy, one sequence, one context, fixed batch sizes; every answer starts from the saved state of a
prefix. Nothing here draws randomness. (Design §3; the zygote loads and learns, a forked worker
generates and ends with `_exit`, which is how its plaintext leaves memory.)

Why the state of a prefix is saved and copied back, and not kept as one sequence per prefix: a
sequence of its own needs its own 94 MB of cache. Six prefixes of 840 tokens took 716 MB that way,
and 390 MB as one context with six saved states. Copying one back took 10 to 30 ms of a request of
seconds; leaving one in place saved nothing, as its pages are then copied at the first token.

Why no flash attention: behind 800 tokens of prefix it decoded 28 tokens a second where this decodes
36, and read a request no faster (Q8_0, one thread, AVX2).

Text is tokenised without special tokens, both ours and theirs: no message can spell an end of turn.
Loading and learning leave no thread behind, so that the process may fork; with more than one
thread, ggml makes them for each graph (llama.cpp must be built with `GGML_OPENMP=OFF`).
"""

import codecs
import ctypes
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from guest.worker.binding import Address, LlamaApi, State, Tokens, load_llama
from guest.worker.clean import StopFilter

CONTEXT_TOKENS = 4096
"""Prefix, request and answer together. The default model was trained on 8192."""

BATCH_TOKENS = 128
"""Tokens evaluated at once. Larger batches are no faster here and need larger buffers."""

PIECE_MAX_BYTES = 256
"""No token's text is longer."""

TEXT_MAX_BYTES = 1 << 20
"""No text to be tokenised is longer."""

SEQUENCE = 0
ABORTED = 2
"""llama_decode's status for "the abort callback said so"."""


class EngineError(Exception):
    """The engine could not do what was asked. Carries no text of any request."""


class ModelError(EngineError):
    """The model could not be loaded."""


class AbortedError(EngineError):
    """`abort` said stop while an answer was being made."""

    def __init__(self) -> None:
        super().__init__("generate: wanted to finish, got abort")


class RoomError(EngineError):
    """A text does not fit into the context behind its prefix."""

    def __init__(self, wanted: int, got: int) -> None:
        super().__init__(f"context: wanted room for {wanted} tokens, got {got}")
        self.wanted, self.got = wanted, got


@dataclass(frozen=True, slots=True)
class Prefix:
    """An evaluated public prefix: how long it is, and the context's state after it."""

    tokens: int
    state: State


class Engine:
    """One model in one context. Make it with `load`."""

    tokens_in: int
    """Tokens of the request evaluated so far, without the prefix."""
    tokens_out: int
    """Tokens of the answer so far, without the end-of-text token."""
    ended: Literal["stop", "length"]
    """Whether the model or a stop string ended the answer, or `max_tokens` did."""
    prefill_ms: int
    decode_ms: int

    def __init__(self, llama: LlamaApi, model: Address, context: Address) -> None:
        self._llama = llama
        self._context = context
        self._memory = llama.llama_get_memory(context)
        self._vocab = llama.llama_model_get_vocab(model)
        self._sampler = llama.llama_sampler_init_greedy()
        self._prefixes: dict[str, Prefix] = {}
        self._abort_callback: Any = None
        self._reset()

    @classmethod
    def load(
        cls, model_fd: int, *, context_tokens: int = CONTEXT_TOKENS, threads: int = 1
    ) -> "Engine":
        """The model behind a file descriptor, whose digest the caller has checked.

        The file is mapped, not read: give a sealed memfd, or a file nobody can change.

        Raises:
            ModelError: llama.cpp cannot load it.
        """
        llama = load_llama()
        llama.llama_log_set(_silence(llama), None)
        llama.llama_backend_init()
        model_params = llama.llama_model_default_params()
        model_params.n_gpu_layers = 0
        model = llama.llama_model_load_from_file(f"/proc/self/fd/{model_fd}".encode(), model_params)
        if not model:
            raise ModelError("model: wanted a GGUF that llama.cpp loads, got something else")
        params = llama.llama_context_default_params()
        params.n_ctx = context_tokens
        params.n_batch = params.n_ubatch = BATCH_TOKENS
        params.n_seq_max = 1
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = llama.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.no_perf = True
        context = llama.llama_init_from_model(model, params)
        if not context:
            raise ModelError(f"context: wanted {context_tokens} tokens, got none")
        return cls(llama, model, context)

    def set_threads(self, threads: int) -> None:
        """From now on evaluates with that many threads; call it in the child, after the fork."""
        self._llama.llama_set_n_threads(self._context, threads, threads)

    def learn(self, name: str, prefix: str) -> None:
        """Evaluates a public prefix and keeps the state after it under `name`.

        Raises:
            RoomError: the prefix is longer than the context.
            EngineError: llama.cpp failed.
        """
        tokens = self._tokenize(prefix)
        room = self._llama.llama_n_ctx(self._context)
        if len(tokens) >= room:
            raise RoomError(len(tokens), room)
        self._llama.llama_memory_clear(self._memory, True)
        self._evaluate(tokens)
        size = self._llama.llama_state_seq_get_size(self._context, SEQUENCE)
        state = (ctypes.c_uint8 * size)()
        copied = self._llama.llama_state_seq_get_data(self._context, state, size, SEQUENCE)
        if copied != size:
            raise EngineError(f"prefix state: wanted {size} bytes, got {copied}")
        self._prefixes[name] = Prefix(len(tokens), state)

    def count(self, text: str) -> int:
        """Tokens of a text, special tokens not parsed."""
        return len(self._tokenize(text))

    def room(self, name: str) -> int:
        """Tokens left in the context behind prefix `name`."""
        return self._llama.llama_n_ctx(self._context) - self._prefixes[name].tokens

    def generate(
        self,
        name: str,
        text: str,
        *,
        max_tokens: int,
        stop: tuple[str, ...] = (),
        abort: Callable[[], bool],
    ) -> Iterator[str]:
        """Continues prefix `name` and `text`, greedily, and yields the answer as it comes.

        Pieces end at character boundaries and hold nothing of a stop string. `abort` is asked
        between tokens and, from within llama.cpp, while the request is being read; it must not
        raise. The global interpreter lock is free while llama.cpp computes.

        Raises:
            ValueError: the text has no token, so there are no scores to begin with.
            RoomError: prefix, text and `max_tokens` do not fit into the context.
            AbortedError: `abort` said so.
            EngineError: llama.cpp failed.
        """
        self._reset()
        tokens = self._tokenize(text)
        if not len(tokens):
            raise ValueError("text: wanted at least one token, got none")
        if len(tokens) + max_tokens > self.room(name):
            raise RoomError(len(tokens) + max_tokens, self.room(name))
        started = time.monotonic_ns()
        self._recall(name)
        self._prefill(tokens, abort)
        read = time.monotonic_ns()
        self.prefill_ms = (read - started) // 1_000_000
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        gate = StopFilter(stop)
        self.ended = "length"
        while self.tokens_out < max_tokens:
            if abort():
                raise AbortedError
            token = self._llama.llama_sampler_sample(self._sampler, self._context, -1)
            if self._llama.llama_vocab_is_eog(self._vocab, token):
                self.ended = "stop"
                break
            self.tokens_out += 1
            piece = gate.push(decoder.decode(self._piece(token)))
            self.decode_ms = (time.monotonic_ns() - read) // 1_000_000
            if piece:
                yield piece
            if gate.stopped:
                self.ended = "stop"
                return
            if self.tokens_out < max_tokens:
                self._evaluate(_array([token]))
        last = gate.push(decoder.decode(b"", final=True)) + gate.finish()
        if last:
            yield last

    def _reset(self) -> None:
        self.tokens_in = self.tokens_out = self.prefill_ms = self.decode_ms = 0
        self.ended = "length"

    def _recall(self, name: str) -> None:
        """Puts the context into the state after prefix `name`."""
        # The cells are not zeroed: that would copy the whole cache into this process. Cells
        # outside the sequence are masked, and hold finite numbers, so they weigh exactly 0.
        self._llama.llama_memory_clear(self._memory, False)
        state = self._prefixes[name].state
        size = len(state)
        if self._llama.llama_state_seq_set_data(self._context, state, size, SEQUENCE) != size:
            raise EngineError(f"prefix state: wanted {size} bytes back, got fewer")

    def _prefill(self, tokens: Tokens, abort: Callable[[], bool]) -> None:
        """Evaluates the request, with `abort` asked from within llama.cpp.

        Only here: a request takes seconds, while one decoded token takes about 20 ms and is
        asked about from Python.
        """
        llama = self._llama
        self._abort_callback = llama.ggml_abort_callback(lambda _data: abort())
        llama.llama_set_abort_callback(self._context, self._abort_callback, None)
        try:
            self._evaluate(tokens, counted=True)
        finally:
            self._abort_callback = llama.ggml_abort_callback()
            llama.llama_set_abort_callback(self._context, self._abort_callback, None)

    def _evaluate(self, tokens: Tokens, *, counted: bool = False) -> None:
        for at in range(0, len(tokens), BATCH_TOKENS):
            part = _array(tokens[at : at + BATCH_TOKENS])
            batch = self._llama.llama_batch_get_one(part, len(part))
            status = self._llama.llama_decode(self._context, batch)
            if status == ABORTED:
                raise AbortedError
            if status != 0:
                raise EngineError(f"llama_decode: wanted status 0, got {status}")
            if counted:
                self.tokens_in += len(part)

    def _tokenize(self, text: str) -> Tokens:
        data = text.encode()
        if len(data) > TEXT_MAX_BYTES:
            raise RoomError(len(data), TEXT_MAX_BYTES)
        tokens = (ctypes.c_int32 * (len(data) + 2))()
        count = self._llama.llama_tokenize(
            self._vocab, data, len(data), tokens, len(tokens), False, False
        )
        if count < 0:
            raise EngineError("llama_tokenize: wanted at most one token per byte, got more")
        return _array(tokens[:count])

    def _piece(self, token: int) -> bytes:
        """The bytes of a token; none for a control token."""
        buffer = ctypes.create_string_buffer(PIECE_MAX_BYTES)
        size = self._llama.llama_token_to_piece(
            self._vocab, token, buffer, PIECE_MAX_BYTES, 0, False
        )
        if size < 0:
            raise EngineError(f"token text: wanted at most {PIECE_MAX_BYTES} bytes, got {-size}")
        return buffer.raw[:size]


def _array(tokens: list[int]) -> Tokens:
    return (ctypes.c_int32 * len(tokens))(*tokens)


_SILENT: list[Any] = []
"""The log callback: llama.cpp keeps its address for the life of the process, so do we."""


def _silence(llama: LlamaApi) -> Any:
    if not _SILENT:
        _SILENT.append(llama.llama_log_callback(lambda _level, _text, _data: None))
    return _SILENT[0]
