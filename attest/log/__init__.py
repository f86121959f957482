# SPDX-License-Identifier: Apache-2.0
"""Transparency logs (C2SP): whether something was published where everybody could see it.

A proof is one text file that is verified offline, against a policy that names logs, witnesses and
how many of these must have seen the log's tree. Nothing here talks to a log.
"""
