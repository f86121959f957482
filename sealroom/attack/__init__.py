# SPDX-License-Identifier: Apache-2.0
"""`sealroom attack`: attacks that run live against a deployment, and what came of each.

An attack is a row (`attack.Attack`): a name, a reference, what it tries, which defence stands
against it, what it needs, and a function. The rows here need a relay and a trust file and nothing
else. Rows that need the inside of a deployment are in the package `lab`, which `lab_part` finds at
run time where it is installed; nothing here imports it.
"""
