# SPDX-License-Identifier: Apache-2.0
"""The zygote and its workers, scannable."""

from guest.worker.__main__ import main
from tests.flow.programs.scannable import POLICY

if __name__ == "__main__":
    main(POLICY)
