"""`tachograph agents`: who is known by name, and who of them is here."""

import argparse
import asyncio
import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..traces import LaunchError
from ._agent import Agent, agent_names, load_agent
from ._loop import run_program
from ._quiet_command import run_quietly
from ._table import print_table

__all__ = ["agents"]

_VERSION: Final = re.compile(r"\d+\.\d+(?:\.\d+)*[\w.+-]*")
_SECONDS: Final = 30.0
"""What a version command may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    agent: Agent
    path: str | None
    """Where its program is; None if it is not installed."""
    version: str | None
    """As it tells it; None if it tells none."""

    @property
    def here(self) -> str:
        if self.path is None:
            return f"not installed: {self.agent.install}" if self.agent.install else "not installed"
        return self.version or "installed"


def agents(options: argparse.Namespace) -> int:
    """Print who can be named after `--agent`."""
    known = run_program(_all_known)
    if options.json:
        print(json.dumps([_described(one) for one in known]))
        return 0
    print_table(("agent", "api", "installed"), [(one.agent.name, one.agent.api or "-", one.here) for one in known])
    return 0


def _described(known: _Known) -> dict[str, str | None]:
    agent = known.agent
    return {
        "name": agent.name,
        "api": agent.api,
        "path": known.path,
        "version": known.version,
        "install": agent.install,
    }


async def _all_known() -> list[_Known]:
    return list(await asyncio.gather(*(_look(load_agent(name)) for name in agent_names())))


async def _look(agent: Agent) -> _Known:
    path = shutil.which(agent.argv[0])
    version = await _version(agent) if path and agent.version else None
    return _Known(agent=agent, path=path, version=version)


async def _version(agent: Agent) -> str | None:
    """What its version command prints first that looks like one. It gets a HOME of its own, and no key."""
    assert agent.version is not None
    with tempfile.TemporaryDirectory(prefix="tachograph-", ignore_cleanup_errors=True) as home:
        env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": home, "TACHOGRAPH_RUN_ID": Path(home).name}
        try:
            outcome = await run_quietly(agent.version, Path(home), env, _SECONDS)
        except LaunchError:
            return None
    found = _VERSION.search((outcome.stdout + outcome.stderr).decode("utf-8", "replace"))
    return found[0] if found else None
