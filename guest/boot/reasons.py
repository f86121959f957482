# SPDX-License-Identifier: Apache-2.0
"""Why a virtual machine was switched off, by numbers that never change: its last journal event."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final


class Reason(IntEnum):
    """All there are (`MEANINGS`). Where the kernel had an errno for it, that is the ``code``."""

    STOPPED = 0
    FAULT = 1
    MOUNTS = 2
    MODULES = 3
    ENVIRONMENT = 4
    PUBLISHED = 5
    CMDLINE = 6
    DEVICES = 7
    DOCUMENT = 8
    VARIANT = 9
    MODEL = 10
    SWITCHES = 11
    PROVIDER = 12
    LACKING = 13
    LISTENER = 14


MEANINGS: Final[Mapping[Reason, str]] = {
    Reason.STOPPED: "init was told to stop",
    Reason.FAULT: "an exception that nobody foresaw; the event before says where",
    Reason.MOUNTS: "a file system of the kernel could not be mounted, or not closed",
    Reason.MODULES: "a kernel module of the image could not be loaded",
    Reason.ENVIRONMENT: "the kernel was given a word that it made a variable or an argument",
    Reason.PUBLISHED: "what the image says of itself cannot be read",
    Reason.CMDLINE: "the kernel's command line is not the published one",
    Reason.DEVICES: "a disk or network interface too few, too many, or another",
    Reason.DOCUMENT: "the configuration document cannot be used",
    Reason.VARIANT: "the document is for another variant than this image",
    Reason.MODEL: "the model is not the one of the command line",
    Reason.SWITCHES: "a setting of the kernel could not be made",
    Reason.PROVIDER: "no platform vouches for this machine (6, ENXIO: no driver found one)",
    Reason.LACKING: "a production guest lacks something; the events before say what",
    Reason.LISTENER: "there is no vsock to listen on",
}


class BootError(Exception):
    """This machine must not serve."""

    def __init__(self, reason: Reason, code: int = 0) -> None:
        super().__init__(f"{reason.name.lower()}, errno {code}")
        self.reason = reason
        self.code = code
