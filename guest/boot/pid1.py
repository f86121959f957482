# SPDX-License-Identifier: Apache-2.0
"""The first process of the confidential VM: what is done, in which order, before the guest runs.

Each step may end the machine (`guest.boot.reasons`); none can be left out or chosen from outside.
First the kernel's file systems and the journal, so that what follows can be told; then the command
line is compared with what was published, and the kernel's switches are set; only then what the host
attached is looked at: document, disks and interfaces, model. Then the root is closed, and there is
no way to write to it; then come the guest's own self-test, and the guest.

Nothing is imported or opened later that the root file system would have to be written for.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Final

from guest import config, faults, selftest
from guest.boot import (
    devices,
    entry,
    environment,
    model,
    modules,
    mounts,
    published,
    sink,
    switches,
)
from guest.boot.power import PowerOff
from guest.boot.published import Published
from guest.boot.reasons import BootError, Reason
from guest.config import ConfigError, GuestConfig
from guest.door import Process
from guest.init import Init, LackingError
from guest.worker.tasks import prompts_digest

PORT: Final = 5000  # of this machine, for whoever the host lets in
BACKLOG: Final = 128


def main() -> None:
    """Be PID 1. There is no coming back: the machine is off then."""
    faults.install(Process.INIT)
    with PowerOff():
        boot()


def boot() -> None:
    """Come up and serve until told to stop.

    Raises:
        BootError: this machine must not serve.
    """
    mounts.mount(mounts.DEVICES)
    sink.into_nothing()
    mounts.mount(mounts.PROC)
    mounts.mount(mounts.SYS)
    modules.load_all()
    sink.to_the_host()
    for what in mounts.BELOW_SYS:
        mounts.mount(what)
    environment.verify(os.environ, sys.argv)
    image = verify_image()
    switches.limit_self()
    switches.set_all(switches.switches(image.variant))
    document, sealed = take_disks(image)
    mounts.close()
    serve(document, sealed, unmade=make_entry())


def verify_image() -> Published:
    """What the image publishes, if the kernel's command line is that.

    Raises:
        BootError: it is not, or it cannot be read.
    """
    try:
        said = published.read_file(published.FILE, published.FILE_MAX_BYTES)
        shown = published.read_file(published.CMDLINE, published.CMDLINE_MAX_BYTES)
    except OSError as error:
        raise BootError(Reason.PUBLISHED, error.errno or 0) from error
    image = published.parse_published(said)
    published.verify_cmdline(shown, image.cmdline)
    return image


def take_disks(image: Published) -> tuple[bytes, int]:
    """The configuration document and the sealed model, if they are for this image.

    Raises:
        BootError: they are not, or another device is there.
    """
    wanted = published.parse_model(image.cmdline)
    try:
        document = devices.read_document()
        read = config.parse_config(document)
        verify_document(read, image, wanted)
        bundle = devices.names_bundle(read.stapling.endorsements)
        disks, interfaces = devices.look()
        devices.verify(disks, interfaces, model_bytes=wanted.size, bundle=bundle)
        if bundle:
            devices.give_bundle()
        return document, model.take(devices.open_disk(devices.MODEL), wanted)
    except OSError as error:
        raise BootError(Reason.DEVICES, error.errno or 0) from error
    except ConfigError as error:
        raise BootError(Reason.DOCUMENT) from error


def verify_document(read: GuestConfig, image: Published, wanted: published.Model) -> None:
    """Check that the document is for this image and its model.

    Raises:
        BootError: it is for another one.
    """
    if read.variant is not published.STATED[image.variant]:
        raise BootError(Reason.VARIANT)
    if read.model.digest != wanted.digest:
        raise BootError(Reason.MODEL)


def make_entry() -> BootError | None:
    """Make the TSM's entry; what stands in the way is raised once the self-test has been told."""
    try:
        entry.make()
    except BootError as error:
        return error
    return None


def serve(document: bytes, sealed: int, *, unmade: BootError | None) -> None:
    """Test, listen, and be init.

    Raises:
        BootError: no platform, nobody to listen to, or a production guest that lacks something.
    """
    lacking = selftest.lacking()
    if unmade is not None:
        raise unmade
    try:
        init = Init(
            document,
            model=sealed,
            prompts=prompts_digest(),
            lacking=lacking,
            listener=listen(),
            adopts=True,
        )
    except LackingError as error:
        raise BootError(Reason.LACKING) from error
    init.run()


def listen() -> socket.socket:
    """The gate's socket.

    Raises:
        BootError: there is no vsock.
    """
    try:
        listener = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        listener.bind((socket.VMADDR_CID_ANY, PORT))
        listener.listen(BACKLOG)
    except OSError as error:
        raise BootError(Reason.LISTENER, error.errno or 0) from error
    return listener
