# SPDX-License-Identifier: Apache-2.0
"""The public prompts: each `.txt` file is, byte for byte, what the model reads before a request.

They are few-shot examples of our own, public and measured (their digest is in the attested
statement). Each ends where a request begins; `guest.worker.tasks` lays the request out in the same
form. Examples carry delimiters like those of requests, which are random.
"""

from pathlib import Path

PREFIX_MAX_BYTES = 16 * 1024


def load_prefix(name: str) -> str:
    """The prefix called `name`: the file `name.txt` of this package.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is longer than `PREFIX_MAX_BYTES`.
    """
    text = Path(__file__).with_name(f"{name}.txt").read_text(encoding="utf-8")
    if len(text.encode()) > PREFIX_MAX_BYTES:
        raise ValueError(f"prefix {name}: wanted at most {PREFIX_MAX_BYTES} bytes, got more")
    return text
