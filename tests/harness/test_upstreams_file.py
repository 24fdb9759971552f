"""The file of several upstreams, and what the environment says of proxies."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tachograph.harness._upstreams_file import load_upstreams, proxy_of_environment
from tachograph.proxy import HttpProxy, UpstreamAddress
from tachograph.traces import InputError

EXAMPLE = Path(__file__).parents[2] / "examples" / "upstreams.toml"
PROXY_VARIABLES = [f"{name}_proxy" for name in ("http", "https", "all", "no")]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_the_example() -> None:
    """It says what the README says of it; keys come from the environment."""
    names = ("ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY", "OPENAI_API_KEY")
    loaded = load_upstreams(EXAMPLE, {name: name.lower() for name in names})
    assert [one.name for one in loaded] == ["anthropic", "azure", "vllm", "openai"]
    assert [one.key for one in loaded] == ["anthropic_api_key", "azure_openai_api_key", None, "openai_api_key"]
    azure = loaded[1]
    assert (azure.key_header, azure.address.path, azure.address.query) == (
        "api-key",
        "/openai/v1",
        "api-version=preview",
    )
    assert loaded[2].read_timeout == 600.0
    assert not any("api_key" in repr(one) for one in loaded)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no upstream"),
        ("x = 1", "x: must be a table"),
        ("[x]", "x: url is missing"),
        ("[x", "not TOML"),
        ('[x]\nurl = "ftp://h"', "x: url: upstream 'ftp://h': must be a URL"),
        ('[x]\nurl = "http://h/v1"\nkey = "k"', "x: a key has no place in a file"),
        ('[x]\nurl = "http://h/v1"\nkey_env = "NO_SUCH"', "x: key_env: NO_SUCH is not set"),
        ('[x]\nurl = "http://h/v1"\nkey_file = "none"', "x: key_file: none cannot be read"),
        ('[x]\nurl = "http://h/v1"\nmodel = ["a"]', "x: unknown key model; known are url, key_env"),
        ('[x]\nurl = "http://h/v1"\nmodels = "a"', "x: models: must be a list of globs"),
        ('[x]\nurl = "http://h/v1"\npaths = ["/chat"]', "x: paths: must be a list of globs that begin with /v1"),
        ('[x]\nurl = "http://h/v1"\nread_timeout = -1', "x: read_timeout: must be a number of seconds"),
        ('[x]\nurl = "http://h/v1"\nheaders = { "A" = "b\\nc" }', "x: headers: must be a text of plain characters"),
        ('[x]\nurl = "http://h/v1"\nproxy = "socks5://h:1"', "x: proxy: a proxy of kind 'socks5' is not known"),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, text: str, message: str) -> None:
    """The message names the file, the upstream and the key."""
    file = tmp_path / "upstreams.toml"
    file.write_text(text)
    with pytest.raises(InputError) as error:
        load_upstreams(file, {})
    assert str(file) in str(error.value)
    assert message in str(error.value)


def test_bad_files_are_refused_at_the_command_line(tachograph: Any, tmp_path: Path) -> None:
    """A clear message and exit code 2, no traceback, and nothing is left behind."""
    (tmp_path / "bad.toml").write_text("[x]\n")
    for arguments in (["--upstreams", "bad.toml"], ["--upstreams", "none.toml"], []):
        done = tachograph("serve", *arguments)
        assert done.returncode == 2
        assert done.stderr.startswith("tachograph: ")
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("environment", "url", "expected"),
    [
        ({}, "https://h/v1", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://h/v1", HttpProxy("p", 1)),
        ({"https_proxy": "p:1"}, "https://h/v1", HttpProxy("p", 1)),
        ({"HTTPS_PROXY": "http://p:1"}, "http://h/v1", None),
        ({"http_proxy": "http://p:1"}, "http://h/v1", HttpProxy("p", 1)),
        ({"ALL_PROXY": "http://p:1"}, "https://h/v1", HttpProxy("p", 1)),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "h"}, "https://h/v1", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".example"}, "https://a.example/v1", None),
        ({"ALL_PROXY": "http://p:1"}, "http://127.0.0.1:8000/v1", None),
        ({"ALL_PROXY": "http://p:1"}, "http://localhost:8000/v1", None),
    ],
)
def test_proxies_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str, expected: HttpProxy | None
) -> None:
    """In either case, by scheme; a model on this machine is never looked for behind a proxy."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_of_environment(UpstreamAddress.parse(url)) == expected


def test_certificates_of_the_environment(tmp_path: Path) -> None:
    """SSL_CERT_FILE is honoured, as by every program that uses OpenSSL's defaults."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed, by which a certificate is made")
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-days", "2"]
    subprocess.run([openssl, *made, "-keyout", tmp_path / "k", "-out", tmp_path / "c"], check=True, capture_output=True)
    code = (
        "from tachograph.proxy import UpstreamAddress, UpstreamSettings\n"
        "from tachograph.proxy._upstream_way import tls_context\n"
        "context = tls_context(UpstreamSettings(name='u', address=UpstreamAddress.parse('https://h/v1')))\n"
        "print(len(context.get_ca_certs()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"SSL_CERT_FILE": str(tmp_path / "c")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1\n"
