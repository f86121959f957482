# SPDX-License-Identifier: Apache-2.0
"""Why a virtual machine was switched off, by numbers that never change: its last journal event."""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """All there are. Where the kernel had an errno for it, that goes beside it as ``code``."""

    STOPPED = 0  # init came to its end: it was told to
    FAULT = 1  # an exception that nobody foresaw; the event before says where
    MOUNTS = 2  # a file system of the kernel could not be mounted, or not closed
    MODULES = 3  # a kernel module of the image could not be loaded
    ENVIRONMENT = 4  # the kernel gave other variables than it gives every init
    PUBLISHED = 5  # what the image publishes of itself cannot be read
    CMDLINE = 6  # the kernel's command line is not the published one
    DEVICES = 7  # a disk or network interface too few, too many, or another
    DOCUMENT = 8  # the configuration document cannot be used
    VARIANT = 9  # the document is for another variant than this image
    MODEL = 10  # the disk's model is not the one of the command line
    SWITCHES = 11  # a setting of the kernel could not be made
    PROVIDER = 12  # no platform vouches for this machine (ENXIO: no driver found one)
    LACKING = 13  # a production guest that lacks something; events before say what
    LISTENER = 14  # nobody can be listened to


class BootError(Exception):
    """This machine must not serve."""

    def __init__(self, reason: Reason, code: int = 0) -> None:
        super().__init__(f"{reason.name.lower()}, errno {code}")
        self.reason = reason
        self.code = code
