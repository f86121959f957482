# SPDX-License-Identifier: Apache-2.0
"""The zygote, with the stub, whose doors stay open whatever is said there, and which renumbers."""

from dataclasses import replace
from unittest.mock import patch

from guest.channel import Parcel
from guest.door import Process
from guest.worker.zygote import Zygote
from lab.attack.programs.stub import main

hear, fork = Zygote._hear, Zygote._fork


def keep(self: Zygote, peer: Process, door: object) -> None:
    with patch.object(Zygote, "_drop", lambda *_: None):
        hear(self, peer, door)  # type: ignore[arg-type]


def renumber(self: Zygote, parcel: Parcel) -> None:
    while parcel.worker in self._workers:
        parcel = replace(parcel, worker=parcel.worker + 1)
    fork(self, parcel)


if __name__ == "__main__":
    with patch.object(Zygote, "_fork", renumber), patch.object(Zygote, "_hear", keep):
        main()
