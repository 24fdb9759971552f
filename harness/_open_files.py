"""Room for many connections: each takes two open files, one to the agent and one to the upstream."""

import resource
from contextlib import suppress

__all__ = ["allow_many_files"]


def allow_many_files() -> None:
    """Raise the limit of open files as far as this process may: shells begin with 1,024, which is 500 streams."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # some systems allow less than they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
