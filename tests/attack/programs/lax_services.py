# SPDX-License-Identifier: Apache-2.0
"""What `lax_relay` and `lax_ingress` do without: tables of paths and media, limits of a body."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from aiohttp import web

from services import limits, pieces, resources, serving

NO_LIMIT_BYTES = 1 << 40
resource = resources.resource


def any_media(_content_types: list[str]) -> resources.Media:
    return resources.CHUNKED


def any_spelling(method: str, raw_path: str) -> resources.Resource:
    return resource(method, raw_path.lower()[:19] if raw_path.startswith("/t/") else raw_path)


def unpacking(self: serving._Connections) -> web.RequestHandler:
    return serving._Connection(
        self,
        loop=asyncio.get_running_loop(),
        logger=self._logger,
        access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to say none
        auto_decompress=True,
    )


def unmeasured(self: pieces.Upload, *arguments: Any) -> None:
    upload(self, *arguments)
    self.length = None  # of what was packed, which is no longer what is passed on


upload = pieces.Upload.__init__


@contextmanager
def lax(module: object) -> Iterator[None]:
    """The service in ``module`` without them."""
    defaults = limits.Limits.__init__.__kwdefaults__
    with ExitStack() as stack:
        stack.enter_context(patch.object(module, "media", any_media))
        stack.enter_context(patch.object(module, "resource", any_spelling))
        stack.enter_context(patch.dict(defaults, body_max_bytes=NO_LIMIT_BYTES))
        stack.enter_context(patch.object(serving._Connections, "__call__", unpacking))
        stack.enter_context(patch.object(pieces.Upload, "__init__", unmeasured))
        yield
