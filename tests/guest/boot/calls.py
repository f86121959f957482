# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the kernel, for system calls that no test may make: mount, modules, reboot."""

import os
from dataclasses import dataclass, field


@dataclass
class Calls:
    """Takes every call and remembers it; fails those whose arguments contain a key of ``fails``."""

    fails: dict[bytes | int, int] = field(default_factory=dict)
    made: list[tuple[int | bytes, ...]] = field(default_factory=list)

    def __call__(self, number: int, *arguments: int | bytes) -> int:
        self.made.append((number, *arguments))
        for key, error in self.fails.items():
            if key in arguments:
                raise OSError(error, os.strerror(error))
        return 0
