"""Keeping what this process knows out of core files, of other programs' reach, and of the programs that it starts."""

import ctypes
import os
import resource
from collections.abc import Iterable, Mapping
from typing import Final

from ..traces import ProxyError, secrets_of_environment

__all__ = ["forget_environments_secrets", "keep_memory_private", "without_secrets"]

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


def without_secrets(environment: Mapping[str, str], others: Iterable[str] = ()) -> dict[str, str]:
    """What a program that needs no key gets of an environment: any program of the same user may look into its own.

    Args:
        environment: loses what looks like a secret by its name.
        others: values that are secrets, whatever their names are.
    """
    secrets = (*secrets_of_environment(environment), *others)
    return {name: value for name, value in environment.items() if not any(secret in value for secret in secrets)}


def forget_environments_secrets(others: Iterable[str]) -> None:
    """Have no program that this process starts from here on inherit a secret. Whatever is needed has been read."""
    for name in os.environ.keys() - without_secrets(os.environ, others).keys():
        del os.environ[name]
