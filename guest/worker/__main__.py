# SPDX-License-Identifier: Apache-2.0
"""Entry point of the zygote: ``python -I -m guest.worker DOOR INIT_PID`` (`guest.child`)."""

from __future__ import annotations

import functools
import gc
import secrets
import sys

from guest import journal, sandbox
from guest.child import start
from guest.door import Process
from guest.secretmem import SecretMemory, scrub
from guest.settings import AnswerSettings, GateSettings, ModelSettings, read_section
from guest.worker import request, tasks
from guest.worker.binding import load_llama
from guest.worker.engine import Engine
from guest.worker.modelfile import ModelDigestError, seal_model
from guest.worker.rehearsal import rehearse
from guest.worker.zygote import Zygote


def main(policy: sandbox.Policy = sandbox.POLICY) -> None:
    """Load the model, evaluate the public prefixes, then fork workers until init is gone."""
    # Before the sandbox, which may not let it be locked. Every worker has it by its fork.
    secret = SecretMemory(1, survives_fork=True).take().view
    secret[:] = secrets.token_bytes(len(secret))
    rehearse()  # what Python loads at first use is loaded before paths are out of reach
    prefixes = tasks.prefixes()
    load_llama()
    wiring, first, policy = start(Process.ZYGOTE, policy=policy)
    model = read_section(first.body, ModelSettings)
    try:
        sealed = seal_model(first.fds[0], model.digest)
    except ModelDigestError:
        journal.record(journal.Event.MODEL_REFUSED)
        sys.exit(1)
    engine = Engine.load(sealed, context_tokens=model.context_tokens, threads=model.threads)
    for name, prefix in prefixes.items():
        engine.learn(name, prefix)
    deadline_s = read_section(first.body, GateSettings).deadline_s
    room = request.Room(
        engine=engine,
        secret=secret,
        tick_ms=read_section(first.body, AnswerSettings).tick_ms,
        deadline_s=deadline_s,
        policy=policy,
    )
    zygote = Zygote(wiring, functools.partial(request.serve, room), deadline_s)
    sandbox.finish(Process.ZYGOTE, policy=policy)
    scrub()
    gc.freeze()  # what is here now stays shared with every worker
    zygote.serve()


if __name__ == "__main__":
    main()
