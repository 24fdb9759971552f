"""The upstreams of a proxy, and which of them a call is for."""

import re
from collections.abc import Sequence
from fnmatch import translate

from ._settings import UpstreamSettings
from ._upstream import Upstream

__all__ = ["Upstreams"]


class Upstreams:
    """In the order of their settings: the first that a call is for takes it. No request can name another one."""

    def __init__(self, settings: Sequence[UpstreamSettings]) -> None:
        """Take their settings."""
        self.all = [Upstream(one) for one in settings]
        self._routes = [(_matcher(one.settings.models), _matcher(one.settings.paths), one) for one in self.all]

    def of(self, path: str, model: str | None) -> Upstream | None:
        """The upstream for a path, beginning with `/v1`, and the model asked for, if any; None if there is none for it."""
        for models, paths, upstream in self._routes:
            if (models is None or (model is not None and models.match(model))) and (paths is None or paths.match(path)):
                return upstream
        return None

    async def start(self) -> None:
        """Look the hosts up.

        Raises:
            ProxyError: one of them is not known.
        """
        for upstream in self.all:
            await upstream.start()

    async def stop(self) -> None:
        """Close all connections."""
        for upstream in self.all:
            await upstream.stop()


def _matcher(globs: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(translate, globs))) if globs else None
