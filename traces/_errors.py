"""Every error that tachograph raises on purpose.

TachographError
├── InputError      what was given cannot be used: a task, a URL, a run id, a flag      exit 2
├── StoreError      a record cannot be written, read or trusted                         exit 3
├── ProxyError      the proxy cannot start: busy port, unknown host, missing key        exit 4
└── LaunchError     an agent, a check or a local model cannot be started                exit 5

The message is for the person at the keyboard: what happened, where, and what to do. The command line prints it and exits
with the class's code; a library user catches the class.
"""

__all__ = ["InputError", "LaunchError", "ProxyError", "StoreError", "TachographError"]


class TachographError(Exception):
    """The root of the tree."""

    exit_code: int = 1
    """What the command line exits with."""


class InputError(TachographError):
    """What was given cannot be used."""

    exit_code = 2


class StoreError(TachographError):
    """A record cannot be written, read or trusted."""

    exit_code = 3


class ProxyError(TachographError):
    """The proxy cannot start."""

    exit_code = 4


class LaunchError(TachographError):
    """An agent, a check or a local model cannot be started."""

    exit_code = 5
