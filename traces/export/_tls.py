"""The certificates of a destination."""

import ssl

from .._errors import InputError
from ._destination import Destination

__all__ = ["tls_context"]


def tls_context(destination: Destination) -> ssl.SSLContext | None:
    """What to trust and to show; None for an address without TLS.

    Raises:
        InputError: a file cannot be read, or holds no certificate.
    """
    if not destination.url.startswith("https:"):
        return None
    context = ssl.create_default_context()
    try:
        if destination.certificate:
            context = ssl.create_default_context(cafile=destination.certificate)
        if destination.client_certificate:
            context.load_cert_chain(destination.client_certificate, destination.client_key)
    except (OSError, ssl.SSLError) as error:
        given = ", ".join(
            filter(None, (destination.certificate, destination.client_certificate, destination.client_key))
        )
        raise InputError(f"{given}: cannot be used as certificates: {error}") from error
    return context
