"""Keeping what this process knows out of core files and of other programs' reach."""

import ctypes
import os
import resource
from typing import Final

from ..traces import ProxyError

__all__ = ["keep_memory_private"]

_PR_SET_DUMPABLE: Final = 4
"""`linux/prctl.h`."""


def keep_memory_private() -> None:
    """Have no core file written of this process, and let no other program of its user look into it.

    A process that is not dumpable (prctl(2)) belongs to root as far as /proc is concerned: an agent that runs as the same
    user can read neither its memory nor its environment, where the upstream's key may stand. Programs that it starts are
    dumpable again.

    Raises:
        ProxyError: the kernel refuses.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise ProxyError(f"cannot keep keys out of core files: {os.strerror(ctypes.get_errno())}")
