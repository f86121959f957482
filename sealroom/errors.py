# SPDX-License-Identifier: Apache-2.0
"""What can go wrong for a user of the SDK, and the exit code of each.

The rule: every failure of the device is one of these classes, with its data in attributes and its
text derived from them. No text of a chat, of a request or of an answer is ever part of a message.
What was received of an answer that is not complete is in `partial`, for the caller alone; neither
`str()` nor `repr()` shows it. The exit codes follow the stages of design §5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attest.errors import FormatError
from attest.findings import Finding, Refused, Stage

if TYPE_CHECKING:
    from attest.receipt import Receipt
    from wire.api import ErrorCode


class SealroomError(Exception):
    """Something kept the SDK from a complete answer. Users catch this one.

    `partial` is the text of the answer that had come until then: nobody vouches for it, and who
    shows it says so. It is empty when none came.
    """

    partial: str = ""


class UsageError(SealroomError):
    """Options of the command line do not go with the file `where`: `problem` says which would."""

    def __init__(self, where: str, problem: str) -> None:
        self.where = where
        self.problem = problem
        super().__init__(f"{where}: {problem}")


class TrustFileError(SealroomError):
    """The trust file is missing or does not say what it must."""

    def __init__(self, where: str, wanted: str, got: str) -> None:
        self.where = where
        self.wanted = wanted
        self.got = got
        super().__init__(f"{where}: wanted {wanted}, got {got}")


class InputError(SealroomError):
    """The caller's text or chat cannot be sent: nothing was sealed."""

    def __init__(self, what: str, wanted: str, got: str) -> None:
        self.what = what
        self.wanted = wanted
        self.got = got
        super().__init__(f"{what}: wanted {wanted}, got {got}")


class ChatFormatError(InputError):
    """A line of a chat is in no form that is read; `line` counts from 1."""

    def __init__(self, line: int, wanted: str, got: str) -> None:
        self.line = line
        super().__init__(f"line {line}", wanted, got)


class EvidenceFormatError(SealroomError):
    """A file to be shown is no evidence of a known form, or a malformed one: `problem` says how."""

    def __init__(self, where: str, problem: str) -> None:
        self.where = where
        self.problem = problem
        super().__init__(f"{where}: {problem}")


class NotTrusted(SealroomError):
    """The guest's evidence did not verify: nothing was sealed to it.

    `findings` has every check of that stage that failed; it is empty when the evidence is
    malformed, and the text then says where.
    """

    def __init__(self, cause: Refused | FormatError) -> None:
        if isinstance(cause, Refused):
            self.stage: Stage = cause.stage
            self.findings: tuple[Finding, ...] = cause.findings
        else:
            self.stage = Stage.FORMAT
            self.findings = ()
        super().__init__(f"the guest is not trusted: {cause}")


class Unreachable(SealroomError):
    """The relay, or the guest behind it, gave no usable reply.

    Whatever is told here came in the clear and may have been made up on the way: `status` (the
    HTTP status, or None) is a hint and nothing else.
    """

    def __init__(self, what: str, wanted: str, got: str, *, status: int | None = None) -> None:
        self.what = what
        self.wanted = wanted
        self.got = got
        self.status = status
        super().__init__(f"{what}: wanted {wanted}, got {got}")


class Busy(SealroomError):
    """The guest has no free slot now; ask again after `retry_after_s` seconds.

    A second try has to be sealed anew: the SDK never sends the same ciphertext twice.
    """

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"the guest is busy: try again in {retry_after_s} s")


class StaleKey(SealroomError):
    """The guest does not have the key it attested, not even after one refresh of the evidence."""

    def __init__(self) -> None:
        super().__init__("the guest does not know the key of its own evidence, twice in a row")


class Deadline(SealroomError):
    """Nothing came in time. `limit_s` is the limit here, or None if somebody on the way gave up."""

    def __init__(self, waiting_for: str, limit_s: float | None) -> None:
        self.waiting_for = waiting_for
        self.limit_s = limit_s
        wanted = "in time" if limit_s is None else f"within {limit_s:g} s"
        super().__init__(f"{waiting_for}: wanted {wanted}, got nothing")


class RefusedByGuest(SealroomError):
    """The guest itself, in a sealed and receipted answer, says why there is no (more) output."""

    def __init__(self, code: ErrorCode, receipt: Receipt) -> None:
        self.code = code
        self.receipt = receipt
        super().__init__(f"the guest refused: {code}")


class Truncated(SealroomError):
    """The answer ended before its final chunk: nobody vouches that it is whole."""

    def __init__(self) -> None:
        super().__init__("answer: wanted its final chunk, got the end of the stream")


class AlteredError(SealroomError):
    """What came is not an answer that this guest sealed for this request."""

    def __init__(self, wanted: str, got: str) -> None:
        self.wanted = wanted
        self.got = got
        super().__init__(f"answer: wanted {wanted}, got {got}")


class ReceiptError(SealroomError):
    """The answer is whole, but nothing shows that its room was emptied."""

    def __init__(self, wanted: str, got: str) -> None:
        self.wanted = wanted
        self.got = got
        super().__init__(f"receipt: wanted {wanted}, got {got}")


EXIT_OK = 0
EXIT_USAGE = 1
EXIT_INTERRUPTED = 130

# Of `sealroom attack`, whose outcomes are not errors.
EXIT_ATTACK_SUCCEEDED = 70
EXIT_ATTACK_UNCLEAR = 71

# `NotTrusted` exits with the code of the stage that failed.
STAGE_EXIT_CODES: dict[Stage, int] = {
    Stage.FORMAT: 10,
    Stage.CHAIN: 20,
    Stage.SIGNATURE: 20,
    Stage.RULES: 30,
    Stage.STATEMENT: 30,
    Stage.LOG: 40,
    Stage.BINDING: 50,
}

EXIT_CODES: dict[type[SealroomError], int] = {
    UsageError: EXIT_USAGE,
    TrustFileError: EXIT_USAGE,
    EvidenceFormatError: 10,
    Unreachable: 60,
    StaleKey: 60,
    Busy: 61,
    Deadline: 62,
    RefusedByGuest: 63,
    Truncated: 64,
    AlteredError: 64,
    ReceiptError: 64,
    InputError: 65,
    ChatFormatError: 65,
}


def exit_code(error: SealroomError) -> int:
    """The exit code of the command that ends with `error`."""
    if isinstance(error, NotTrusted):
        return STAGE_EXIT_CODES[error.stage]
    return EXIT_CODES[type(error)]
