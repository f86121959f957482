# SPDX-License-Identifier: Apache-2.0
"""The Merkle tree of a log: RFC 9162 §2.1, which is RFC 6962's tree over SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

HASH_BYTES = 32
PATH_MAX = 63  # hashes in a proof: a tree of 2**63 - 1 entries has no longer one


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry (RFC 9162 §2.1.1)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees (RFC 9162 §2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root of the tree to which a path leads from a leaf (RFC 9162 §2.1.3.2).

    Args:
        leaf: hash of the entry.
        index: of the entry, from 0.
        size: entries in the tree.
        path: hashes, from the leaf's sibling up to the root's child.

    Raises:
        ValueError: a tree of this size has no such entry, or another length of path to it; or
            something is no hash.
    """
    if not 0 <= index < size:
        raise ValueError(f"wanted an index below {size}, got {index}")
    if any(len(hashed) != HASH_BYTES for hashed in (leaf, *path)):
        raise ValueError(f"wanted hashes of {HASH_BYTES} bytes")
    first, last, root = index, size - 1, leaf
    for hashed in path:
        if last == 0:
            raise ValueError("wanted a shorter path")
        if first & 1 or first == last:
            root = node_hash(hashed, root)
            # The last node of a level that is not full has no sibling: up, to where it has one.
            while not first & 1:
                first, last = first >> 1, last >> 1
        else:
            root = node_hash(root, hashed)
        first, last = first >> 1, last >> 1
    if last:
        raise ValueError("wanted a longer path")
    return root
