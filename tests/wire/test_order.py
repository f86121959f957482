# SPDX-License-Identifier: Apache-2.0
"""Objects that can be used once: the table is obeyed, and a failed step breaks the object."""

from typing import ClassVar

import pytest

from wire.errors import SpentError
from wire.order import NEW, SPENT, Order, Ordered


class Match(Ordered):
    """Strikes once."""

    ORDER: ClassVar[Order] = {"strike": {NEW: SPENT}}

    def strike(self, *, wet: bool = False) -> str:
        with self.step("strike"):
            if wet:
                raise ValueError("wet")
            return "flame"


def test_the_second_use_is_refused() -> None:
    match = Match()
    assert match.strike() == "flame"
    with pytest.raises(SpentError, match=r"Match\.strike: not possible while spent"):
        match.strike()


def test_a_step_that_failed_cannot_be_tried_again() -> None:
    match = Match()
    with pytest.raises(ValueError, match="wet"):
        match.strike(wet=True)
    with pytest.raises(SpentError) as caught:
        match.strike()
    assert (caught.value.step, caught.value.state) == ("Match.strike", "broken")
