# SPDX-License-Identifier: Apache-2.0
"""Launch measurements as files: what `sealroom measure` writes and `sealroom explain` reads.

A measurement file ("sealroom-measurement/1") has the launch, that is every input or its hash, and
what follows from it. It is accepted only if measuring that launch again gives the very same file,
so that nobody explains a difference from a value that was edited. Files of firmware, kernel and
initrd are not needed to read one.
"""

from __future__ import annotations

import re
from dataclasses import asdict

from attest.closed import Notation, read_record, write_record
from attest.difference import Hypothesis, Input, Proof
from attest.errors import FormatError, UnsupportedError
from attest.evidence import EVIDENCE_MAX_BYTES, parse_evidence
from attest.snp.launch import explain as snp_explain
from attest.snp.launch.digest import Launch as SnpLaunch
from attest.snp.launch.digest import launch_digest
from attest.snp.report import ReportV2, parse_report
from attest.statement import Platform
from attest.tdx.launch import explain as tdx_explain
from attest.tdx.launch.registers import Launch as TdxLaunch
from attest.tdx.launch.registers import Register, registers
from attest.tdx.quote import parse_quote
from wire.errors import FormatError as JsonError
from wire.strictjson import load_json

FORMAT = "sealroom-measurement/1"
MEASUREMENT_MAX_BYTES = EVIDENCE_MAX_BYTES
LAUNCH_DIGEST = "launch digest"

Launch = SnpLaunch | TdxLaunch
Json = dict[str, object]
# What was measured, by the name of the digest or register.
Values = dict[str, bytes]

_DIGEST = re.compile(r"[0-9a-f]{96}", re.ASCII)


def inputs(launch: Launch) -> tuple[Input, ...]:
    """Everything that is measured of a launch."""
    if isinstance(launch, SnpLaunch):
        return snp_explain.measured_inputs(launch)
    return tdx_explain.measured_inputs(launch)


def values(launch: Launch) -> Values:
    """What a report or a quote of a guest that is launched so must say."""
    if isinstance(launch, SnpLaunch):
        return {LAUNCH_DIGEST: launch_digest(launch)}
    return {str(name): value for name, value in registers(launch).items()}


def measurement_json(launch: Launch) -> Json:
    """The measurement file of a launch, as data."""
    platform = Platform.SEV_SNP if isinstance(launch, SnpLaunch) else Platform.TDX
    return {
        "format": FORMAT,
        "platform": str(platform),
        "launch": write_record(launch, Notation.JSON),
        "inputs": [asdict(item) for item in inputs(launch)],
        "values": {name: value.hex() for name, value in values(launch).items()},
    }


def read_measurement(data: bytes) -> Launch:
    """The launch of a measurement file.

    Raises:
        FormatError: it is not one, or says something that does not follow from its launch.
    """
    document = _load(data)
    if document.get("format") != FORMAT:
        raise UnsupportedError("measurement", None, f"wanted the format {FORMAT}")
    launch = _read_launch(document)
    if measurement_json(launch) != document:
        raise FormatError("measurement", None, "its values do not follow from its launch")
    return launch


def read_digest(text: str) -> Values | None:
    """A launch digest in hexadecimal; None when ``text`` is something else, as a file's name."""
    return {LAUNCH_DIGEST: bytes.fromhex(text)} if _DIGEST.fullmatch(text) else None


def read_got(data: bytes) -> Launch | Values:
    """What was got: a measurement file, an evidence object, an SNP report or a TDX quote.

    Nothing in it is verified.

    Raises:
        FormatError: it is none of these.
    """
    if data[:1] == b"{":
        if _load(data).get("format") == FORMAT:
            return read_measurement(data)
        data = parse_evidence(data)[0].report
    if len(data) == ReportV2.SIZE:
        return {LAUNCH_DIGEST: parse_report(data).measurement}
    body = parse_quote(data).body
    return {str(name): getattr(body, name) for name in Register}


def explain(
    expected: Launch, got: Launch | Values, others: tuple[Launch, ...] = ()
) -> tuple[Hypothesis, ...]:
    """Why ``got`` is not what was expected; nothing when it measures the same.

    Args:
        expected: how the guest should have been launched.
        got: how it was launched, or what was measured of it.
        others: launches whose artefacts are tried, too.

    Raises:
        FormatError: they are of different platforms.
    """
    if not isinstance(got, dict):
        return _compare(expected, got)
    if isinstance(expected, SnpLaunch) and LAUNCH_DIGEST in got:
        snp = tuple(other for other in others if isinstance(other, SnpLaunch))
        return snp_explain.explain(expected, got[LAUNCH_DIGEST], snp)
    if isinstance(expected, TdxLaunch) and LAUNCH_DIGEST not in got:
        tdx = tuple(other for other in others if isinstance(other, TdxLaunch))
        return tdx_explain.explain(expected, {name: got[name] for name in Register}, tdx)
    raise _other_platform()


def _compare(expected: Launch, got: Launch) -> tuple[Hypothesis, ...]:
    """The one explanation there is when both launches are known."""
    if values(expected) == values(got):
        return ()
    if isinstance(expected, SnpLaunch) and isinstance(got, SnpLaunch):
        changes = snp_explain.compare(expected, got)
    elif isinstance(expected, TdxLaunch) and isinstance(got, TdxLaunch):
        changes = tdx_explain.compare(expected, got)
    else:
        raise _other_platform()
    why = "both launches are known, and this is all that differs"
    return (Hypothesis(Proof.REPRODUCED, changes, why),)


def _other_platform() -> FormatError:
    return FormatError("measurement", None, "one is of SEV-SNP and the other is of TDX")


def _load(data: bytes) -> Json:
    try:
        document = load_json(data, what="measurement", max_bytes=MEASUREMENT_MAX_BYTES)
    except JsonError as error:
        raise FormatError("measurement", error.offset, error.problem) from error
    if not isinstance(document, dict):
        raise FormatError("measurement", None, "wanted an object")
    return document


def _read_launch(document: Json) -> Launch:
    launch = document.get("launch")
    if document.get("platform") == Platform.SEV_SNP:
        return read_record(SnpLaunch, launch, "launch", Notation.JSON)
    return read_record(TdxLaunch, launch, "launch", Notation.JSON)
