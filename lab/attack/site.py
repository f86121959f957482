# SPDX-License-Identifier: Apache-2.0
"""The deployment that is attacked, and further ones that an attack brings up for itself.

The first runs the real model. The others run `lab.attack.programs.stub` in the place of the zygote:
the guest's own worker around an engine that makes words up, so that they are there in a second.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lab.deployment import Deployment, DeploymentError
from lab.documents import GuestPlan
from lab.model import ModelError, default_model
from sealroom import Trust
from sealroom.attack.attack import UnclearError
from sealroom.attack.target import Target

STUB: Final = {"zygote": "lab.attack.programs.stub"}
STUB_MODEL: Final = b"not a model: the stub makes its words up\n"
QUEUE: Final = 128  # as many as the attacks send at once

PLAN: Final = GuestPlan(slots=2, waiting_max=QUEUE)
STUB_PLAN: Final = GuestPlan(slots=2, waiting_max=QUEUE, deadline_s=60, tick_ms=30)


@dataclass
class LabSite:
    """A deployment from outside and from inside.

    Attributes:
        lab: its processes.
        folder: where further deployments may keep their files.
        programs, modules: as `lab.deployment.Deployment` takes them; run in every further
            deployment in the place of the guest's own. Empty but for tests of the attacks.
        kept: what one attack has found out and another need not find out again.
    """

    lab: Deployment
    folder: Path
    programs: Mapping[str, str] = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _shared: dict[str, LabSite] = field(default_factory=dict)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def target(self) -> Target:
        """What a client knows."""
        trust = Trust.load(self.lab.trust)
        return Target(trust.relay, trust)

    def new_folder(self) -> Path:
        """An empty folder of its own."""
        folder = self.folder / f"attack-{next(self._numbers)}"
        folder.mkdir()
        return folder

    @asynccontextmanager
    async def another(
        self, plan: GuestPlan = STUB_PLAN, programs: Mapping[str, str] | None = None
    ) -> AsyncIterator[LabSite]:
        """Another deployment, with the stub for a model.

        Raises:
            UnclearError: it did not come up.
        """
        folder = self.new_folder()
        model = folder / "stub.gguf"
        model.write_bytes(STUB_MODEL)
        made = Deployment(
            folder,
            model,
            plan,
            programs={**STUB, **(programs or {}), **self.programs},
            modules=self.modules,
        )
        async with up(made):
            yield LabSite(made, folder, self.programs, self.modules)

    async def shared(
        self, name: str, plan: GuestPlan = STUB_PLAN, programs: Mapping[str, str] | None = None
    ) -> LabSite:
        """The deployment called ``name``: brought up when it is first wanted, down by `aclose`.

        Raises:
            UnclearError: it did not come up.
        """
        if name not in self._shared:
            entry = self.another(plan, programs)
            self._shared[name] = await self._stack.enter_async_context(entry)
        return self._shared[name]

    async def aclose(self) -> None:
        """Take down what `shared` brought up."""
        self._shared.clear()
        await self._stack.aclose()


@asynccontextmanager
async def up(made: Deployment) -> AsyncIterator[Deployment]:
    """Start a deployment and stop it, without holding up the event loop.

    Raises:
        UnclearError: it did not come up.
    """
    try:
        await asyncio.to_thread(made.__enter__)
    except (DeploymentError, OSError) as error:
        raise UnclearError(f"the deployment did not come up: {error}") from error
    try:
        yield made
    finally:
        await asyncio.to_thread(made.stop)


@asynccontextmanager
async def fresh(tell: Callable[[str], None]) -> AsyncIterator[LabSite]:
    """A deployment with the real model, on the mock of SEV-SNP.

    Raises:
        UnclearError: there is no model, or it did not come up.
    """
    try:
        model = default_model()
    except ModelError as error:
        raise UnclearError(str(error)) from error
    with tempfile.TemporaryDirectory(prefix="sealroom-attack-") as name:
        folder = Path(name)
        tell("starting guest, ingress and relay")
        async with up(Deployment(folder / "lab", model, PLAN)) as made:
            site = LabSite(made, folder)
            try:
                yield site
            finally:
                await site.aclose()
