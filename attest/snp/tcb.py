# SPDX-License-Identifier: Apache-2.0
"""TCB_VERSION: several security version numbers in eight bytes (AMD 56860 §2.3).

Two of them are compared component by component, never as one integer: a newer microcode does not
make up for an older firmware. Which byte is which component depends on the product line.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import ge

from attest.snp.product import PRODUCTS, Component, ProductLine

TCB_BYTES = 8

# The bits of each line's reserved bytes, in the eight bytes read as a little-endian integer.
_RESERVED = {
    line: sum(0xFF << 8 * i for i, component in enumerate(product.tcb) if component is None)
    for line, product in PRODUCTS.items()
}


@dataclass(frozen=True, slots=True)
class Tcb:
    """Eight bytes as they came, with the line that says how to read them."""

    line: ProductLine
    raw: bytes

    @property
    def versions(self) -> dict[Component, int]:
        """Each component's security version number."""
        layout = PRODUCTS[self.line].tcb
        return {c: self.raw[i] for i, c in enumerate(layout) if c is not None}

    @property
    def reserved_is_zero(self) -> bool:
        """Whether the bytes that hold no component are zero."""
        return not int.from_bytes(self.raw, "little") & _RESERVED[self.line]

    def covers(self, other: Tcb) -> bool:
        """Whether every component is at least the other's. For one and the same line only."""
        if self.line is not other.line:
            raise ValueError(f"a {self.line} TCB does not compare with a {other.line} one")
        return all(map(ge, self.raw, other.raw))

    @property
    def text(self) -> str:
        """The components and their versions, for people."""
        return ", ".join(f"{component} {svn}" for component, svn in self.versions.items())


def tcb(line: ProductLine, **versions: int) -> Tcb:
    """A TCB from its components by name; those not named are zero.

    Raises:
        ValueError: the line has no such component.
    """
    layout = PRODUCTS[line].tcb
    wanted = {Component(name): svn for name, svn in versions.items()}
    if unknown := [c for c, svn in wanted.items() if c not in layout and svn]:
        raise ValueError(f"{line} has no {', '.join(unknown)}")
    return Tcb(line, bytes(0 if c is None else wanted.get(c, 0) for c in layout))
