# SPDX-License-Identifier: Apache-2.0
"""Stands in for the vsock device: listens where qemu would connect, and where the host does."""

import socket
import sys
import time
from pathlib import Path


def main() -> None:
    given = dict(word.split("=", 1) for word in sys.argv[2].split(","))
    with socket.socket(socket.AF_UNIX) as vhost, socket.socket(socket.AF_UNIX) as vsock:
        vsock.bind(str(Path(given["uds-path"])))
        vsock.listen()
        vhost.bind(given["socket"])
        vhost.listen()
        while True:
            link, _ = vsock.accept()
            with link:
                link.recv(64)
                link.sendall(b"OK 1\n")
            time.sleep(0.01)


if __name__ == "__main__":
    main()
