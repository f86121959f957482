# SPDX-License-Identifier: Apache-2.0
"""Every exception that `wire` raises on purpose.

The peer's faults are `WireError`; the message text is derived from the attributes. No plaintext,
key or ciphertext is ever part of an error. `SpentError` is our own fault and therefore no
`WireError`.
"""


class WireError(Exception):
    """Base class: catch it to catch every fault of a peer or of its bytes."""


class FormatError(WireError):
    """Bytes from outside do not follow their specification.

    Attributes:
        what: The format or the part of it that was being read or written.
        offset: Where in it the problem was found, in bytes.
        problem: What is wrong, without the bytes themselves.
    """

    def __init__(self, what: str, offset: int, problem: str) -> None:
        super().__init__(f"{what}: {problem} (at byte {offset})")
        self.what = what
        self.offset = offset
        self.problem = problem


class OpenError(WireError):
    """A sealed message could not be opened. It carries nothing: every cause looks the same."""

    def __init__(self) -> None:
        super().__init__("sealed message: it does not open")


class TruncatedError(WireError):
    """The peer's message ended before its authenticated end."""

    def __init__(self) -> None:
        super().__init__("message: it ended before its authenticated end")


class SpentError(RuntimeError):
    """A bug in this program: an object was used twice, out of order, or after it had failed.

    Attributes:
        step: The call that was refused, as `Class.step`.
        state: The state the object was in.
    """

    def __init__(self, step: str, state: str) -> None:
        super().__init__(f"{step}: not possible while {state}")
        self.step = step
        self.state = state
