# SPDX-License-Identifier: Apache-2.0
"""The attacks that need the inside of a deployment: its platform, its host, its processes.

`sealroom attack` finds `lab.attack.part` by name (`sealroom.attack.lab_part`) where `lab` is
installed. Nothing is imported here: the programs that run inside a guest are in this package too.
"""
