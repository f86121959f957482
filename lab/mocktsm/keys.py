# SPDX-License-Identifier: Apache-2.0
"""The mock authorities' RSA-4096 keys, whole and public: MOCK, worth nothing, never to be trusted.

They are constants because a mock platform must mint the same bytes each time. Each modulus is the
product of eight primes of 512 bits: that makes signing in Python thirty times as fast, a verifier
sees an ordinary key, and weakness is no loss in a key that is public. The exponent is 65537.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

EXPONENT = 65537


@dataclass(frozen=True, slots=True)
class RsaKey:
    """An RSA key by its primes."""

    primes: tuple[int, ...]

    @property
    def modulus(self) -> int:
        """The public modulus."""
        return prod(self.primes)

    def power(self, message: int) -> int:
        """The private operation (RFC 8017 §5.2.1), by the Chinese remainder theorem."""
        signature = 0
        for prime in self.primes:
            others = self.modulus // prime
            part = pow(message, pow(EXPONENT, -1, prime - 1), prime)
            signature += others * (part * pow(others, -1, prime) % prime)
        return signature % self.modulus


def _key(text: str) -> RsaKey:
    halves = text.split()
    pairs = zip(halves[::2], halves[1::2], strict=True)
    return RsaKey(tuple(int(high + low, 16) for high, low in pairs))


ARK = _key(
    """
    fbd1c08ba1ea39ba5124fc7276c91b2563e22ad8effde469080c9acf5d8203fd
    3a8ebbbdb42e7c018f79e5d1994a3a324312109295b2176f38ba4f1a02ce48dd
    f576b2e33f539e2d972c123aa9c5b7a5f4ae869bfe465a7c55dc8311aaf838c5
    5c93538735d8f010c314a61ed6bddc39dae0036d02d300281edabd44d55f4c47
    fb17a0c9a9597d113fe1b4c7439e44f0439738103cb94141b2cd90f3a7f44f65
    dc41a31f0e307a96a1f8fb8c076ca0ada8a65a43dee6998d4d7c3d17fd41308f
    ecd871463549df705fa03c285184ab91a28be8425a801d79f5d08d459362a216
    cf461bde3a4404a5abc07211fb95d8e4bf133ad0bbb4dda3b6bd2abeaddbc89f
    f425320a05b4ec76a479ebea5aeed071e446340d76f43fd113c8b50cd75ea056
    73b6e8c0e484b1f6feb5651d80d4e9045216458f34853f51109e0a7eb66b52cf
    f257a2a6b00993f43d557d2bb289da4d74dbc23a28f3232bb858e21e38ce0f03
    38d987e94e94205fbcd11fd5b337bacd8144610de7010defa8c763170ca654cb
    f254a95a59b0e666c6fab4bdab857b97b9572217d6a1848e1a91b70bc15e5e7e
    39e8883e248743941f6bd96d719215ae30217d4e2d660c98472d69d2f3807687
    f7e637aee08355e2bf7c0033d61032e06d2ebf56c3fa2e9a3ac53e8cbdee91c9
    e4a762879ca5a8fd34e0181151864fcce4eea893d7c14cecb660972e5c2451f7
    """
)
ASK = _key(
    """
    f89235d8d720e91ccf96040e077df4b4e399f888c6edf6aff251ea8ccd6dabd6
    2e8bf92034ff89056bc7fbaa81b0976cf91f4864113105f3d3fba3387f2aae0d
    f674fac1e61013d63cc61f2e8280438014a6ff505a95a5d745176269119c85d8
    e3eaaeda969bf06df3d6d249b8329d7d4241f2faa3e790ed20beab2e285417c9
    f33132b897dd7e87f2a8877b73c9b7c4e696e1b566a250ad400ff1e68c487802
    396b30bf15030cdd5e67d77806532321a238c60b8c58816f8951ce57e4172bfb
    ebc56a540a45019e19fd7e7bb6c2dfed42cec48c2bde67acc1207ccf815385e0
    287293e9c1d41044f0ef79ef6ae781d608ab280b0c169c6f63b68e61aba99c47
    ed4130087442fbfca2a9201b49d6fd32a5f167d660a163c469a0b0b38fb6c2d9
    81821786f385be622f124b719a6aebacffb72aa4eb029dbf286682c1047982f5
    ffb20e37b9303ea367fed8e6b5bf4c606b03ad05ce9afe993e54dd6c7ceb7166
    ab75b5fc7b1ead763157ec90de33dc038cacc384b40cdbab3cb9b6a2099e5071
    fd1c2388f011fd123cc6423c7e6c2a7080a749270c051b38d1ec6cf890a541ca
    d3ae0bb08373c76031216f89800e3769d0627599db1b7f6d567bcb3bc650bd7f
    f7171ad25387378373a16769de7cc2a30251d911ab598705a09feedcec6b6339
    4ca56d34180f71b9902a496801b88d690e0f2dee0d74792ef1954f94127ca4db
    """
)
ASVK = _key(
    """
    f7a7e1ad5af0bc83f1474828b3f0925b86e3bcc79d4a5e62ae803c6c4cad55f9
    7b6b003e278b30c7527714ad04736a2b555e8a9254b2fc54c6e3969b7b874505
    ffee62d201fbe8339284717275d409ee43b16d6eb671ba9664c5218c1c7e3a28
    b234353f68fa979c43425d7b8a3d059152ccb4173b6e2512d0318f0ef15e5ea7
    fc4f60af3e7c227a22ae55fd8185514330f5907bd74311ccdd16158da201452b
    1f83dc4918e4fc9ea56a8620858c544fc771375d15074112a84711109e14a703
    f3c496cc926de56704b03db993a8f752fb4982021ffcc13091c13cbe93cb5cd6
    ffffa00a2cb2d995016ffb679c0ea08ca6a38ba07581c4fcc717374c4bf2208b
    ed613ca1860ce60fab7ebb64385b420ba2c6c6205e3a20c6947aa4307aea9dd0
    73d5d3cda38818aa51b1609e72fe8c60562cdc36fc1177b9b1815f83095f10dd
    f3f8133d31aaa40b98ec33f45a0adcc08bdcdb24a62493321ebbf60232575e4f
    8a715768ccc5c25920f62f470453c8e28b5453e704cbf99ce980331b78cf3f93
    ff78ec9fa4c8bc883284730a59607e51028a90d873122b24d63521b751a05434
    e4635b7d4acc2f04552efbe53f982929521f6f604c6b7c556f3e37087538e395
    fc9030a363e06b94a74c118c4a34afbffed70e59759f2f9b4e9f68299767df84
    efbd2f9df856f2715ec0241b0e6ca87aefac45c6afa38ce8369955b2e78ae9b1
    """
)
