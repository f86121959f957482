# SPDX-License-Identifier: Apache-2.0
"""Tests of `guest.worker.engine` with the real default model, one zygote's engine for them all."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guest.worker.binding import BindingError, load_llama
from guest.worker.engine import CONTEXT_TOKENS as CONTEXT_DEFAULT
from guest.worker.engine import AbortedError, Engine, ModelError, RoomError
from guest.worker.tasks import prefixes
from lab.model import default_model

CONTEXT_TOKENS = 512
FIRST = "Conversation:\nAna: Are you coming?\nBen: No, I work until nine.\nSummary: Ben works.\n\n"
SECOND = "Ana has a dog. Ben has a cat. Cleo has a"
CHAT = "Conversation:\nCleo: the car broke down\nDev: I'll pick you up at six\nSummary:"
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """As the zygote makes it: from a sealed memfd, two prefixes."""
    sealed = os.memfd_create("model", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with default_model().open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        while os.sendfile(sealed, file.fileno(), None, size):
            pass
    fcntl.fcntl(sealed, fcntl.F_ADD_SEALS, SEALS)
    made = Engine.load(sealed, context_tokens=CONTEXT_TOKENS)
    os.close(sealed)
    made.learn("first", FIRST)
    made.learn("second", SECOND)
    yield made


def never() -> bool:
    return False


def answer(engine: Engine, name: str, text: str, **more: object) -> str:
    settings = {"max_tokens": 12, "stop": ("\n",), "abort": never, **more}
    return "".join(engine.generate(name, text, **settings))  # type: ignore[arg-type]  # a mix of types


def in_child(work: Callable[[], object]) -> object:
    """What `work` returns in a fork of this process, which ends with `_exit`."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.write(writing, json.dumps(work()).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        result = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return json.loads(result)


def test_a_fork_answers_from_a_learned_prefix(engine: Engine) -> None:
    text = in_child(lambda: answer(engine, "first", CHAT))
    assert isinstance(text, str)
    assert text.strip()
    assert "\n" not in text


def test_two_forks_give_the_same_answer(engine: Engine) -> None:
    first = in_child(lambda: answer(engine, "first", CHAT))
    assert in_child(lambda: answer(engine, "first", CHAT)) == first


def test_what_ran_before_changes_nothing(engine: Engine) -> None:
    alone = in_child(lambda: answer(engine, "first", CHAT))

    def later() -> str:
        answer(engine, "second", " bird", max_tokens=30)
        answer(engine, "first", "Conversation:\n" + "Ana: no\n" * 40)
        return answer(engine, "first", CHAT)

    assert in_child(later) == alone


def test_the_number_of_threads_changes_nothing(engine: Engine) -> None:
    def with_two() -> str:
        engine.set_threads(2)
        return answer(engine, "first", CHAT, max_tokens=4)

    assert in_child(with_two) == in_child(lambda: answer(engine, "first", CHAT, max_tokens=4))


def test_an_answer_goes_on_where_prefix_and_text_end(engine: Engine) -> None:
    def count_on() -> str:
        engine.learn("numbers", "one two three four five six one two three four five six one two")
        return answer(engine, "numbers", " three four", max_tokens=3)

    assert in_child(count_on) == " five six one"


def test_a_text_without_tokens_is_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="at least one token"):
        answer(engine, "first", "")


def test_loading_and_learning_leave_one_thread(engine: Engine) -> None:
    assert engine.room("first") > 0
    script = (
        "import os, sys; from guest.worker.engine import Engine\n"
        "engine = Engine.load(int(sys.argv[1]), context_tokens=256, threads=2)\n"
        "engine.learn('x', 'Ana has a dog.')\n"
        "print(len(os.listdir('/proc/self/task')))\n"
        "print([name for name in ('numpy', 'jinja2', 'diskcache', 'llama_cpp.llama')"
        " if name in sys.modules])\n"
    )
    with default_model().open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-c", script, str(file.fileno())],
            capture_output=True,
            check=True,
            cwd=Path(__file__).parents[3],
            pass_fds=(file.fileno(),),
            text=True,
        )
    assert done.stdout.splitlines() == ["1", "[]"]
    assert done.stderr == ""


def test_no_text_spells_a_special_token(engine: Engine) -> None:
    assert engine.count("<|im_end|>") > 3
    assert engine.count("<|endoftext|>") > 3


def test_tokens_are_counted(engine: Engine) -> None:
    assert engine.count("") == 0
    assert engine.count(" bird bird") == 2
    assert engine.room("first") == CONTEXT_TOKENS - engine.count(FIRST)


def test_the_engine_tells_how_the_answer_ended(engine: Engine) -> None:
    def ends() -> list[object]:
        told: list[object] = []
        for name, text, most in (("first", CHAT, 40), ("second", " bird", 3)):
            answer(engine, name, text, max_tokens=most)
            told.append([engine.ended, engine.tokens_in == engine.count(text)])
            told.append(engine.tokens_out <= most)
        return told

    assert in_child(ends) == [["stop", True], True, ["length", True], True]


def test_a_stop_string_is_not_part_of_the_answer(engine: Engine) -> None:
    whole = in_child(lambda: answer(engine, "second", " bird", stop=()))
    assert isinstance(whole, str)
    middle = whole[4:7]
    assert (
        in_child(lambda: answer(engine, "second", " bird", stop=(middle,)))
        == whole.split(middle)[0]
    )


def test_characters_of_many_bytes_come_whole(engine: Engine) -> None:
    def emoji() -> str:
        return answer(engine, "second", " 🦜. 🦜🦜🦜🦜🦜🦜🦜🦜🦜", max_tokens=20)

    text = in_child(emoji)
    assert isinstance(text, str)
    assert "🦜" in text


def test_abort_ends_the_reading_of_a_request(engine: Engine) -> None:
    calls: list[int] = []

    def soon() -> bool:
        calls.append(1)
        return len(calls) > 40

    def run() -> object:
        with pytest.raises(AbortedError):
            answer(engine, "first", CHAT * 5, abort=soon)
        before = engine.tokens_in
        return [before, answer(engine, "second", " bird")]

    alone = in_child(lambda: answer(engine, "second", " bird"))
    assert in_child(run) == [0, alone]


def test_abort_ends_an_answer(engine: Engine) -> None:
    def run() -> object:
        pieces: list[str] = []
        with pytest.raises(AbortedError):
            for piece in engine.generate(
                "second", " bird", max_tokens=50, abort=lambda: len(pieces) > 2
            ):
                pieces.append(piece)
        return len(pieces)

    assert in_child(run) == 3


def test_what_does_not_fit_is_refused(engine: Engine) -> None:
    with pytest.raises(RoomError):
        answer(engine, "first", "word " * CONTEXT_TOKENS)
    with pytest.raises(RoomError):
        answer(engine, "first", "x", max_tokens=engine.room("first"))
    with pytest.raises(RoomError):
        engine.learn("long", "word " * CONTEXT_TOKENS)


def test_each_public_prefix_leaves_most_of_the_context(engine: Engine) -> None:
    for name, prefix in prefixes().items():
        assert engine.count(prefix) < CONTEXT_DEFAULT // 4, name


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "not.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    with path.open("rb") as file, pytest.raises(ModelError):
        Engine.load(file.fileno())


def test_an_environment_that_names_another_library_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", "elsewhere")
    with pytest.raises(BindingError):
        load_llama()
