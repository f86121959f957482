# SPDX-License-Identifier: Apache-2.0
"""What is launched, and on which terms: the values that fill in a command line or a domain.

A path is absolute and of plain characters only, because QEMU and libvirt each have an escaping of
their own, and a file that the launcher cannot name without it is not one of ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from attest.cmdline import CMDLINE_MAX_BYTES, check_cmdline
from attest.errors import FormatError
from attest.ovmf import FIRMWARE_MAX_BYTES
from attest.snp.launch.cpu import cpu_signature
from attest.snp.launch.digest import Launch as SnpLaunch
from attest.snp.launch.firmware import read_firmware
from attest.snp.launch.kernel_hashes import hash_boot
from attest.snp.launch.vmsa import Vmm
from attest.statement import Platform
from attest.tdx.launch.authenticode import IMAGE_MAX_BYTES
from attest.tdx.launch.events import LoadOptions
from attest.tdx.launch.mrtd import PageOrder
from attest.tdx.launch.registers import Launch as TdxLaunch
from attest.tdx.launch.registers import plan_launch
from image.errors import ImageError

VCPUS_MAX = 64  # what is published
MEMORY_MIN_MIB = 512
MEMORY_MAX_MIB = 1 << 20
CID_MIN = 3  # 0 to 2 are the hypervisor, this machine, the host (vsock(7))
CID_MAX = (1 << 32) - 2
INITRD_MAX_BYTES = 1 << 30
DISK_MAX_BYTES = 1 << 40
# SEV_FEATURES of a vCPU: SNP active, nothing else.
GUEST_FEATURES = 0x1
HOST_CPU = "host"  # of a TD: its CPU model is not measured
QGS_SOCKET = "/var/run/tdx-qgs/qgs.socket"

_PLAIN = re.compile(r"/[A-Za-z0-9/._+@-]+")


class LaunchError(ImageError):
    """A launch that cannot be, or would not be the published one.

    Attributes:
        what: is wrong.
        wanted: of it.
        got: instead.
    """

    def __init__(self, what: str, wanted: str, got: str) -> None:
        super().__init__(f"{what}: wanted {wanted}, got {got}")
        self.what = what
        self.wanted = wanted
        self.got = got


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A launch of a release.

    Attributes:
        platform: of the host.
        release: the folder that was downloaded.
        variant: production, research or test.
        vcpus: how many, 1 to `VCPUS_MAX`; measured on SEV-SNP.
        cpu: QEMU's CPU model; measured on SEV-SNP, `HOST_CPU` on TDX.
        memory_mib: of the guest, not measured.
        model: the disk that the guest knows as vda; its digest is in the command line.
        config: the disk that the guest knows as vdb; its digest is in the guest's statement.
        endorsements: the disk that the guest knows as vdc, or None: what vouches for the platform,
            where the host's kernel does not bring it; TDX guests need it.
        cid: the guest's vsock address.
        policy: SEV-SNP: what the guest asks of its host (AMD 56860, GUEST_POLICY).
        cbitpos: SEV-SNP: where the host's processors have the bit that says "encrypted".
        reduced_phys_bits: SEV-SNP: how many address bits the encryption costs.
        qgs: TDX: the socket of Intel's quote generation service on the host.
    """

    platform: Platform
    release: Path
    variant: str
    vcpus: int
    cpu: str
    memory_mib: int
    model: Path
    config: Path
    endorsements: Path | None
    cid: int
    policy: int
    cbitpos: int
    reduced_phys_bits: int
    qgs: Path

    def __post_init__(self) -> None:
        _within("number of vCPUs", self.vcpus, 1, VCPUS_MAX)
        _within("memory", self.memory_mib, MEMORY_MIN_MIB, MEMORY_MAX_MIB)
        _within("guest CID", self.cid, CID_MIN, CID_MAX)
        _within("guest policy", self.policy, 1, (1 << 64) - 1)
        _within("position of the C-bit", self.cbitpos, 32, 63)
        _within("reduction of address bits", self.reduced_phys_bits, 1, 6)
        for path in (self.firmware, self.kernel, *self.disks, self.qgs):
            if not _PLAIN.fullmatch(str(path)):
                wanted = "an absolute path of letters, digits and ._+@-"
                raise LaunchError("path", wanted, repr(str(path)))
        if self.platform is Platform.TDX and self.cpu != HOST_CPU:
            raise LaunchError("CPU model", HOST_CPU, self.cpu)

    @property
    def disks(self) -> tuple[Path, ...]:
        """The guest's disks, in the order of their names."""
        more = () if self.endorsements is None else (self.endorsements,)
        return (self.model, self.config, *more)

    @property
    def firmware(self) -> Path:
        """The firmware of the platform."""
        name = {Platform.SEV_SNP: "ovmf-amdsev.fd", Platform.TDX: "ovmf-tdx.fd"}[self.platform]
        return self.release / name

    @property
    def kernel(self) -> Path:
        """The kernel of the variant."""
        return self.release / self.variant / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """The initramfs of the variant."""
        return self.release / self.variant / "initrd"

    def cmdline(self) -> str:
        """The command line of the variant, the exact bytes of its file.

        Raises:
            LaunchError: the file is missing or is no command line.
        """
        path = self.release / self.variant / "cmdline"
        try:
            text = read_file(path, CMDLINE_MAX_BYTES).decode("ascii")
            check_cmdline(text)
        except (UnicodeDecodeError, FormatError) as error:
            raise LaunchError(str(path), "a command line", type(error).__name__) from error
        if not text.isprintable():
            raise LaunchError(str(path), "one line without its end", "unprintable characters")
        return text

    def values(self) -> dict[str, str]:
        """Everything that a template may name."""
        bundle = {} if self.endorsements is None else {"endorsements": str(self.endorsements)}
        return bundle | {
            "memory_mib": str(self.memory_mib),
            "memory_bytes": str(self.memory_mib << 20),
            "vcpus": str(self.vcpus),
            "cpu": self.cpu,
            "firmware": str(self.firmware),
            "kernel": str(self.kernel),
            "initrd": str(self.initrd),
            "cmdline": self.cmdline(),
            "model": str(self.model),
            "config": str(self.config),
            "cid": str(self.cid),
            "cbitpos": str(self.cbitpos),
            "reduced_phys_bits": str(self.reduced_phys_bits),
            "policy": str(self.policy),
            "policy_hex": hex(self.policy),
            "qgs": str(self.qgs),
        }

    def measured(self) -> SnpLaunch | TdxLaunch:
        """What the platform measures of this launch, by `attest`'s model of it.

        Raises:
            LaunchError: a file is missing or too large.
            FormatError: a file is malformed, or something about the launch is not modelled.
        """
        firmware = read_file(self.firmware, FIRMWARE_MAX_BYTES)
        kernel = read_file(self.kernel, IMAGE_MAX_BYTES)
        initrd = read_file(self.initrd, INITRD_MAX_BYTES)
        if self.platform is Platform.SEV_SNP:
            return SnpLaunch(
                firmware=read_firmware(firmware),
                boot=hash_boot(kernel, initrd, self.cmdline()),
                vmm=Vmm.QEMU,
                vcpus=self.vcpus,
                cpu=cpu_signature(self.cpu),
                features=GUEST_FEATURES,
            )
        return plan_launch(
            firmware,
            kernel,
            initrd,
            self.cmdline(),
            order=PageOrder.BY_PAGE,
            load_options=LoadOptions.INITRD_FIRST,
        )


def check_disk(path: Path) -> None:
    """Check that a file can be a guest's disk; QEMU fills its last sector up with NUL.

    Raises:
        LaunchError: it is missing, empty or too large.
    """
    if not 0 < (size := _size(path)) <= DISK_MAX_BYTES:
        raise LaunchError(str(path), f"1 to {DISK_MAX_BYTES} bytes", f"{size}")


def read_file(path: Path, most: int) -> bytes:
    """A file of at most so many bytes.

    Raises:
        LaunchError: it cannot be read, or is larger.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise LaunchError(str(path), "a file", error.strerror or "none") from error
    if len(data) > most:
        raise LaunchError(str(path), f"at most {most} bytes", "more")
    return data


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise LaunchError(str(path), "a file", error.strerror or "none") from error


def _within(what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise LaunchError(what, f"{least} to {most}", str(value))
