"""Which upstream the command line means, and with which key."""

import contextlib
import ipaddress
import os
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ..proxy import ProxySettings, UpstreamAddress
from ..traces import InputError, ProxyError, read_rules, secrets_of_environment
from ._local_model import LocalModel
from ._upstreams_file import load_upstreams, proxy_of_environment

__all__ = ["chosen_upstream", "refuse_without_key", "settings_from", "upstream_key"]

LOCAL: Final = "local"
_KEY_VARIABLES: Final = ("TACHOGRAPH_UPSTREAM_KEY", "OPENAI_API_KEY")


@contextlib.contextmanager
def chosen_upstream(options: Namespace) -> Iterator[tuple[UpstreamAddress | None, str | None]]:
    """The one upstream's address, and its own model name if it is the one on this machine, which is started and stopped.

    None for the address if there is only a file of several.

    Raises:
        InputError: the URL is none, or nothing is given.
        LaunchError: the local model cannot be started.
    """
    if options.upstream is None and options.upstreams is None:
        raise InputError("give --upstream URL, or --upstreams FILE with several")
    if options.upstream != LOCAL:
        yield (None if options.upstream is None else UpstreamAddress.parse(options.upstream)), None
        return
    with LocalModel() as model:
        yield UpstreamAddress.parse(model.url), model.model


def upstream_key(key_file: Path | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """The upstream's key: from the file, else from the environment; None if there is none.

    Raises:
        InputError: the file cannot be read, or holds no key.
    """
    if key_file is not None:
        try:
            key = key_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"--key-file {key_file}: cannot be read: {error}") from error
        if not key:
            raise InputError(f"--key-file {key_file}: is empty")
        return key
    return next((environment[name] for name in _KEY_VARIABLES if environment.get(name)), None)


def refuse_without_key(settings: ProxySettings) -> None:
    """Refuse a run that cannot succeed: its agent holds a run key only, and a remote upstream wants one of its own.

    Raises:
        ProxyError: there is no key, and the upstream is not on this machine.
    """
    for upstream in settings.all_upstreams:
        if upstream.key is None and not _is_loopback(upstream.address.host):
            hint = "set TACHOGRAPH_UPSTREAM_KEY or OPENAI_API_KEY, or give --key-file"
            where = hint if upstream.address is settings.upstream else f"give {upstream.name} a key_env or key_file"
            raise ProxyError(f"no key for {upstream.address.base}: {where}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def settings_from(options: Namespace, address: UpstreamAddress | None, **others: Any) -> ProxySettings:
    """The proxy's settings, as the command line and the environment give them.

    Raises:
        InputError: the file of upstreams, or what the environment says of proxies, cannot be used.
    """
    return ProxySettings(
        upstream=address,
        upstreams=() if options.upstreams is None else load_upstreams(options.upstreams),
        store=options.store,
        # A model on this machine wants no key, and the environment's is none of its business.
        upstream_key=None if options.upstream == LOCAL else upstream_key(options.key_file),
        ca_file=options.ca_file,
        upstream_proxy=None if address is None else proxy_of_environment(address),
        usage=options.usage,
        bodies=options.bodies,
        redact_rules=read_rules(options.redact_rules) if options.redact_rules else (),
        secrets=tuple(secrets_of_environment(os.environ)),
        sync=options.sync,
        propagate_context=options.propagate_context,
        **others,
    )
