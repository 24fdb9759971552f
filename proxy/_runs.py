"""Which run a call belongs to, and the runs that a proxy has open."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final
from urllib.parse import unquote

from ..traces import HashedBody, InputError, RequestHashes, RunRecording, RunStore, Seal, Usage, check_run_id
from ._attempts import Attempts
from ._group_commit import GroupCommit
from ._headers import RUN_HEADER, presented_run_keys, presented_secrets
from ._keys import PREFIX, RunKeys
from ._large_body import LargeBody
from ._refusal import RefusedError
from ._settings import BodyPolicy, ProxySettings

__all__ = ["OpenRun", "OpenRuns", "Tally", "Target", "split_target"]

_TARGET: Final = re.compile(r"(?:/r/(?P<run>[^/?#]*))?(?P<path>/v1(?:/[^?#]*)?)(?:\?(?P<query>[^#]*))?")
_SEPARATOR: Final = re.compile(r"[/\\]")
_MOST_ENCODED: Final = 4
"""Times that a path may be percent-encoded, one of them to see that it is not any more."""
_WRONG_KEY: Final = (401, "invalid_api_key")
_NOT_KNOWN: Final = "this run key is not known here, or its run has ended"
_OF_ANOTHER_RUN: Final = "this run key is of another run than the path names"
_NEEDED: Final = (
    "the key of its run is needed here, as an API key: `tachograph key RUN` prints one for a run of `serve`"
)
_NO_RUN: Final = "name a run: /r/RUN/v1/…, a run key, or x-tachograph-run"


class Target:
    """Where a request goes, as its first line says."""

    __slots__ = ("path", "query", "run_id")

    def __init__(self, run_id: str | None, path: str, query: str | None) -> None:
        """Take the parts as they were on the wire."""
        self.run_id = run_id
        """From the path prefix `/r/RUN`; None without it."""
        self.path = path
        """Begins with `/v1`, percent-encoding untouched."""
        self.query = query
        """Without the question mark; None if there is none."""


def split_target(raw: str) -> Target | None:
    """The parts of a request's target, `/v1/…` or `/r/RUN/v1/…`; None for any other, and for one that climbs out by `..`."""
    match = _TARGET.fullmatch(raw)
    if match is None or _climbs(match["path"]):
        return None
    return Target(match["run"], match["path"], match["query"])


def _climbs(path: str) -> bool:
    """Whether a server could take a path for one outside `/v1`, where the key has no business.

    Some decode it twice, and some pass over what follows a semicolon. What is encoded again and again is meant to deceive.
    """
    if "." not in path and "%" not in path:
        return False
    for _ in range(_MOST_ENCODED):
        encoded, path = path, unquote(path)
        parts = (part.partition(";")[0] for part in _SEPARATOR.split(path.removeprefix("/v1/")))
        if min(accumulate(-1 if part == ".." else part not in ("", ".") for part in parts)) < 0:
            return True
        if path == encoded:
            return False
    return True


@dataclass(slots=True)
class Tally:
    """What a run has come to so far, for people who watch it."""

    calls: int = 0
    calls_without_usage: int = 0
    input_tokens: int | None = None
    """Of the calls that told any; None if none did."""
    output_tokens: int | None = None

    def add(self, usage: Usage) -> None:
        """Count one call."""
        self.calls += 1
        self.calls_without_usage += usage.source == "absent"
        if usage.input_tokens is not None:
            self.input_tokens = (self.input_tokens or 0) + usage.input_tokens
        if usage.output_tokens is not None:
            self.output_tokens = (self.output_tokens or 0) + usage.output_tokens


class OpenRun:
    """A run that this proxy records into."""

    def __init__(self, recording: RunRecording, hashes: RequestHashes, bodies: BodyPolicy = "full") -> None:
        """Take the run's recording, what hashes requests, and what is kept of bodies."""
        self.recording = recording
        self._hashes = hashes
        self.bodies: BodyPolicy = bodies
        self.sync = GroupCommit(recording.sync)
        self.tally = Tally()
        self.attempts = Attempts()

    def new_response(self) -> HashedBody:
        """An empty body for an answer, of which as much is kept as is wanted."""
        return self.recording.bodies.new_response() if self.bodies == "full" else HashedBody()

    def sha256_of_body(self, body: bytes | LargeBody) -> str:
        """Hex sha256 of a request's body."""
        if isinstance(body, LargeBody):
            return body.sha256
        return self._hashes.sha256((self.recording.run_id, "body"), body)

    def sha256_of_canonical(self, text: bytes) -> str:
        """Hex sha256 of a request in its canonical form."""
        return self._hashes.sha256((self.recording.run_id, "canonical"), text)

    def new_large_body(self, headers: Mapping[str, str], query: str | None) -> LargeBody:
        """An empty body for a large request with this head, of which as much is kept as is wanted."""
        self.learn_secrets(headers, query)
        body = LargeBody(self.recording.bodies.new_spill, self.new_response())
        body.kept.decode(headers.get("content-encoding", ""))
        return body

    def learn_secrets(self, headers: Mapping[str, str], query: str | None) -> None:
        """Have what an agent presents as a key masked from here on."""
        for secret in presented_secrets(headers, query):
            self.recording.redactor.learn(secret)


class OpenRuns:
    """The runs that a proxy has open, opened as calls name them."""

    def __init__(self, store: RunStore, settings: ProxySettings) -> None:
        """Take the store, and the settings of the proxy."""
        self._settings = settings
        self._store = store
        self._open: dict[str, OpenRun] = {}
        self._hashes = RequestHashes()
        self.keys = RunKeys(store.folder)

    def open(self, run_id: str, attributes: Mapping[str, Any] | None = None) -> OpenRun:
        """The run by this id, opened if it is not yet.

        Raises:
            InputError: the run id cannot name a folder.
            StoreError: the run cannot be written.
        """
        run = self._open.get(run_id)
        if run is None:
            recording = self._store.open_run(run_id, attributes)
            run = self._open[run_id] = OpenRun(recording, self._hashes, self._settings.bodies)
        return run

    def run_of(self, target: Target, headers: Mapping[str, str]) -> OpenRun:
        """The run that a request belongs to: by its key, else its path, else its header, else the default one.

        Raises:
            RefusedError: no run takes it: nothing names one, its key is wrong, it shows none where one is needed, the run id
                cannot name a folder, or too many runs are open.
            StoreError: the run cannot be written.
        """
        keys = set(presented_run_keys(headers, target.query, PREFIX))
        if keys:
            return self._opened(self._run_of_keys(keys, target))
        run_id = target.run_id if target.run_id is not None else headers.get(RUN_HEADER, self._settings.default_run)
        if self._settings.require_keys:
            raise RefusedError(*_WRONG_KEY, _NEEDED)
        if run_id is None:
            raise RefusedError(404, "no_run", _NO_RUN)
        if run_id not in self._open:
            try:
                check_run_id(run_id)
            except InputError as error:
                raise RefusedError(400, "invalid_run", str(error)) from error
        if self.keys.are_required(run_id):
            raise RefusedError(*_WRONG_KEY, _NEEDED)
        return self._opened(run_id)

    def _run_of_keys(self, keys: set[str], target: Target) -> str:
        """The run that all keys of a request are of, which must be the one that its path names, if it names one."""
        run_id, *others = {self.keys.run_of(key) for key in keys}
        if run_id is None or others:
            raise RefusedError(*_WRONG_KEY, _NOT_KNOWN)
        if target.run_id not in (None, run_id):
            raise RefusedError(*_WRONG_KEY, _OF_ANOTHER_RUN)
        return run_id

    def _opened(self, run_id: str) -> OpenRun:
        most = self._settings.limits.runs
        if run_id not in self._open and len(self._open) >= most:
            told = f"{most} runs are open, which is the limit here: `tachograph serve --limit runs=NUMBER` raises it"
            raise RefusedError(503, "too_many_runs", told)
        return self.open(run_id)

    def close(self, run_id: str, status: str, error_type: str | None = None) -> Seal | None:
        """Close a run; None if it was not open here or another process has it open, too.

        Raises:
            StoreError: not all of it could be written.
        """
        run = self._open.pop(run_id, None)
        return run.recording.close(status, error_type) if run else None

    @property
    def unwritten(self) -> int:
        """Lines of all of them that wait for a disk that cannot take them."""
        return sum(run.recording.unwritten for run in self._open.values())

    def __iter__(self) -> Any:
        return iter(tuple(self._open))
