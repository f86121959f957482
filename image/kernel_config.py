# SPDX-License-Identifier: Apache-2.0
"""What a kernel is asked to be, as files, and whether the resolved configuration is that.

The rule that holds here: every symbol that a fragment (image/kernel/config) names has exactly the
value it names, also where the value is "n"; kconfig alone would drop what a dependency forbids and
switch on what a default or a `select` wants. A variant is the numbered fragments, in order, and
then its own, which alone may say a symbol again. Each group of lines has its reason above it.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from image.errors import ImageError

FRAGMENTS = Path("image/kernel/config")
FRAGMENT_MAX_BYTES = 1 << 16

VARIANTS = MappingProxyType(
    {
        "production": (),
        "test": ("test",),
        "research": ("test", "research"),
        "probe": ("test", "research", "probe"),
    }
)
"""The fragments of each variant beyond those that all have. `probe` is no release: a research
kernel whose ACPI loads the host's bytecode, to show that the second fence holds alone."""

_ASSIGNMENT = re.compile(r"(CONFIG_[A-Z0-9_]+)=(y|m|n|-?[0-9]+|0x[0-9a-f]+|\"[^\"\\\n]*\")")
_RESOLVED = re.compile(r"(CONFIG_[A-Za-z0-9_]+)=(.+)")
# A line of a Kconfig file that makes a symbol.
_SYMBOL = re.compile(r"^\s*(?:menu)?config\s+([A-Za-z0-9_]+)", re.MULTILINE)


class ConfigError(ImageError):
    """A fragment is not well-formed, or the kernel is not what the fragments ask for."""


def parse_fragment(text: str) -> dict[str, str]:
    """Return the symbols of a fragment with what is asked of them.

    Raises:
        ConfigError: a line is no assignment or comment, a symbol is there twice, or a group of
            lines has no reason above it.
    """
    asked: dict[str, str] = {}
    reason = False
    for line in text.splitlines():
        if line.startswith("# "):
            reason = True
        elif not line:
            reason = False
        elif not (match := _ASSIGNMENT.fullmatch(line)):
            raise ConfigError(f"fragment: wanted CONFIG_NAME=value or a comment, got {line!r}")
        elif not reason:
            raise ConfigError(f"fragment: wanted a reason above {line}, got none")
        elif match[1] in asked:
            raise ConfigError(f"fragment: wanted {match[1]} once, got it twice")
        else:
            asked[match[1]] = match[2]
    return asked


def load_requested(variant: str, fragments: Path = FRAGMENTS) -> dict[str, str]:
    """Return what a variant of `VARIANTS` asks for, symbol by symbol.

    Raises:
        ConfigError: a fragment is not well-formed, or two numbered ones say the same symbol.
    """
    asked: dict[str, str] = {}
    for path in sorted(fragments.glob("[0-9]*.config")):
        more = _load(path)
        if twice := sorted(asked.keys() & more.keys()):
            raise ConfigError(f"{path.name}: wanted each symbol in one fragment, got {twice} again")
        asked |= more
    for name in VARIANTS[variant]:
        asked |= _load(fragments / f"{name}.config")
    return asked


def _load(path: Path) -> dict[str, str]:
    data = path.read_bytes()
    if len(data) > FRAGMENT_MAX_BYTES:
        raise ConfigError(f"{path.name}: wanted {FRAGMENT_MAX_BYTES} bytes at most")
    try:
        return parse_fragment(data.decode("ascii"))
    except (UnicodeDecodeError, ConfigError) as error:
        raise ConfigError(f"{path.name}: {error}") from error


def parse_resolved(text: str) -> dict[str, str]:
    """Return the symbols that a .config sets; one that it does not set is "n"."""
    matches = map(_RESOLVED.fullmatch, text.splitlines())
    return {match[1]: match[2] for match in matches if match}


def parse_symbols(kconfig: str) -> set[str]:
    """Return the symbols that a Kconfig file makes."""
    return {f"CONFIG_{name}" for name in _SYMBOL.findall(kconfig)}


def differences(
    requested: Mapping[str, str], resolved: Mapping[str, str], known: Iterable[str]
) -> list[str]:
    """Return one line for each symbol that is not what was asked for, or that no kernel has.

    Args:
        requested: what the fragments ask for.
        resolved: what the .config sets.
        known: the symbols that the source has at all; a misspelt "n" would always hold.
    """
    lines = [f"{name}: no such symbol in this kernel" for name in requested.keys() - set(known)]
    lines += [
        f"{name}: wanted {wanted}, got {resolved.get(name, 'n')}"
        for name, wanted in requested.items()
        if resolved.get(name, "n") != wanted
    ]
    return sorted(lines)
