# SPDX-License-Identifier: Apache-2.0
"""Evidence, field by field, for people: one file for each family of forms, `forms` finds which.

What is shown is what the bytes say. Nothing here verifies anything, and each output says so.
"""
