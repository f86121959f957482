# SPDX-License-Identifier: Apache-2.0
"""A whole deployment on this host: guest, ingress and relay, each a process of its own.

Starting waits until evidence can be fetched through the relay; leaving the block stops everything,
in the order in which a request would notice. Nothing outlives the block but what is in ``folder``.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, ClassVar, Final, Self

from lab.documents import GuestPlan, sha256_of, write_bundle, write_config, write_trust
from sealroom import Timeouts

START_MAX_S: Final = 180.0  # the zygote evaluates the prefixes, on a busy host slowly
STOP_MAX_S: Final = 5.0
EVIDENCE_PATH: Final = "/.well-known/sealroom-evidence"
_POLL_S: Final = 0.1
_LINE_MAX_BYTES: Final = 4096
_LOG_TAIL_BYTES: Final = 2000


class DeploymentError(Exception):
    """A part of the deployment did not come up; the text says which, and what it last wrote."""


class Deployment:
    """Guest, ingress and relay on the mock platform; use it in a ``with`` block."""

    GUEST: ClassVar[str] = "a guest"
    notes: tuple[str, ...] = ()
    """What somebody who watches should know of this guest, beside that its platform is mocked."""
    TIMEOUTS: ClassVar[Timeouts] = Timeouts()
    """What a device should wait for an answer of this guest."""

    def __init__(
        self,
        folder: Path,
        model: Path,
        plan: GuestPlan | None = None,
        *,
        programs: Mapping[str, str] | None = None,
        modules: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare a deployment that keeps its files in ``folder`` and runs the GGUF ``model``.

        ``programs`` run in the place of a process of the guest, ``modules`` in that of the module
        that is the guest, the ingress or the relay.
        """
        self.folder = folder.absolute()
        self._open = Path(tempfile.mkdtemp(prefix="sealroom-"))
        # Also of a deployment that is never started.
        weakref.finalize(self, shutil.rmtree, self._open, ignore_errors=True)
        self._open.chmod(0o755)  # the keyholder is another user, and the bundle is for anybody
        self.plan = replace(plan or GuestPlan(), endorsements=self.bundle)
        self.relay_url = ""
        self.ingress_url = ""
        self.metrics_url = ""
        self.guest_address = ""
        self.observations: list[dict[str, Any]] = []
        self._model = model
        self._programs = programs or {}
        self._modules = modules or {}
        self._parts: dict[str, subprocess.Popen[bytes]] = {}
        self._keepers: dict[str, threading.Thread] = {}
        self._arguments: dict[str, Sequence[str]] = {}

    @property
    def bundle(self) -> Path:
        """The endorsement bundle, which the guest reads anew for every epoch."""
        return self._open / "endorsements.json"

    @property
    def trust(self) -> Path:
        """The trust file for the device."""
        return self.folder / "trust.yaml"

    def log(self, name: str) -> Path:
        """What the part ``name`` writes to standard error."""
        return self.folder / f"{name}.log"

    def pid(self, name: str) -> int:
        """The process id of ``guest`` (its init), ``ingress`` or ``relay``."""
        return self._parts[name].pid

    def __enter__(self) -> Self:
        """Start everything.

        Raises:
            DeploymentError: a part did not come up in `START_MAX_S`.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *ending: object) -> None:
        """Stop everything."""
        self.stop()

    def stop(self) -> None:
        """End the relay, the ingress and the guest, in this order.

        If a signal interrupts it, a second call goes on where the first was.
        """
        while self._parts:
            name = next(reversed(self._parts))
            self._end(self._parts[name])
            if (keeper := self._keepers.pop(name, None)) is not None:
                keeper.join(STOP_MAX_S)
            del self._parts[name]
        shutil.rmtree(self._open, ignore_errors=True)

    @staticmethod
    def _end(part: subprocess.Popen[bytes]) -> None:
        part.terminate()
        try:
            part.wait(STOP_MAX_S)
        except subprocess.TimeoutExpired:
            part.kill()
            part.wait()
        if part.stdout is not None:
            part.stdout.close()

    def restart(self, name: str) -> None:
        """Start a part that has ended again, at the address it had.

        Raises:
            DeploymentError: it did not come up in `START_MAX_S`.
        """
        self._end(self._parts[name])
        where = {"guest": self.guest_address, "ingress": self.ingress_url, "relay": self.relay_url}
        self._run(name, self._arguments[name], where[name].removeprefix("http://"))
        if name == "guest":
            self._expect(name, "ready")
        if name == "relay":
            threading.Thread(target=self._observe, daemon=True).start()

    def _start(self) -> None:
        digest = sha256_of(self._model)
        config = write_config(self.plan, digest)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "guest.yaml").write_bytes(config)
        self.bundle.write_bytes(write_bundle(self.plan, now=datetime.now(UTC)))
        self.guest_address = self._start_guest()
        self.ingress_url = "http://" + self._run(
            "ingress",
            [
                "services.ingress",
                f"--guest=tcp:{self.guest_address}",
                "--metrics=127.0.0.1:0",
            ],
        )
        self.relay_url = "http://" + self._run(
            "relay",
            ["services.relay", f"--gateway={self.ingress_url}", "--observe"],
        )
        threading.Thread(target=self._observe, daemon=True).start()
        self.trust.write_bytes(
            write_trust(
                self.plan,
                relay=self.relay_url,
                model=digest,
                config=config,
                lacking=self._lacking(),
            )
        )
        self._await_evidence()

    def _start_guest(self) -> str:
        """Start the guest and wait until it is ready; where it listens."""
        programs = [f"--program={name}={module}" for name, module in self._programs.items()]
        arguments = [
            "lab.guest",
            f"--config={self.folder / 'guest.yaml'}",
            f"--model={self._model}",
            f"--mock={json.dumps(self.plan.mock())}",
            *programs,
        ]
        address = self._run("guest", arguments)
        self._expect("guest", "ready")
        return address

    def _lacking(self) -> frozenset[str] | None:
        """What the device must accept that this guest lacks; None for what this host lacks."""
        return None

    def _run(self, name: str, arguments: Sequence[str], listen: str = "127.0.0.1:0") -> str:
        """Start a part and return the address it listens on."""
        self._arguments[name] = arguments
        module, *rest = arguments
        part = subprocess.Popen(  # noqa: S603 - our own modules, no shell
            [
                *(sys.executable, "-m", self._modules.get(name, module)),
                *(*rest, f"--listen={listen}"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._parts[name] = part
        self.log(name).touch()
        keeper = threading.Thread(target=_keep, args=(part.stderr, self.log(name)), daemon=True)
        self._keepers[name] = keeper
        keeper.start()
        if name == "ingress":
            where = self._expect(name, "metrics on ").removeprefix("metrics on ")
            self.metrics_url = f"http://{where}/metrics"
        return self._expect(name, "listening on ").removeprefix("listening on ")

    def _expect(self, name: str, start: str) -> str:
        """The part's next line, which must begin with ``start``."""
        until = time.monotonic() + START_MAX_S
        stream = self._parts[name].stdout
        line = b""
        while stream is not None and not line.endswith(b"\n") and len(line) < _LINE_MAX_BYTES:
            ready, _, _ = select.select([stream], [], [], max(0.0, until - time.monotonic()))
            byte = os.read(stream.fileno(), 1) if ready else b""
            if not byte:
                break
            line += byte
        text = line.decode("utf-8", "replace").strip()
        if not text.startswith(start):
            raise DeploymentError(f"{name}: wanted {start!r}, got {text!r}\n{self._tail(name)}")
        return text

    def _observe(self) -> None:
        """Collect what the relay says it saw; ends with the relay."""
        stream = self._parts["relay"].stdout
        if stream is not None:
            for line in stream:
                self.observations.append(json.loads(line))

    def _await_evidence(self) -> None:
        until = time.monotonic() + START_MAX_S
        while True:
            try:
                with urllib.request.urlopen(  # noqa: S310 - the relay of this deployment
                    self.relay_url + EVIDENCE_PATH, timeout=START_MAX_S
                ):
                    return
            except (urllib.error.URLError, ConnectionError) as error:
                if time.monotonic() > until:
                    raise DeploymentError(f"no evidence: {error}\n{self._tail('guest')}") from error
            time.sleep(_POLL_S)

    def _tail(self, name: str) -> str:
        if self._parts[name].poll() is not None:
            self._keepers[name].join(STOP_MAX_S)
        return self.log(name).read_bytes()[-_LOG_TAIL_BYTES:].decode("utf-8", "replace")


def _keep(stream: IO[bytes], path: Path) -> None:
    """Append what comes from ``stream`` to a file until it ends.

    A part gets a pipe and not the file itself, because the gate and the workers may write to none.
    """
    with stream, path.open("ab", buffering=0) as log:
        while piece := os.read(stream.fileno(), _LINE_MAX_BYTES):
            log.write(piece)
