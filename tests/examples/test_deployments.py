"""The configurations for a Collector and for Kubernetes: what is in them is documented, fits together, and loses nothing."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tachograph.harness._cli import _parser
from tachograph.traces import RunStore
from tachograph.traces._otlp import LINE_LIMIT

EXAMPLES = Path(__file__).parents[2] / "examples"
COLLECTOR = EXAMPLES / "collector"
KUBERNETES = EXAMPLES / "kubernetes"

Options = Mapping[str, Any]
QUEUE: Options = {
    "enabled": None,
    "num_consumers": None,
    "queue_size": None,
    "sizer": None,
    "block_on_overflow": None,
    "storage": None,
    "batch": {"flush_timeout": None, "min_size": None, "max_size": None, "sizer": None},
}
RETRY: Options = {"enabled": None, "initial_interval": None, "max_interval": None, "max_elapsed_time": None}
ENDPOINT: Options = {"endpoint": None}
DOCUMENTED: Mapping[str, Mapping[str, Options]] = {
    # opentelemetry-collector-contrib: extension/storage/filestorage/README.md
    "extensions": {
        "file_storage": {
            "directory": None,
            "timeout": None,
            "fsync": None,
            "create_directory": None,
            "directory_permissions": None,
        },
    },
    "receivers": {
        # opentelemetry-collector: receiver/otlpreceiver/README.md
        "otlp": {"protocols": {"grpc": ENDPOINT, "http": ENDPOINT}},
        # receiver/otlpjsonfilereceiver/file.go, whose options are those of pkg/stanza/fileconsumer/config.go, and `storage`
        "otlpjsonfile": {
            "include": None,
            "exclude": None,
            "start_at": None,
            "poll_interval": None,
            "fingerprint_size": None,
            "max_log_size": None,
            "max_concurrent_files": None,
            "force_flush_period": None,
            "storage": None,
            "replay_file": None,
        },
    },
    "exporters": {
        # exporter/fileexporter/README.md
        "file": {
            "path": None,
            "append": None,
            "format": None,
            "compression": None,
            "flush_interval": None,
            "rotation": {"max_megabytes": None, "max_days": None, "max_backups": None, "localtime": None},
        },
        # exporter/clickhouseexporter/README.md
        "clickhouse": {
            "endpoint": None,
            "username": None,
            "password": None,
            "database": None,
            "ttl": None,
            "create_schema": None,
            "compress": None,
            "async_insert": None,
            "traces_table_name": None,
            "timeout": None,
            "sending_queue": QUEUE,
            "retry_on_failure": RETRY,
        },
        # opentelemetry-collector: exporter/otlphttpexporter/README.md
        "otlphttp": {
            "endpoint": None,
            "headers": {"authorization": None},
            "sending_queue": QUEUE,
            "retry_on_failure": RETRY,
        },
    },
}
"""Options by component; None: a value. As the components' documentation lists them."""
CONFIGURATIONS = sorted(COLLECTOR.glob("*.yaml"))
MANIFESTS = sorted(KUBERNETES.glob("*.yaml"))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def undocumented(given: Any, documented: Any, at: str) -> Iterator[str]:
    """Options that no documentation has."""
    if not isinstance(given, dict):
        return
    if documented is None:
        yield f"{at} has no options of its own"
        return
    for name, value in given.items():
        if name not in documented:
            yield f"{at}.{name}"
        else:
            yield from undocumented(value, documented[name], f"{at}.{name}")


@pytest.mark.parametrize("name", ["collector.yaml", "tail-journals.yaml"])
def test_each_option_is_documented_and_each_component_is_used(name: str) -> None:
    """A Collector refuses an option that it does not know, and a pipeline of components that are not there."""
    told = load(COLLECTOR / name)
    assert set(told) == {*DOCUMENTED, "service"}
    for kind, components in DOCUMENTED.items():
        for component, options in told[kind].items():
            assert not list(undocumented(options, components[component.partition("/")[0]], f"{kind}.{component}"))
    assert set(told["service"]["extensions"]) == set(told["extensions"])
    pipelines = told["service"]["pipelines"].values()
    for kind in ("receivers", "exporters"):
        assert {name for pipeline in pipelines for name in pipeline[kind]} == set(told[kind])


@pytest.mark.parametrize("name", ["collector.yaml", "tail-journals.yaml"])
def test_nothing_is_dropped_on_the_way(name: str) -> None:
    """Each default that loses spans is replaced."""
    told = load(COLLECTOR / name)
    for exporter, options in told["exporters"].items():
        if exporter == "file":
            assert (options["format"], "compression" in options) == ("json", False)
            assert options["rotation"]["max_backups"] >= 10_000
            continue
        queue = options["sending_queue"]
        assert (queue["storage"], queue["block_on_overflow"]) == ("file_storage", True)
        assert (options["retry_on_failure"]["enabled"], options["retry_on_failure"]["max_elapsed_time"]) == (True, 0)
    journals = told["receivers"].get("otlpjsonfile")
    if journals is not None:
        assert (journals["start_at"], journals["storage"]) == ("beginning", "file_storage")
        assert int(journals["max_log_size"].removesuffix("MiB")) * 2**20 > LINE_LIMIT


def test_journals_are_told_apart_by_their_first_bytes(tmp_path: Path) -> None:
    """The file receiver takes two files for one if their fingerprints are the same: ours differ within the default, 1 kB."""
    store = RunStore(tmp_path / "runs")
    first = []
    for run_id in ("a", "b"):
        store.open_run(run_id).close()
        first.append((store.folder / run_id / "trace.jsonl").read_bytes()[:1000])
    assert first[0] != first[1]
    pattern = load(COLLECTOR / "tail-journals.yaml")["receivers"]["otlpjsonfile"]["include"]
    assert pattern == ["/runs/*/trace.jsonl"]


def test_what_the_composition_mounts_is_there() -> None:
    """Files, volumes and services that are referred to; and no password but the user's own."""
    told = load(COLLECTOR / "compose.yaml")
    for service in told["services"].values():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert (COLLECTOR / source).is_file() if source.startswith("./") else source in told["volumes"]
        assert service["environment"]["CLICKHOUSE_PASSWORD"].startswith("${CLICKHOUSE_PASSWORD:?")
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert told["services"]["collector"]["depends_on"] == ["clickhouse"]


def pods(path: Path) -> Iterator[Any]:
    for manifest in yaml.safe_load_all(path.read_text()):
        if "template" in manifest.get("spec", {}):
            yield manifest["spec"]["template"]["spec"]


def proxies(pod: Any) -> list[Any]:
    containers = [*pod.get("initContainers", []), *pod["containers"]]
    return [container for container in containers if container["name"] == "tachograph"]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_our_command_line_takes_the_arguments(path: Path) -> None:
    """As the container would hand them on; and what they name is mounted."""
    (pod,) = pods(path)
    (proxy,) = proxies(pod)
    options = _parser().parse_args(proxy["args"])
    mounts = {mount["mountPath"] for mount in proxy["volumeMounts"]}
    assert {str(options.store), str(options.key_file.parent), "/tmp"} == mounts
    assert options.require_keys == (options.host != "127.0.0.1")
    assert str(options.port) in str(proxy)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_pods_are_locked_down(path: Path) -> None:
    """Not root, nothing but the volumes to write to, the key in a file of a secret and in no argument and no variable."""
    (pod,) = pods(path)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        own = container["securityContext"]
        assert (own["readOnlyRootFilesystem"], own["allowPrivilegeEscalation"]) == (True, False)
        assert own["capabilities"]["drop"] == ["ALL"]
        assert {mount["name"] for mount in container["volumeMounts"]} <= {volume["name"] for volume in pod["volumes"]}
    (proxy,) = proxies(pod)
    assert "startupProbe" in proxy
    assert "env" not in proxy
    secret = next(volume["secret"] for volume in pod["volumes"] if "secret" in volume)
    documents = list(yaml.safe_load_all(path.read_text()))
    assert secret["secretName"] in {told["metadata"]["name"] for told in documents if told["kind"] == "Secret"}
    claim = next(volume["persistentVolumeClaim"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume)
    assert claim["claimName"] in {
        told["metadata"]["name"] for told in documents if told["kind"] == "PersistentVolumeClaim"
    }


def test_the_files_say_what_was_not_tried() -> None:
    """Nobody is to think that these were started."""
    for path in [*CONFIGURATIONS, *MANIFESTS]:
        assert re.search(r"at hand|could be started", path.read_text()), path.name
