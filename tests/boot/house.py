# SPDX-License-Identifier: Apache-2.0
"""A booted deployment for tests: its machine, its probe, and a room in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket

from lab.documents import GuestPlan
from lab.vm.deployment import LACKING, SLOW, ImageDeployment, with_model
from lab.vm.machine import Machine
from lab.vm.probe import Probe
from lab.vm.release import Image
from sealroom import Room, Trust, connect

SMALL_MIB = 384
"""Memory of a machine that reads no real model: the kernel clears all of it first."""


@dataclass(frozen=True)
class StandIn:
    """The model of these boots."""

    path: Path
    digest: bytes

    def published_by(self, image: Image, folder: Path) -> Image:
        """The image with a command line that names this model, and is else its own."""
        return with_model(image, self.path, folder)


@dataclass(frozen=True)
class House:
    """One running deployment."""

    lab: ImageDeployment
    stand_in: StandIn
    probe: Probe

    @property
    def machine(self) -> Machine:
        """The guest's machine."""
        assert self.lab.machine is not None
        return self.lab.machine

    @contextmanager
    def room(self) -> Iterator[Room]:
        """A verified room."""
        with room_of(self.lab) as room:
            yield room


@contextmanager
def room_of(lab: ImageDeployment) -> Iterator[Room]:
    """A verified room, of a patient device."""
    with connect(trust=Trust.load(lab.trust), timeouts=lab.TIMEOUTS) as room:
        yield room


@contextmanager
def standing(
    folder: Path,
    image: Image,
    stand_in: StandIn,
    *,
    plan: GuestPlan = SLOW,
    lacking: frozenset[str] = LACKING,
    answer: Mapping[int, Callable[[socket], None]] | None = None,
) -> Iterator[ImageDeployment]:
    """A deployment of this image."""
    with ImageDeployment(
        folder, stand_in.path, plan, image=image, lacking=lacking, answer=answer
    ) as lab:
        yield lab
