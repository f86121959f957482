# SPDX-License-Identifier: Apache-2.0
"""A policy as YAML for people: the document's fields, each under the sentence that explains it.

`COMMENTS` has one row per field of a policy, and a test holds it against the policy's own classes.
What is written reads back, through the one strict loader, as the very document it was made from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from wire.yamldoc import Node

COMMENTS: Mapping[str, str] = {
    "snp": "What is demanded of an AMD SEV-SNP report and of the certificate of its key.",
    "snp.versions": "Versions of the report. 3 names the processor, 5 the mitigations in force.",
    "snp.keys": "Who may sign: vcek, one chip's key; vlek, one cloud's.",
    "snp.csp_ids": "The clouds whose VLEK is accepted, as its certificate spells them.",
    "snp.masked_chip_id": "Whether a report under a VCEK may hide which chip it is from.",
    "snp.chips": "CHIP_ID of each machine that is trusted (on Turin 8 bytes, then zeros); none "
    "trusts every chip of AMD's, also in the hands of somebody who taps its memory.",
    "snp.require_crl": "Whether AMD's revocation list must come with the evidence, and be fresh.",
    "snp.products": "The lines of processors, each with its floors; a line that is not here is "
    "refused.",
    "snp.products[].reported_tcb": "Security versions that the key is derived from, at least. "
    "0 where a line lacks one.",
    "snp.products[].committed_tcb": "Those below which the host cannot go back.",
    "snp.products[].launch_tcb": "Those at the guest's launch.",
    "snp.products[].firmware": "Version of the committed SNP firmware, at least.",
    "snp.products[].mitigations": "Bits that both mitigation vectors must have, as a number.",
    "snp.vmpls": "Privilege levels that may ask for the report; 0 is the highest.",
    "snp.abi": "Version of the firmware's ABI that the guest's policy demands, at least.",
    "snp.guest_allows": "What the guest's policy may allow its host at most: smt, cxl.",
    "snp.guest_requires": "What it must require: single-socket, aes-256-xts, rapl-disabled, "
    "ciphertext-hiding, page-swap-disabled.",
    "snp.platform_has": "What the platform must say of itself: smt, tsme, ecc, rapl-disabled, "
    "ciphertext-hiding, alias-check, iommu-write-safe, tio.",
    "snp.platform_lacks": "What it must not say of itself; the same words.",
    "snp.guest_svn": "The guest's own security version in its ID block, at least.",
    "snp.measurements": "Launch digests. This is which software runs: compute them yourself.",
    "snp.host_data": "What the host may have put in at launch; zeros for nothing.",
    "snp.family_ids": "Family IDs of the ID block; zeros where there is none.",
    "snp.image_ids": "Image IDs of the ID block; zeros where there is none.",
    "snp.id_keys": "Digests of the key that signed the ID block; zeros where there is none.",
    "snp.author_keys": "Digests of the key that certified that key; zeros where none did.",
    "tdx": "What is demanded of an Intel TDX quote and its collateral; none refuses them all.",
    "tdx.versions": "Versions of the quote: 4, 5.",
    "tdx.body_types": "Types of its TD report: 2 for TDX 1.0, 3 for 1.5, 4 for 1.5 extended.",
    "tdx.trailing_bytes": "Whether other bytes than zeros may follow the quote in its buffer.",
    "tdx.ppids": "PPID of each machine that is trusted, from its PCK certificate; none trusts "
    "every platform of Intel's, also in the hands of somebody who taps its memory.",
    "tdx.statuses": "Intel's ratings of the platform. UpToDate is the only good one.",
    "tdx.advisories": "Intel's advisories that may apply to the platform.",
    "tdx.evaluation": "The tcbEvaluationDataNumber of Intel's documents, at least.",
    "tdx.tcb_date": "Date of the TCB level of platform, module and quoting enclave, at least.",
    "tdx.td_allows": "What the TD's attributes may allow at most: icssd, lass, sept-ve-disable, "
    "migratable, pks, kl, tpa, perfmon.",
    "tdx.td_requires": "What they must have; the same words.",
    "tdx.xfam": "Extended features of the processor that the TD may use, a mask as in the quote.",
    "tdx.service_tds": "Measurements of service TDs, for types 3 and 4; zeros for none.",
    "tdx.devices": "Digests of devices, for type 4; zeros for none.",
    "tdx.images": "Registers of each image. This is which software runs: compute them yourself.",
    "tdx.images[].mrtd": "Of the TD's initial contents, its firmware.",
    "tdx.images[].rtmr0": "Of what the host chose: memory, ACPI tables, the firmware's "
    "settings; none leaves it open, for an image that lets none of it act.",
    "tdx.images[].rtmr1": "Of what the firmware started: the kernel.",
    "tdx.images[].rtmr2": "Of the kernel's command line and initrd.",
    "tdx.images[].rtmr3": "Of what the guest itself extended; zeros for nothing.",
    "tdx.config_ids": "MRCONFIGID, from the host; zeros for nothing.",
    "tdx.owners": "MROWNER, from the host; zeros for nothing.",
    "tdx.owner_configs": "MROWNERCONFIG, from the host; zeros for nothing.",
    "tdx.seam_modules": "Measurements of the TDX module; none leaves it to Intel's rating.",
    "statement": "What is demanded of the statement that the report vouches for.",
    "statement.products": "Names of the software.",
    "statement.variants": "Which images: production, research, mock.",
    "statement.life_s": "Longest life of a key, in seconds.",
    "statement.models": "SHA-256 of the model file.",
    "statement.prompts": "SHA-256 over the prompts.",
    "statement.configurations": "SHA-256 over the guest's configuration document.",
    "statement.lacking": "What the guest may lack of its isolation and start self-test, by the "
    "names that it gives; empty for nothing.",
}

_INDENT = "  "
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/=+-]*", re.ASCII)
_LINE_CHARACTERS = 100


def write_policy_text(document: Mapping[str, Node], title: tuple[str, ...]) -> str:
    """The document as commented YAML, under the lines of `title`."""
    said: set[str] = set()
    lines = [f"# {line}".rstrip() for line in title]
    return "\n".join([*lines, *_mapping(document, "", 0, said)]) + "\n"


def _mapping(values: Mapping[str, Node], path: str, depth: int, said: set[str]) -> Iterator[str]:
    for name, value in values.items():
        place = f"{path}.{name}" if path else name
        if place in COMMENTS and place not in said:
            said.add(place)
            yield from _comment(COMMENTS[place], _INDENT * depth)
        head = f"{_INDENT * depth}{name}:"
        if isinstance(value, dict):
            if all(isinstance(item, str) for item in value.values()):
                yield f"{head} {_flow(value)}"
            else:
                yield head
                yield from _mapping(value, place, depth + 1, said)
        elif isinstance(value, list):
            yield from _list(head, value, place, depth + 1, said)
        else:
            yield f"{head} {_scalar(value)}"


def _list(head: str, items: list[Node], path: str, depth: int, said: set[str]) -> Iterator[str]:
    words = [_scalar(item) for item in items if isinstance(item, str)]
    short = f"{head} [{', '.join(words)}]"
    if len(words) == len(items) and len(short) <= _LINE_CHARACTERS:
        yield short
        return
    yield head
    for item in items:
        if isinstance(item, dict):
            yield f"{_INDENT * depth}-"
            yield from _mapping(item, f"{path}[]", depth + 1, said)
    yield from (f"{_INDENT * depth}- {word}" for word in words)


def _comment(text: str, indent: str) -> Iterator[str]:
    line = f"{indent}#"
    for word in text.split():
        if len(line) + 1 + len(word) > _LINE_CHARACTERS:
            yield line
            line = f"{indent}#"
        line += f" {word}"
    yield line


def _flow(values: Mapping[str, Node]) -> str:
    pairs = ((name, value) for name, value in values.items() if isinstance(value, str))
    return "{" + ", ".join(f"{name}: {_scalar(value)}" for name, value in pairs) + "}"


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
