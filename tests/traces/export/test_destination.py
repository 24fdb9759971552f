"""Where spans go is what the OpenTelemetry specification says of its variables, and options come first."""

import pickle

import pytest

from tachograph.traces import InputError
from tachograph.traces.export import PROFILES, environment_names_a_destination, parse_header, read_destination

SECRET = "sk-" + "x" * 20


@pytest.mark.parametrize(
    ("environment", "to", "url"),
    [
        ({}, "http://c:4318", "http://c:4318/v1/traces"),
        ({}, "http://c:4318/", "http://c:4318/v1/traces"),
        ({}, "http://c:4318/v1/traces", "http://c:4318/v1/traces"),
        ({}, "https://c/otlp/?key=1", "https://c/otlp/v1/traces?key=1"),
        ({"ENDPOINT": "http://c:4318"}, None, "http://c:4318/v1/traces"),
        ({"ENDPOINT": "http://c:4318/mycollector/"}, None, "http://c:4318/mycollector/v1/traces"),
        ({"ENDPOINT": "http://c", "TRACES_ENDPOINT": "http://t/x"}, None, "http://t/x"),
        ({"TRACES_ENDPOINT": "http://t"}, None, "http://t/"),
        ({"ENDPOINT": "http://c", "TRACES_ENDPOINT": "http://t/x"}, "http://o", "http://o/v1/traces"),
        ({"ENDPOINT": "http://c:4317/x", "PROTOCOL": "grpc"}, None, "http://c:4317"),
        ({"ENDPOINT": "c:4317", "PROTOCOL": "grpc"}, None, "https://c:4317"),
        ({"ENDPOINT": "c:4317", "PROTOCOL": "grpc", "INSECURE": "true"}, None, "http://c:4317"),
    ],
)
def test_the_address(environment: dict[str, str], to: str | None, url: str) -> None:
    """The general endpoint gets the path, the one for traces is used as it is, an option comes before both."""
    full = {f"OTEL_EXPORTER_OTLP_{name}": value for name, value in environment.items()}
    assert read_destination(full, to=to).url == url


def test_what_is_for_traces_comes_first() -> None:
    """Each variable for traces is preferred to the general one, and what is not set has the specification's default."""
    general = {
        "ENDPOINT": "http://c",
        "PROTOCOL": "grpc",
        "HEADERS": "a=1",
        "TIMEOUT": "5000",
        "COMPRESSION": "gzip",
        "CERTIFICATE": "ca.pem",
        "CLIENT_CERTIFICATE": "client.pem",
        "CLIENT_KEY": "key.pem",
    }
    traces = {"PROTOCOL": "http/json", "HEADERS": "b=x%3Dy,C=%20z", "TIMEOUT": "7000", "COMPRESSION": "none"}
    environment = {f"OTEL_EXPORTER_OTLP_{name}": value for name, value in general.items()}
    found = read_destination(environment)
    assert (found.protocol, found.headers, found.timeout, found.compression) == ("grpc", {"a": "1"}, 5.0, True)
    assert (found.certificate, found.client_certificate, found.client_key) == ("ca.pem", "client.pem", "key.pem")
    environment |= {f"OTEL_EXPORTER_OTLP_TRACES_{name}": value for name, value in traces.items()}
    found = read_destination(environment)
    assert (found.protocol, found.timeout, found.compression) == ("http/json", 7.0, False)
    assert found.headers == {"b": "x=y", "c": "z"}
    assert read_destination(environment, headers=[("b", "own")]).headers["b"] == "own"
    default = read_destination({}, to="http://c")
    assert (default.protocol, default.timeout, default.headers) == ("http/protobuf", 10.0, {})


@pytest.mark.parametrize(
    ("environment", "options"),
    [
        ({}, {}),
        ({}, {"to": "ftp://c"}),
        ({}, {"to": "c:4318"}),
        ({}, {"to": "http://c:99999"}),
        ({}, {"to": "http://[c"}),
        ({}, {"to": f"http://user:{SECRET}@c"}),
        ({}, {"to": "http://c", "protocol": "http/xml"}),
        ({}, {"to": "http://c", "profile": "none-such"}),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, {"to": "http://c"}),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"}, {"to": "http://c"}),
        ({"OTEL_EXPORTER_OTLP_HEADERS": SECRET}, {"to": "http://c"}),
    ],
)
def test_what_cannot_be_used_is_said(environment: dict[str, str], options: dict[str, str]) -> None:
    """Bad input is an InputError, and no key is in its words."""
    with pytest.raises(InputError) as told:
        read_destination(environment, **options)  # type: ignore[arg-type]
    assert SECRET not in str(told.value)


@pytest.mark.parametrize("text", ["x", "=x", "a b=x", "a=x\ny", "a=é"])
def test_a_header_has_a_form(text: str) -> None:
    """What would break a request is refused."""
    with pytest.raises(InputError):
        parse_header(text)


@pytest.mark.parametrize(
    ("environment", "asks"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "console, otlp"}, True),
    ],
)
def test_the_environment_asks_for_export(environment: dict[str, str], asks: bool) -> None:  # noqa: FBT001
    """An endpoint does, unless traces are to go elsewhere."""
    assert environment_names_a_destination(environment) is asks


def test_the_id_holds_no_secret_and_tells_destinations_apart() -> None:
    """The same address and profile are the same destination, whatever the headers; a query is no part of what is shown."""
    one = read_destination({}, to=f"https://c/x?key={SECRET}", headers=[("authorization", f"Bearer {SECRET}")])
    assert one.id == read_destination({}, to="https://c/x").id
    assert one.id != read_destination({}, to="https://c/y").id
    assert SECRET not in one.id + one.shown + repr(one.profile)
    assert one.masked(f"no such key: {SECRET}") == "no such key: [masked]"


def test_a_destination_goes_to_another_process() -> None:
    """The forwarder of `serve` is spawned with it."""
    for profile in PROFILES.values():
        protocol = profile.protocols[0]
        one = read_destination({}, to="http://c", protocol=protocol, profile=profile.name)
        assert pickle.loads(pickle.dumps(one)) == one
