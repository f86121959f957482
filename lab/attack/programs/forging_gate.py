# SPDX-License-Identifier: Apache-2.0
"""The captured gate with the moves that forge births of workers."""

from lab.attack.programs.captured_gate import FORGED, main

if __name__ == "__main__":
    main(FORGED)
