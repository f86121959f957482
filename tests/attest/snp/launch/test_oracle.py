# SPDX-License-Identifier: Apache-2.0
"""`sev-snp-measure` itself, asked about inputs that no file of vectors has."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, derive_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from sevsnpmeasure import guest as oracle
from sevsnpmeasure import id_block, vcpu_types
from sevsnpmeasure.sev_mode import SevMode
from sevsnpmeasure.vmm_types import VMMType

from attest.snp.launch.cpu import CPU_TYPES, signature
from attest.snp.launch.digest import FEATURES, Launch, launch_digest
from attest.snp.launch.firmware import read_firmware
from attest.snp.launch.id_block import IdBlock, write_id_auth, write_public_key
from attest.snp.launch.kernel_hashes import hash_boot
from attest.snp.launch.vmsa import Vmm
from tests.attest import ovmf

MODE = SevMode.SEV_SNP

VMMS = {Vmm.QEMU: VMMType.QEMU, Vmm.EC2: VMMType.ec2, Vmm.GCE: VMMType.gce}
PAGES = st.integers(0, 0xFFFF).map(lambda page: page * ovmf.PAGE)
SECTIONS = st.lists(
    st.one_of(
        st.tuples(PAGES, st.integers(0, 5).map(lambda n: n * ovmf.PAGE), st.sampled_from([1, 4])),
        st.tuples(PAGES, st.just(ovmf.PAGE), st.sampled_from([2, 3])),
    ),
    max_size=8,
).map(tuple)


@settings(max_examples=150)
@given(
    sections=SECTIONS,
    vmm=st.sampled_from(list(Vmm)),
    vcpus=st.integers(1, 5),
    cpu=st.integers(0, (1 << 32) - 1),
    features=st.lists(st.sampled_from(list(FEATURES))).map(
        lambda bits: 1 | sum(1 << bit for bit in set(bits))
    ),
    kernel=st.none() | st.binary(max_size=9),
    initrd=st.binary(max_size=9),
    cmdline=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    offset=st.integers(0, ovmf.PAGE - 176),
    eip=st.integers(1, (1 << 32) - 1),
)
def test_both_give_the_same_digest(
    sections: tuple[tuple[int, int, int], ...],
    vmm: Vmm,
    vcpus: int,
    cpu: int,
    features: int,
    kernel: bytes | None,
    initrd: bytes,
    cmdline: str,
    offset: int,
    eip: int,
) -> None:
    hashes = (0x810000, ovmf.PAGE, 0x10)
    image = ovmf.snp((*sections, hashes), hashes_gpa=hashes[0] + offset, reset_eip=eip)
    launch = Launch(
        firmware=read_firmware(image),
        boot=None if kernel is None else hash_boot(kernel, initrd, cmdline),
        vmm=vmm,
        vcpus=vcpus,
        cpu=cpu,
        features=features,
    )
    with TemporaryDirectory() as folder:
        names = {"firmware": image, "kernel": kernel or b"", "initrd": initrd}
        paths = {name: str(Path(folder, name)) for name in names}
        for name, data in names.items():
            Path(paths[name]).write_bytes(data)
        booted = (paths["kernel"], paths["initrd"], cmdline)
        files = booted if kernel is not None else (None, None, None)
        digest = oracle.calc_launch_digest(
            MODE, vcpus, cpu, paths["firmware"], *files, features, vmm_type=VMMS[vmm]
        )
    assert launch_digest(launch) == digest


def test_both_know_the_same_cpus() -> None:
    assert {name: CPU_TYPES[name] for name in vcpu_types.CPU_SIGS} == vcpu_types.CPU_SIGS


def test_a_version_of_a_model_is_the_same_processor() -> None:
    """sev-snp-measure 0.0.13 lacks the latest versions; QEMU gives them their model's signature."""
    newer = CPU_TYPES.keys() - vcpu_types.CPU_SIGS.keys()
    assert {name: CPU_TYPES[name] for name in newer} == {
        name: vcpu_types.CPU_SIGS[name.rpartition("-v")[0]] for name in newer
    }


@given(st.integers(0, 0x10E), st.integers(0, 0xFF), st.integers(0, 0xF))
def test_both_give_the_same_signature(family: int, model: int, stepping: int) -> None:
    assert signature(family, model, stepping) == vcpu_types.cpu_sig(family, model, stepping)


def test_both_write_the_same_id_block(tmp_path: Path) -> None:
    keys = [derive_private_key(number, SECP384R1()) for number in (7, 8)]
    for name, key in zip(("id", "author"), keys, strict=True):
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (tmp_path / name).write_bytes(pem)
    signed: list[bytes] = []

    def sign(_key: object, data: bytes) -> bytes:
        signed.append(data)
        return bytes(512)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(id_block, "sign_in_snp_format", sign)
        told = id_block.snp_calc_id_block(
            bytes(range(48)), str(tmp_path / "id"), str(tmp_path / "author")
        )
    block = IdBlock(
        launch_digest=bytes(range(48)),
        family_id=bytes(16),
        image_id=bytes(16),
        guest_svn=0,
        policy=0x30000,
    )
    assert signed == [block.write(), write_public_key(keys[0].public_key())]
    auth = id_block.base64.b64decode(told.split("id-auth=")[1].split("\n")[0])
    zero = bytes.fromhex("3006020100020100")
    author = (keys[1].public_key(), zero)
    assert write_id_auth(keys[0].public_key(), zero, *author) == auth
