# SPDX-License-Identifier: Apache-2.0
"""Explain in words where two files differ, down to the part of them that does.

An initramfs is compared path by path, an ELF file section by section, text line by line; everything
else by bytes. The rule that holds here: equal bytes give no line, other bytes at least one.
"""

import difflib
from collections.abc import Callable, Iterator
from itertools import islice

from image.cpio import CpioError, Entry, read_cpio
from image.elf import ElfError, Section, parse_sections

CPIO_MAGIC = b"070701"
ELF_MAGIC = b"\x7fELF"
ZSTD_MAGIC = bytes.fromhex("28b52ffd")
SHOWN_BYTES = 16
TEXT_MAX_BYTES = 1 << 20
TEXT_LINES_MAX_ITEMS = 6
LINES_MAX_ITEMS = 60

Unzstd = Callable[[bytes], bytes]


def by_bytes(first: bytes, second: bytes) -> Iterator[str]:
    """Say the sizes, how many bytes differ, and what stands at the first of them."""
    if first == second:
        return
    if len(first) != len(second):
        yield f"{len(first)} bytes / {len(second)} bytes"
    pairs = zip(first, second, strict=False)
    differing = [at for at, (one, other) in enumerate(pairs) if one != other]
    at = differing[0] if differing else min(len(first), len(second))
    shown = slice(at, at + SHOWN_BYTES)
    yield f"{len(differing)} of the bytes of both differ; at {at}:"
    yield f"  {first[shown].hex(' ') or 'the end'} / {second[shown].hex(' ') or 'the end'}"


def _text(data: bytes) -> list[str] | None:
    """Return the lines of a text, or None for what is none."""
    if len(data) > TEXT_MAX_BYTES or b"\0" in data:
        return None
    try:
        return data.decode().splitlines(keepends=True)
    except UnicodeDecodeError:
        return None


def by_lines(first: list[str], second: list[str]) -> Iterator[str]:
    """Say the first lines that differ, as a diff does."""
    rows = difflib.unified_diff(first, second, n=0)
    for row in islice(rows, 2, 2 + TEXT_LINES_MAX_ITEMS):
        yield repr(row.rstrip("\n"))[1:-1]


def by_sections(first: list[Section], second: list[Section]) -> Iterator[str]:
    """Say which sections of two ELF files differ, and where in each."""
    if [section.name for section in first] != [section.name for section in second]:
        names = [[section.name for section in each] for each in (first, second)]
        yield f"sections {' '.join(names[0])} / {' '.join(names[1])}"
        return
    for one, other in zip(first, second, strict=True):
        for line in by_bytes(one.data, other.data):
            yield f"section {one.name}: {line}"


def by_entries(
    first: tuple[Entry, ...], second: tuple[Entry, ...], unzstd: Unzstd
) -> Iterator[str]:
    """Say which paths are in one initramfs only, and of those in both what differs."""
    ours, theirs = ({entry.path: entry for entry in entries} for entries in (first, second))
    for path in sorted(ours.keys() | theirs.keys()):
        one, other = ours.get(path), theirs.get(path)
        if one is None or other is None:
            yield f"/{path}: only in the {'second' if one is None else 'first'}"
            continue
        if one.mode != other.mode:
            yield f"/{path}: mode {one.mode:o} / {other.mode:o}"
        for line in explain(one.data, other.data, unzstd):
            yield f"/{path}: {line}"


def explain(first: bytes, second: bytes, unzstd: Unzstd) -> Iterator[str]:
    """Say where two files differ; nothing if they do not.

    Args:
        first: one file's bytes.
        second: the other's.
        unzstd: decompresses Zstandard frames.
    """
    if first == second:
        return
    both = (first, second)
    # What one of the readers refuses is compared by its bytes.
    if all(each.startswith(ZSTD_MAGIC) for each in both):
        lines = list(explain(unzstd(first), unzstd(second), unzstd))
        yield from lines or ["the same content, compressed otherwise", *by_bytes(first, second)]
        return
    try:
        if all(each.startswith(CPIO_MAGIC) for each in both):
            yield from by_entries(read_cpio(first), read_cpio(second), unzstd)
            return
        if all(each.startswith(ELF_MAGIC) for each in both):
            lines = list(by_sections(parse_sections(first), parse_sections(second)))
            yield from lines or ["the same sections, otherwise:", *by_bytes(first, second)]
            return
    except (CpioError, ElfError) as error:
        yield f"not readable: {error}"
    one, other = _text(first), _text(second)
    if one is not None and other is not None:
        yield from by_lines(one, other)
    else:
        yield from by_bytes(first, second)


def explanation(first: bytes, second: bytes, unzstd: Unzstd) -> list[str]:
    """Return `explain`'s lines, the first LINES_MAX_ITEMS of them."""
    lines = list(islice(explain(first, second, unzstd), LINES_MAX_ITEMS + 1))
    return lines if len(lines) <= LINES_MAX_ITEMS else [*lines[:LINES_MAX_ITEMS], "and more"]
