# SPDX-License-Identifier: Apache-2.0
"""The captured gate that makes two workers under one number."""

from lab.attack.programs.captured_gate import main

if __name__ == "__main__":
    main("fork", "twice")
