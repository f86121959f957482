# SPDX-License-Identifier: Apache-2.0
"""Memory for secrets that outlive a call: locked, in no dump, wiped by hand; a broom for the rest.

`SecretMemory` is for what must lie in bytes. Keys that OpenSSL holds stay there, and OpenSSL clears
them. A ``bytes`` object cannot be wiped, and cryptography makes some on its way to every key; when
they are free, their blocks keep what was in them until somebody else gets those. `scrub` is that
somebody. It is no guarantee; a test searches a keyholder's memory after it (docs/zeroization.md).
"""

from __future__ import annotations

import ctypes
import mmap
from typing import Final

SLOT_BYTES: Final = 32  # the longest key of our suites
MADV_WIPEONFORK: Final = 18  # include/uapi/asm-generic/mman-common.h; Python has no name for it
SMALL_MAX_BYTES: Final = 512  # CPython's own allocator has the blocks up to here
SMALL_STEP_BYTES: Final = 16
SCRUBBED_BYTES: Final = 1 << 16  # of each size of block; the free ones of a quiet process are fewer


class FullError(Exception):
    """Every slot is taken."""


class Slot:
    """One place for a secret; `wipe` before it is given up."""

    def __init__(self, memory: SecretMemory, number: int, view: memoryview) -> None:
        self._memory: SecretMemory | None = memory
        self._number = number
        self.view = view

    def wipe(self) -> None:
        """Overwrite the secret with zeros and give the slot back; a second time does nothing."""
        memory, self._memory = self._memory, None
        if memory is not None:
            memory._give_back(self._number)  # noqa: SLF001 - slot and memory are one thing


class SecretMemory:
    """Pages that are never swapped and never in a core dump, handed out in slots.

    Attributes:
        locked: whether the kernel let them be locked. It does within RLIMIT_MEMLOCK, which is a row
            of the self-test (`memory-lock`), so a guest in which it does not has said so.
    """

    def __init__(self, slots: int, *, survives_fork: bool = False) -> None:
        """Take memory for that many secrets.

        ``survives_fork`` is for a secret that every fork is to have; in other memory a fork finds
        zeros. A fork's pages are not locked.

        Raises:
            OSError: the kernel has no memory, or none that a fork would find empty.
        """
        self._pages = mmap.mmap(-1, slots * SLOT_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._pages.madvise(mmap.MADV_DONTDUMP)
        if not survives_fork:
            self._pages.madvise(MADV_WIPEONFORK)
        self._view = memoryview(self._pages)
        self.locked = _lock(self._pages)
        self._free = list(range(slots))

    def take(self) -> Slot:
        """A slot of zeros.

        Raises:
            FullError: all are taken.
        """
        if not self._free:
            raise FullError("secret memory: every slot is taken")
        number = self._free.pop()
        return Slot(self, number, self._slice(number))

    def _slice(self, number: int) -> memoryview:
        return self._view[number * SLOT_BYTES : (number + 1) * SLOT_BYTES]

    def _give_back(self, number: int) -> None:
        self._slice(number)[:] = bytes(SLOT_BYTES)
        self._free.append(number)


def scrub() -> None:
    """Get the free blocks of small objects from CPython's allocator, filled with zeros, once."""
    taken = []
    for block in range(SMALL_STEP_BYTES, SMALL_MAX_BYTES + 1, SMALL_STEP_BYTES):
        payload = block - bytes.__basicsize__
        if payload > 1:  # shorter ones are not made anew
            taken.append([bytes(payload) for _ in range(SCRUBBED_BYTES // block)])


def _lock(pages: mmap.mmap) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    address = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    return bool(libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(len(pages))) == 0)
