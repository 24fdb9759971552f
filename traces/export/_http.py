"""OTLP/HTTP: one POST, gzip, TLS. When to repeat it is not decided here."""

import gzip
from collections.abc import Mapping
from typing import Final

import urllib3

from ._answer import Accepted, Answer, Retry, read_http_answer
from ._destination import Destination
from ._profile import FurtherRequest
from ._tls import tls_context

__all__ = ["HttpSender"]

_CONTENT_TYPES: Final[Mapping[str, str]] = {"http/protobuf": "application/x-protobuf", "http/json": "application/json"}
_GZIP_LEVEL: Final = 1
"""Half the time of the usual level, for a tenth more bytes."""
_MOST_READ: Final = 4 * 2**20
"""Bytes of an answer: a collector says little."""


class HttpSender:
    """Posts to one destination, over one connection that is kept."""

    def __init__(self, destination: Destination) -> None:
        """Read the certificates.

        Raises:
            InputError: they cannot be read.
        """
        self._destination = destination
        self._type = _CONTENT_TYPES.get(destination.protocol, "application/json")
        timeout = urllib3.Timeout(total=destination.timeout)
        self._pool = urllib3.PoolManager(
            num_pools=2, retries=False, timeout=timeout, ssl_context=tls_context(destination)
        )

    def send(self, body: bytes) -> Answer:
        """Send spans; a fault of the transport is a `Retry`."""
        headers = {"content-type": self._type}
        if self._destination.compression:
            body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
            headers["content-encoding"] = "gzip"
        answer = self._request("POST", self._destination.url, body, headers)
        return answer if isinstance(answer, Retry) else read_http_answer(*answer)

    def ask(self, request: FurtherRequest) -> Answer:
        """Make a request of a profile. Of an answer that says yes, no more is read."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = self._request(request.method, self._destination.base + request.path, request.body, headers)
        if isinstance(answer, Retry):
            return answer
        status, said, body = answer
        return Accepted() if 200 <= status < 300 else read_http_answer(status, said, body)  # noqa: PLR2004  RFC 9110

    def close(self) -> None:
        """Close the connection."""
        self._pool.clear()

    def _request(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> Retry | tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer."""
        own = {"user-agent": "tachograph", "accept-encoding": "identity", **self._destination.headers, **headers}
        try:
            response = self._pool.request(method, url, body=body, headers=own, redirect=False, preload_content=False)
            try:
                said = response.read(_MOST_READ, decode_content=True)
                if response.read(1):
                    response.close()  # what is left of so long an answer is not wanted
            finally:
                response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return Retry(reason=_told(error))
        return response.status, {name.lower(): value for name, value in response.headers.items()}, said


def _told(error: Exception) -> str:
    """What happened, without the objects that urllib3 puts before it."""
    text = str(getattr(error, "reason", None) or error)
    return f"{type(error).__name__}: {text.rpartition('>: ')[2] or text}"[:300]
