# SPDX-License-Identifier: Apache-2.0
"""Transcripts of the command line: what is typed, what is printed, how it exits."""
