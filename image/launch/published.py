# SPDX-License-Identifier: Apache-2.0
"""A launch against the release's manifest: nothing is launched that does not measure as published.

The manifest also says what the guest's policy must ask of a host (AMD 56860, GUEST_POLICY), so the
policy is made of it and of nothing else.
"""

from __future__ import annotations

from pathlib import Path

from attest.errors import FormatError
from attest.snp.launch.digest import Launch as SnpLaunch
from attest.snp.launch.digest import launch_digest
from attest.snp.policy import PERMISSION_BITS, REQUIREMENT_BITS
from attest.tdx.launch.registers import Launch as TdxLaunch
from attest.tdx.launch.registers import Register, registers
from image.launch.plan import LaunchError, read_file
from sealroom.release.layout import MANIFEST
from sealroom.release.manifest import (
    MANIFEST_MAX_BYTES,
    Image,
    Manifest,
    SnpMinimum,
    parse_manifest,
)

_ALWAYS = 1 << 17  # must be one
_ABI_MAJOR = 8  # where it begins


def load_manifest(release: Path) -> Manifest:
    """The manifest in a release's folder.

    Raises:
        LaunchError: there is none, or it is none.
    """
    path = release / MANIFEST
    try:
        return parse_manifest(read_file(path, MANIFEST_MAX_BYTES))
    except FormatError as error:
        raise LaunchError(str(path), "a manifest", str(error)) from error


def guest_policy(minimum: SnpMinimum) -> int:
    """The policy to launch with: it allows and requires what the manifest says, and nothing else.

    Debugging and migration have no word in a manifest, so they cannot be allowed.
    """
    policy = _ALWAYS | minimum.abi.minor | minimum.abi.major << _ABI_MAJOR
    for permission in minimum.guest_allows:
        policy |= 1 << PERMISSION_BITS[permission]
    for requirement in minimum.guest_requires:
        policy |= 1 << REQUIREMENT_BITS[requirement]
    return policy


def verify_published(launch: SnpLaunch | TdxLaunch, image: Image) -> None:
    """Check that a launch measures as the manifest says of this image.

    Raises:
        LaunchError: it is not in the manifest, or measures otherwise.
    """
    wanted = _snp(launch, image) if isinstance(launch, SnpLaunch) else _tdx(image)
    got = (
        {"launch digest": launch_digest(launch)}
        if isinstance(launch, SnpLaunch)
        else {str(name): value for name, value in registers(launch).items()}
    )
    for name, value in wanted.items():
        if got[name] != value:
            raise LaunchError(name, f"the published {value.hex()}", got[name].hex())


def _snp(launch: SnpLaunch, image: Image) -> dict[str, bytes]:
    for row in image.snp.rows:
        if (row.signature, row.features) == (launch.cpu, launch.features):
            return {"launch digest": row.digests[launch.vcpus - 1]}
    got = f"signature 0x{launch.cpu:x}, features 0x{launch.features:x}"
    raise LaunchError("processors", "published ones", got)


def _tdx(image: Image) -> dict[str, bytes]:
    tdx = image.tdx
    return {
        Register.MRTD: tdx.mrtd_single_pass,
        Register.RTMR1: tdx.rtmr1,
        Register.RTMR2: tdx.rtmr2,
        Register.RTMR3: tdx.rtmr3,
    }
