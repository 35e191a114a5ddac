"""What client and server agree on: ops with their rules, dtypes, messages, sessions, errors. No I/O: no socket, thread
or clock.
"""

__version__ = "0.1.0"
