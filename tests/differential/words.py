# SPDX-License-Identifier: Apache-2.0
"""What the specifications say where verifiers differ, each place once.

In quotation marks stands the document's own wording, as its text or an official excerpt has it.
"""

from __future__ import annotations

from tests.differential.explained import Words

ABI = "AMD 56860, SEV-SNP Firmware ABI"
REPORT = f"{ABI}, §7.3, ATTESTATION_REPORT"
KDS = "AMD 57230, VCEK Certificate and KDS Interface"
PCS = "Intel PCS API v4, Get TDX TCB Info"
QUOTE = "Intel TDX DCAP Quoting Library API, appendix A.3"

VMPL = Words(
    '"A Host requested attestation report will have a value of 0xffffffff"; a guest\'s is 0 to 3.',
    f"{REPORT}, VMPL",
)
CHIP_KEY = Words(
    '"Indicates that the VCEK is not used in attestation and guest key derivation."',
    f"{ABI}, SNP_CONFIG, MASK_CHIP_KEY",
)
SIGNING_KEY = Words(
    "SIGNING_KEY says which key signed: 0 the VCEK, 1 the VLEK, 7 none; 2 to 6 are reserved.",
    f"{REPORT}, SIGNING_KEY",
)
ALGORITHM = Words("1 is ECDSA on P-384 with SHA-384; 0 is invalid.", f"{ABI}, Signature Algorithms")
REPORTED_TCB = Words(
    '"Reported TCB version used to derive the VCEK that signed this report."',
    f"{REPORT}, REPORTED_TCB",
)
TCB_LAYOUT = Words(
    "A TCB_VERSION has four components, on Turin five; its other bytes are reserved.",
    f"{ABI}, TCB_VERSION",
)
TURIN = Words(
    "On Turin a TCB_VERSION begins with FMC, its certificate names fmcSPL, and hwID has 8 bytes.",
    f"{ABI}, TCB_VERSION; {KDS}, VCEK extensions",
)
COMMITTED = Words(
    "Firmware is not rolled back below CommittedTcb, and a host reports no higher TCB than that.",
    f"{ABI}, SNP_COMMIT and SNP_CONFIG",
)
CHIP_ID = Words(
    '"If MaskChipId is set to 0, Identifier unique to the chip as output by GET_ID."',
    f"{REPORT}, CHIP_ID; {KDS}, hwID",
)
POLICY = Words(
    'Bit 17: "Reserved. Must be one." Bits above 25: "Reserved. MBZ."', f"{ABI}, §4.3, Guest Policy"
)
MASKED_CHIP = Words(
    'With MaskChipId set, CHIP_ID is "set to 0h"; version 2 has no field for the processor.',
    f"{REPORT}, CHIP_ID",
)
DEBUG = Words('Bit 19: "0: Debugging is disallowed. 1: Debugging is allowed."', POLICY.source)
MIGRATION = Words(
    'Bit 18: "0: Association with a migration agent is disallowed. 1: Association with a migration '
    'agent is allowed"; REPORT_ID_MA: "Report ID of this guest\'s migration agent."',
    f"{POLICY.source}; {REPORT}",
)
LENGTH = Words("The structure ends at 0x4A0; reserved bytes are zero.", REPORT)
SIGNED = Words('"Signature of bytes 0 to 0x29F inclusive of this report."', REPORT)
VERSION = Words("The versions laid down are 2 to 5; none says what version 6 would mean.", REPORT)
PROCESSOR = Words(
    "Family 19h, models 00h to 0Fh are Milan, 10h to 1Fh and A0h to AFh Genoa, Bergamo and Siena, "
    "all under Genoa's ARK; family 1Ah, models 00h to 11h are Turin.",
    f"{KDS}, Determining the Product Name; Linux and snpguest have the same ranges",
)
PRODUCT_NAME = Words(
    "productName is an IA5String that names the product that the certificate is for.",
    f"{KDS}, VCEK and VLEK extensions",
)
VLEK = Words(
    "A VLEK is certified by the ASVK of its product, which the ARK certifies.",
    f"{KDS}, VLEK certificate chain",
)
VALIDITY = Words(
    '"The certificate validity period includes the current time."', "RFC 5280, §6.1.3 (a) (2)"
)
CRL_CURRENT = Words(
    '"If the current time is after the value of the CRL next update field", the list is to be '
    "obtained again; thisUpdate is when it was issued.",
    "RFC 5280, §6.3.3 (a) (1) and §5.1.2.4",
)
CRL_USE = Words(
    "A certificate whose serial number its issuer's CRL lists is revoked.", "RFC 5280, §6.3.3 (i)"
)
OUTER_ALGORITHM = Words(
    '"This field MUST contain the same algorithm identifier as the signature field in the sequence '
    'tbsCertificate."',
    "RFC 5280, §4.1.1.2",
)
DER = Words(
    "One value has one encoding: lengths and integers are minimal, nothing follows.",
    "ITU-T X.690, §10; RFC 5280, §4.1",
)
COMPONENTS = Words(
    '"Compare SVNs in TEE TCB SVN array retrieved from TD Report in Quote (from index 0 to 15 if '
    "TEE TCB SVN at index 1 is set to 0, or from index 2 to 15 otherwise) with the corresponding "
    'values of SVNs in tdxtcbcomponents array", and, of the level found, "read tcbStatus assigned '
    'to this TCB level"; step 5 is "additional TCB status evaluation for TDX module".',
    f"{PCS}, steps 3.c and 5",
)
REVOKED = Words(
    'Revoked: "TCB level of SGX platform is revoked. The platform is not trustworthy."',
    f"{PCS}, tcbStatus",
)
WINDOW = Words(
    "issueDate is when a document was created, nextUpdate by when the next one is issued.",
    f"{PCS}, issueDate and nextUpdate",
)
PCEID = Words(
    "The PCEID of the TCB information must be that of the PCK certificate.",
    "Intel Quote Verification Library, TCB_INFO_MISMATCH",
)
FRAME = Words(
    "A quote's outer certification data has type 6 and its own size, and holds exactly the QE "
    "report's parts; the inner has type 5, the PCK chain in PEM.",
    f"{QUOTE}, QE Certification Data",
)
RESERVED_HEAOUTER_ALGORITHM = Words(
    '"This field MUST contain the same algorithm identifier as the signature field in the sequence '
    'tbsCertificate."',
    "RFC 5280, §4.1.1.2",
)
BODY_4 = Words("Body types 2, 3 and 4 are TD reports.", f"{QUOTE}, TD Quote Body Descriptor")
SERVED = Words(
    "The chain of the PCK CRL's issuer comes with the list, beside the chain in the quote.",
    "Intel PCS API v4, Get PCK CRL, SGX-PCK-CRL-Issuer-Chain",
)
TD_DEBUG = Words(
    "DEBUG, bit 0: the TD's state can be read and changed by its host.",
    "Intel TDX Module ABI, ATTRIBUTES",
)
MIGRATABLE = Words(
    "MIGRATABLE, bit 29: the TD may be migrated by its host with a migration TD.",
    "Intel TDX Module ABI, ATTRIBUTES",
)
RELAUNCH = Words(
    "For body type 3 the module that runs now, TEE_TCB_SVN2, is evaluated beside the one that the "
    "TD was launched on; where only the latter is out of date the rating is TDRelaunchAdvised.",
    "Intel Quote Verification Library, TCB evaluation",
)
SEPT_VE = Words(
    "SEPT_VE_DISABLE is an attribute that a TD may have; no step of the rating looks at it.",
    "Intel TDX Module ABI, ATTRIBUTES; Intel Quote Verification Library",
)
ANCHOR = Words(
    "The trust anchor is an input of the algorithm, not a part of the path; a self-signed "
    "certificate that came along need not be used.",
    "RFC 5280, §6.1 and §6.1.1 (d)",
)
ATTRIBUTES = Words(
    "A bit of ATTRIBUTES or XFAM that is not defined is reserved and zero.",
    "Intel TDX Module ABI, ATTRIBUTES and XFAM",
)
