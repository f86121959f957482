# SPDX-License-Identifier: Apache-2.0
"""The zygote, scannable, whose workers put before each answer what they computed it from.

What is changed: the engine lays its scores open (`tests.guest.worker.logits`), the secret of the
boot is always the same, so that two guests make the same prompt of the same request, and there is
only one public prefix, so that it starts in a second.
"""

import functools
from collections.abc import Iterator
from typing import Any

from typing_extensions import override

from guest.child import start
from guest.door import Process
from guest.settings import AnswerSettings, GateSettings, ModelSettings, read_section
from guest.worker import request
from guest.worker.binding import load_llama
from guest.worker.modelfile import seal_model
from guest.worker.prompts import load_prefix
from guest.worker.rehearsal import rehearse
from guest.worker.zygote import Zygote
from tests.flow.programs.scannable import POLICY
from tests.guest.worker.logits import OverheardEngine

PREFIX = "rewrite-friendly"
SECRET = b"the same in every guest"
SPELLED = str.maketrans("0123456789", "ghijklmnop")  # long numbers would be left out of an answer


class SpeakingEngine(OverheardEngine):
    """Says before an answer the digests of its scores and of the saved prefix."""

    @override
    def generate(self, name: str, text: str, **rest: Any) -> Iterator[str]:
        """Two words, then the answer."""
        pieces = [*super().generate(name, text, **rest)]
        yield f"{self.scores()} {self.states()[name]} ".translate(SPELLED)
        yield from pieces


def main() -> None:
    """As `guest.worker.__main__.main`."""
    rehearse()
    prefix = load_prefix(PREFIX)
    load_llama()
    wiring, first, policy = start(Process.ZYGOTE, policy=POLICY)
    model = read_section(first.body, ModelSettings)
    sealed = seal_model(first.fds[0], model.digest)
    engine = SpeakingEngine.load(sealed, context_tokens=model.context_tokens, threads=model.threads)
    engine.learn(PREFIX, prefix)
    deadline_s = read_section(first.body, GateSettings).deadline_s
    room = request.Room(
        engine=engine,
        secret=SECRET,
        tick_ms=read_section(first.body, AnswerSettings).tick_ms,
        deadline_s=deadline_s,
        policy=policy,
    )
    Zygote(wiring, functools.partial(request.serve, room), deadline_s).serve()


if __name__ == "__main__":
    main()
