# SPDX-License-Identifier: Apache-2.0
"""A whole deployment whose guest is the image, booted: `lab.deployment` with a machine in it.

Relay, ingress, documents and trust file are made as for a guest on the host. The guest is the test
variant: the production bytes with a kernel that has the mock provider, which asks `lab.mocktsm`
here. What an emulated machine lacks of a real one would stand in `LACKING`, for the device to know.

Which platform the mock is, stands on the kernel's command line, and that is measured and published
by the image itself. So a guest for TDX, or for another model than the release's, is a copy of the
test image with another `published.json` behind it; it measures as what it is, and the lab's trust
file pins that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final

from typing_extensions import override

from attest.statement import Platform
from lab.deployment import Deployment, DeploymentError
from lab.documents import GuestPlan, sha256_of
from lab.mocktsm import MockTsm
from lab.mocktsm.fault_plan import FaultPlan
from lab.model import default_model
from lab.vm.callers import Serve
from lab.vm.errors import VmError
from lab.vm.launch import measured
from lab.vm.machine import Machine
from lab.vm.plan import MEMORY_MIB, Disk, MachinePlan
from lab.vm.progress import Progress
from lab.vm.release import Image, load_image
from lab.vm.standin import write_stand_in
from lab.vm.tools import load_tools
from lab.vm.vsock import Shuttle
from sealroom import Timeouts

VARIANT: Final = "test"
TDX_WORD: Final = "mock_tsm.provider=tdx_guest"
"""For the mock in the kernel, which is an SNP guest's driver otherwise."""
BUNDLE: Final = Path("/dev/vdc")
"""Where a guest reads its endorsement bundle (`guest.boot.devices`)."""
EMULATED: Final = (
    "shown: the image's own kernel, first program, self-test, sandboxes, evidence and erasure",
    "not shown: a real platform (what is signed, this host signs), and how fast one is (the "
    "processor is emulated)",
)
STAND_IN: Final = (
    "the model is a stand-in, a corner of the default one: it makes no sense when it speaks"
)
"""For the people who watch."""
LACKING: Final[frozenset[str]] = frozenset()
"""Of isolation and self-test. The emulated processor has all that the self-test asks for."""

SLOW: Final = GuestPlan(
    slots=1, waiting_max=2, idle_max_s=60, deadline_s=290, threads=1, tick_ms=500
)
"""For a processor that is emulated: everything may take long, within what relays wait for.

One thread, because llama.cpp's threads wait for each other by spinning, and a processor that is
emulated beside others is often not running when it is waited for.
"""


def with_model(
    image: Image, model: Path, folder: Path, platform: Platform = Platform.SEV_SNP
) -> Image:
    """The image for this model and mock: as it is, or a copy in ``folder`` that publishes them."""
    cmdline = image.cmdline_for(sha256_of(model), model.stat().st_size)
    if platform is Platform.TDX:
        cmdline = f"{cmdline} {TDX_WORD}"
    return image if cmdline == image.cmdline else image.with_cmdline(cmdline, folder / "initrd")


class ImageDeployment(Deployment):
    """Machine, ingress and relay; use it in a ``with`` block."""

    GUEST: ClassVar[str] = "the image in an emulated machine"
    TIMEOUTS: ClassVar[Timeouts] = Timeouts(evidence_s=60.0, first_byte_s=60.0, idle_s=60.0)

    def __init__(
        self,
        folder: Path,
        model: Path,
        plan: GuestPlan = SLOW,
        *,
        image: Image | None = None,
        lacking: frozenset[str] = LACKING,
        answer: Mapping[int, Serve] | None = None,
        tell: Callable[[str], None] = lambda _line: None,
        notes: tuple[str, ...] = EMULATED,
        memory_mib: int = MEMORY_MIB,
    ) -> None:
        """Prepare a deployment of the built test variant, or of another ``image``.

        An image is for one model. Another one comes with a copy of the image that publishes it.
        ``answer`` are further ports of the host, as `Machine` takes them. ``tell`` is called with a
        line for each thing that happens while the machine boots; ``notes`` as `Deployment` has it;
        ``memory_mib`` is the machine's.
        """
        super().__init__(folder, model, plan)
        # An SNP host gives the certificates itself; the collateral of TDX is on a disk.
        bundle = BUNDLE if plan.platform is Platform.TDX else None
        self.plan = replace(self.plan, endorsements=bundle)
        self._image = image
        self._lacks = lacking
        self._answer = answer
        self._tell = tell
        self.notes = notes
        self._memory_mib = memory_mib
        self._stack = ExitStack()
        self.machine: Machine | None = None

    @override
    def stop(self) -> None:
        """End the relay, the ingress and the machine."""
        super().stop()
        self._stack.close()

    @override
    def _start_guest(self) -> str:
        try:
            return self._switch_on()
        except VmError as error:
            raise DeploymentError(f"guest: {error}") from error

    def _switch_on(self) -> str:
        image = self._image or load_image(VARIANT)
        self.plan = measured(self.plan, image)
        disks = [Disk(self._model), Disk(self.folder / "guest.yaml")]
        if self.plan.endorsements is not None:
            disks.append(Disk(self.bundle))
        plan = MachinePlan(
            kernel=image.kernel,
            initrd=image.initrd,
            cmdline=image.cmdline,
            disks=tuple(disks),
            memory_mib=self._memory_mib,
        )
        mock = MockTsm(self.plan.hardware(), FaultPlan(self.plan.faults))
        self.machine = self._stack.enter_context(
            Machine(plan, load_tools(), mock=mock, answer=self._answer)
        )
        progress = Progress(self.machine.journal, self._tell)
        self.machine.wait_ready(look=progress.look)
        progress.look()
        return self._stack.enter_context(Shuttle(self.machine.places.vsock)).address

    @override
    def _lacking(self) -> frozenset[str]:
        return self._lacks


def booted(
    folder: Path,
    model: Path | None,
    platform: Platform,
    *,
    image: Image | None = None,
    answer: Mapping[int, Serve] | None = None,
    tell: Callable[[str], None] = lambda _line: None,
    memory_mib: int = MEMORY_MIB,
) -> ImageDeployment:
    """A deployment of the built image, for a model or for the stand-in of the default one.

    What follows the platform is as `ImageDeployment` has it; ``image`` may be any copy of the test
    variant.

    Raises:
        ModelError, VmError: the model has not been made, or the image has not been built.
    """
    image = image or load_image(VARIANT)
    notes: tuple[str, ...] = EMULATED
    if model is None:
        model = folder / "stand-in.gguf"
        notes = (*EMULATED, STAND_IN)
        write_stand_in(default_model(), model)
    image = with_model(image, model, folder, platform)
    plan = replace(SLOW, platform=platform)
    return ImageDeployment(
        folder,
        model,
        plan,
        image=image,
        answer=answer,
        tell=tell,
        notes=notes,
        memory_mib=memory_mib,
    )
