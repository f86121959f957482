# SPDX-License-Identifier: Apache-2.0
"""What the keyholder publishes through the gate: public bytes only, as one JSON object.

The gate hands the evidence and the key configs out as they are and understands only the targets.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Self

from guest.door import DoorError


@dataclass(frozen=True, slots=True)
class Publication:
    """The newest epoch, and the targets that still answer (older epochs in their overlap too)."""

    epoch: int
    not_after: int  # Unix seconds, of the newest epoch
    targets: tuple[str, ...]  # first 16 hex digits of SHA-256(key config)
    evidence: bytes
    ohttp_keys: bytes  # application/ohttp-keys of the newest epoch

    def write(self) -> bytes:
        """As it travels from the keyholder to the gate."""
        return json.dumps(
            {
                "epoch": self.epoch,
                "evidence": base64.b64encode(self.evidence).decode("ascii"),
                "not_after": self.not_after,
                "ohttp_keys": base64.b64encode(self.ohttp_keys).decode("ascii"),
                "targets": self.targets,
            }
        ).encode("ascii")

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read what `write` wrote, in its one spelling.

        Raises:
            DoorError: anything else.
        """
        try:
            plain = json.loads(body)
            read = cls(
                epoch=plain["epoch"],
                not_after=plain["not_after"],
                targets=tuple(plain["targets"]),
                evidence=base64.b64decode(plain["evidence"], validate=True),
                ohttp_keys=base64.b64decode(plain["ohttp_keys"], validate=True),
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DoorError("publication: not the fields that it has") from error
        if not read._is_typed() or read.write() != body:
            raise DoorError("publication: not in canonical form")
        return read

    def _is_typed(self) -> bool:
        """Whether numbers are numbers and targets are texts, as JSON does not promise."""
        numbers = (self.epoch, self.not_after)
        return all(type(n) is int for n in numbers) and all(type(t) is str for t in self.targets)
