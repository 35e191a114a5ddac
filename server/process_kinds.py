"""The kinds of messages between the server and a session's process.

Owns: `Kind`. Does not know how they travel (`server.channel`).
"""

from __future__ import annotations

from enum import IntEnum


class Kind(IntEnum):
    """What a message is. 1 to 15 go to the process, 16 and up come from it."""

    START = 1  # limits; a file: the ledger, if there is one: the session begins
    FRAME = 2  # items; the body is that of an ITEMS frame
    CANCEL = 3  # through which item
    HOLD = 4  # whether to pause
    UPLOAD = 5  # upload, bytes: a PUT has begun
    WINDOW = 6  # a file: the pieces of memory that both see
    CLOSE = 7
    SAVE = 8  # path, seconds: write what is not lost at a restart of the server
    TELL = 9  # call, error or nil, then what was asked for: published values; perhaps a file
    FILL = 10  # upload, offset, piece, bytes: they are in the piece
    FETCH = 11  # read, start, piece, bytes: put them into the piece
    READY = 16  # devices: names and memory
    REPLIES = 17  # executed, items, report; the body is that of an ITEMS frame
    PROGRESS = 18  # executed, report
    BROKEN = 19  # code, message
    OFFER = 20  # read, bytes
    REFUSE = 21  # read
    WITHDRAW = 22  # read
    DECLARED = 23  # upload, bytes
    OVER = 24  # upload, bytes
    SAVED = 25  # whether it was done; what had come of which upload
    ASK = 26  # call, method, arguments: published values; perhaps a file
    DONE = 27  # piece, bytes: what was asked with FILL or FETCH
