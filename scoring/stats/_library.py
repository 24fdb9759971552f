"""scipy, and numpy that comes with it, are an extra: only what needs them asks for them."""

from collections.abc import Iterator
from contextlib import contextmanager

from ...traces import InputError

__all__ = ["needing_scipy"]


@contextmanager
def needing_scipy() -> Iterator[None]:
    """Say what to install where an import within fails.

    Raises:
        InputError: scipy or numpy cannot be imported.
    """
    try:
        yield
    except ImportError as error:
        raise InputError(
            f"intervals and tests need scipy, which cannot be imported ({error}): pip install 'tachograph[stats]'"
        ) from error
