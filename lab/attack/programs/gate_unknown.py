# SPDX-License-Identifier: Apache-2.0
"""The captured gate that says what is in no table."""

from lab.attack.programs.captured_gate import main

if __name__ == "__main__":
    main("unknown")
