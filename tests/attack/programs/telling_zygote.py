# SPDX-License-Identifier: Apache-2.0
"""The zygote, with the stub, whose workers tell by their word why a request did not open."""

from typing import Any
from unittest.mock import patch

from guest.door import Refusal
from guest.worker import intake, request
from guest.worker.intake import NotOpenedError
from lab.attack.programs.stub import main
from wire.errors import TruncatedError, WireError


def tell(*doors: Any, chunked: bool) -> intake.Intake:
    try:
        return intake._open_chunked(*doors) if chunked else intake._open_whole(*doors)
    except TruncatedError as error:
        raise NotOpenedError(Refusal.DEADLINE) from error
    except WireError as error:
        raise NotOpenedError(Refusal.REFUSED) from error


if __name__ == "__main__":
    with patch.object(request, "open_request", tell):
        main()
