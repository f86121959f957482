# SPDX-License-Identifier: Apache-2.0
"""Chats as people have them, read into messages. No I/O: text comes in as bytes.

Three forms are read, told apart by their first line: the text export of WhatsApp, JSON lines of
`{sender, time, text}`, and plain `Name: text` lines. Anything else is refused with the number of
the line. No error repeats what a line says.
"""

from sealroom.chat.detect import read_chat
from sealroom.chat.lines import Chat, Form

__all__ = ["Chat", "Form", "read_chat"]
