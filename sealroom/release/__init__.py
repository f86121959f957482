# SPDX-License-Identifier: Apache-2.0
"""A release of the image: its manifest, and whether the files of a download are the published ones.

The manifest (`measurements/<version>/manifest.json`) is RFC 8785 JSON in a closed schema. `folder`
reads files; nothing else here does, and nothing asks for the time.
"""

from sealroom.release.compare import Difference, compare_files, compare_image
from sealroom.release.manifest import (
    MANIFEST_MAX_BYTES,
    Manifest,
    parse_manifest,
    write_manifest,
)

__all__ = [
    "MANIFEST_MAX_BYTES",
    "Difference",
    "Manifest",
    "compare_files",
    "compare_image",
    "parse_manifest",
    "write_manifest",
]
