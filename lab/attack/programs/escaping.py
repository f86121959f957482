# SPDX-License-Identifier: Apache-2.0
"""A worker in an attacker's hands: it tries what `lab.escapes` lists and answers with what came.

The sandbox around it is the guest's own. The answer has one letter for each attempt, in order.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any, Final

from typing_extensions import override

from lab.attack.programs.stub import StubEngine, main
from lab.escapes import ATTEMPTS

DENIED: Final = "d"
DONE: Final = "o"  # or the call got as far as the kernel's own checks, which is far enough
DENIALS: Final = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS})


class EscapingEngine(StubEngine):
    """Tries to leave, whatever it is asked."""

    @override
    def generate(self, name: str, text: str, **rest: Any) -> Iterator[str]:
        """One letter for each attempt."""
        self._reset()
        yield "".join(DENIED if one.run() in DENIALS else DONE for one in ATTEMPTS)


if __name__ == "__main__":
    main(EscapingEngine)
