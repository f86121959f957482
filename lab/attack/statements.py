# SPDX-License-Identifier: Apache-2.0
"""Attacks by a perfect platform that vouches for the wrong thing, and by mocks for production.

Nothing is wrong with the hardware here: what it vouches for, or whose it is, is not what the device
wants.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from attest import Reason
from attest.endorsements import Endorsements, SnpEndorsements
from attest.roots import Roots, pinned_roots
from attest.statement import Platform, Statement, Variant
from lab.attack.impostor import Impostor, Stating, caught
from lab.attack.site import LabSite
from lab.documents import GuestPlan
from lab.mocktsm import MockSnp
from sealroom.attack.attack import Attack, Needs, UnclearError, Verdict
from sealroom.attack.evidence import sent_to
from sealroom.attack.middle import Middle
from sealroom.attack.own_key import OwnKey
from sealroom.attack.target import Target
from sealroom.trust import Trust

GENOA: Final = "Genoa"


def production(trust: Trust, *, roots: Roots | None = None) -> Trust:
    """The same demands, but of a production image; with other roots, if any are given."""
    statement = replace(trust.policy.statement, variants=frozenset({Variant.PRODUCTION}))
    policy = replace(trust.policy, statement=statement)
    return replace(trust, policy=policy, roots=trust.roots if roots is None else roots)


def any_chip(trust: Trust) -> Trust:
    """The same demands, but of no chip in particular."""
    snp = trust.policy.snp
    if snp is None:
        raise UnclearError("no demands of SEV-SNP")
    return replace(trust, policy=replace(trust.policy, snp=replace(snp, chips=None)))


async def mock_for_production(site: LabSite) -> Verdict:
    """The real evidence of the deployment, shown to a device with the pinned roots."""
    target = site.target
    trust = production(target.trust, roots=pinned_roots())
    given = Target(target.relay, trust)
    reasons = (Reason.UNKNOWN_ISSUER, Reason.VEK_SIGNATURE)
    return await sent_to(given, Middle(target.relay), OwnKey(), *reasons)


async def mock_tdx_for_production(_site: LabSite) -> Verdict:
    """A perfect mock quote, shown to a device with the pinned roots."""
    impostor = Impostor(GuestPlan(platform=Platform.TDX))
    trust = production(impostor.trust, roots=pinned_roots())
    reasons = (Reason.UNKNOWN_ISSUER, Reason.PCK_CA_SIGNATURE, Reason.COLLATERAL_ROOT)
    return await caught(impostor, *reasons, trust=trust)


async def research_for_production(_site: LabSite) -> Verdict:
    """A research image, which lets itself be looked into, shown to a production device."""
    impostor = Impostor(stating=lambda said: replace(said, variant=Variant.RESEARCH))
    trust = production(impostor.trust)
    return await caught(impostor, Reason.VARIANT_NOT_ACCEPTED, trust=trust)


async def vek_of_another_chip(_site: LabSite) -> Verdict:
    """The report of one chip with the certificate of another."""

    def swapped(endorsements: Endorsements) -> Endorsements:
        if not isinstance(endorsements, SnpEndorsements):
            raise UnclearError("no endorsements of SEV-SNP")
        return replace(endorsements, vek=MockSnp(seed="another chip").certificate)

    impostor = Impostor(endorsed=swapped)
    return await caught(impostor, Reason.REPORT_SIGNATURE, Reason.CHIP_ID_MISMATCH)


async def old_generation(_site: LabSite) -> Verdict:
    """A perfect Milan, shown to a device that wants Genoa."""
    wanted = Impostor(GuestPlan(line=GENOA)).trust
    impostor = Impostor()
    both = replace(wanted.roots, amd=wanted.roots.amd + impostor.trust.roots.amd)
    trust = replace(any_chip(wanted), roots=both)
    return await caught(impostor, Reason.PRODUCT_NOT_ACCEPTED, trust=trust)


async def _stated(stating: Stating, reason: Reason) -> Verdict:
    return await caught(Impostor(stating=stating), reason)


def _long(said: Statement) -> Statement:
    return replace(said, not_after=said.not_after + 7 * 86400)


def _tdx(said: Statement) -> Statement:
    return replace(said, platform=Platform.TDX)


STATED: Final = (
    (
        "other-model",
        "dstack #615 (what is not measured); CWE-494",
        "run another model",
        lambda said: replace(said, model=bytes(32)),
        Reason.UNKNOWN_MODEL,
    ),
    (
        "other-prompts",
        "dstack #615 (what is not measured)",
        "run with other prompts",
        lambda said: replace(said, prompts=bytes(32)),
        Reason.UNKNOWN_PROMPTS,
    ),
    (
        "other-product",
        "CWE-346",
        "attest another product of the same platform",
        lambda said: replace(said, product="another"),
        Reason.WRONG_PRODUCT,
    ),
    (
        "isolation-lacking",
        "CWE-693",
        "run where the kernel has no Landlock, and say so",
        lambda said: replace(said, lacking=("no-paths-at-all",)),
        Reason.LACKING_NOT_ACCEPTED,
    ),
    (
        "life-too-long",
        "TOB-WAPI-7 (freshness)",
        "attest keys that live for a week",
        _long,
        Reason.STATEMENT_LIFE_TOO_LONG,
    ),
    (
        "platform-mislabelled",
        "CWE-843",
        "vouch with one platform for a statement about the other",
        _tdx,
        Reason.PLATFORM_MISMATCH,
    ),
)


def _stating_row(
    name: str, reference: str, tries: str, stating: Stating, reason: Reason
) -> Attack[LabSite]:
    async def run(_site: LabSite) -> Verdict:
        return await _stated(stating, reason)

    return Attack(name, reference, tries, f"attest.rules: {reason}", run, needs=Needs.LAB)


ATTACKS: Final[tuple[Attack[LabSite], ...]] = (
    Attack(
        "mock-for-production",
        "dstack #563 (simulator reachable in production)",
        "show the evidence of the mock platform to a device with the pinned roots",
        "roots are values, and the mock's are others: attest.roots.pinned_roots",
        mock_for_production,
        needs=Needs.LAB,
    ),
    Attack(
        "mock-tdx-for-production",
        "dstack #563 (simulator reachable in production)",
        "the same with TDX",
        "roots are values, and the mock's are others: attest.roots.pinned_roots",
        mock_tdx_for_production,
        needs=Needs.LAB,
    ),
    Attack(
        "research-for-production",
        "CWE-489 (active debug code)",
        "show a research image to a device that wants production",
        "the variant is attested: attest.rules (B3)",
        research_for_production,
        needs=Needs.LAB,
    ),
    Attack(
        "swapped-endorsements",
        "CWE-295; RFC 9334 §12",
        "staple the certificate of another chip",
        "the certificate's key must have signed: attest.snp.verify (S8)",
        vek_of_another_chip,
        needs=Needs.LAB,
    ),
    Attack(
        "old-generation",
        "arXiv 2605.12990 (Milan root seed)",
        "use a generation of chips whose root of keys was extracted",
        "lines are an allow-list: attest.snp.rules (S3)",
        old_generation,
        needs=Needs.LAB,
    ),
    *(_stating_row(*row) for row in STATED),
)
