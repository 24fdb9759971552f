"""What SQL sees of the journals: the Collector's table, and typed ones made of it, as statements for DuckDB.

`otel_traces` has the columns that a Collector's clickhouse exporter makes, with all attributes as texts, so that a question can
be asked there and here in the same words. DuckDB gives NULL for an attribute that is not there, ClickHouse an empty text.

The typed tables say what `read_run` says: what was learnt of a call late is part of it, a run that went on after its end is
open.
`journal` is the number under which a journal was read, `line` the place of a line in it.
"""

from typing import Final

__all__ = [
    "BATCH_CALLS",
    "HAS_DUPLICATES",
    "READ_BATCH",
    "TABLES",
    "TABLES_VERSION",
    "TEXTS",
    "VIEWS",
    "WITHOUT_DUPLICATES",
]

TABLES_VERSION: Final = 1
"""To be raised with each change of the tables here: what was kept of another version is read anew."""

_TEXTS: Final = "stringValue VARCHAR, intValue VARCHAR, boolValue BOOLEAN, doubleValue VARCHAR, bytesValue VARCHAR"
_VALUE: Final = f'STRUCT({_TEXTS}, arrayValue STRUCT("values" STRUCT({_TEXTS})[]), kvlistValue JSON)'
_ATTRIBUTES: Final = f'STRUCT("key" VARCHAR, "value" {_VALUE})[]'
_EVENT: Final = f"STRUCT(timeUnixNano VARCHAR, name VARCHAR, attributes {_ATTRIBUTES})"
_LINK: Final = f"STRUCT(traceId VARCHAR, spanId VARCHAR, traceState VARCHAR, attributes {_ATTRIBUTES})"
_SPAN: Final = (
    "STRUCT(traceId VARCHAR, spanId VARCHAR, parentSpanId VARCHAR, traceState VARCHAR, name VARCHAR, kind INTEGER, "
    f"startTimeUnixNano VARCHAR, endTimeUnixNano VARCHAR, attributes {_ATTRIBUTES}, "
    f"status STRUCT(code INTEGER, message VARCHAR), events {_EVENT}[], links {_LINK}[])"
)
_LINE: Final = (
    f"STRUCT(resource STRUCT(attributes {_ATTRIBUTES}), "
    f"scopeSpans STRUCT(scope STRUCT(name VARCHAR, version VARCHAR), spans {_SPAN}[])[])[]"
)
_MOMENT: Final = "make_timestamp_ns(TRY_CAST({} AS BIGINT))"

READ_BATCH: Final = f"""
CREATE OR REPLACE TEMP TABLE batch AS
WITH lines AS (
    SELECT journal, unnest(resourceSpans) AS r
    FROM read_json($file, format = 'newline_delimited', ignore_errors = true, maximum_object_size = 16777216,
        columns = {{journal: 'INTEGER', resourceSpans: '{_LINE}'}})
), scopes AS (
    SELECT journal, texts(r.resource.attributes) AS resource, unnest(r.scopeSpans) AS s FROM lines
), spans AS (
    SELECT journal, resource, s.scope AS scope, unnest(s.spans) AS x FROM scopes
)
SELECT
    journal,
    {_MOMENT.format("x.startTimeUnixNano")} AS "Timestamp",
    lower(x.traceId) AS TraceId,
    lower(x.spanId) AS SpanId,
    lower(coalesce(x.parentSpanId, '')) AS ParentSpanId,
    coalesce(x.traceState, '') AS TraceState,
    coalesce(x.name, '') AS SpanName,
    coalesce(['Internal', 'Server', 'Client', 'Producer', 'Consumer'][x.kind], 'Unspecified') AS SpanKind,
    coalesce(resource['service.name'], '') AS ServiceName,
    resource AS ResourceAttributes,
    coalesce(scope.name, '') AS ScopeName,
    coalesce(scope.version, '') AS ScopeVersion,
    texts(x.attributes) AS SpanAttributes,
    greatest(0, TRY_CAST(x.endTimeUnixNano AS BIGINT) - TRY_CAST(x.startTimeUnixNano AS BIGINT))::UBIGINT AS Duration,
    coalesce(['Ok', 'Error'][x.status.code], 'Unset') AS StatusCode,
    coalesce(x.status.message, '') AS StatusMessage,
    struct_pack(
        "Timestamp" := list_transform(coalesce(x.events, []), lambda e: {_MOMENT.format("e.timeUnixNano")}),
        "Name" := list_transform(coalesce(x.events, []), lambda e: e.name),
        "Attributes" := list_transform(coalesce(x.events, []), lambda e: texts(e.attributes))
    ) AS Events,
    struct_pack(
        TraceId := list_transform(coalesce(x.links, []), lambda l: lower(l.traceId)),
        SpanId := list_transform(coalesce(x.links, []), lambda l: lower(l.spanId)),
        TraceState := list_transform(coalesce(x.links, []), lambda l: coalesce(l.traceState, '')),
        "Attributes" := list_transform(coalesce(x.links, []), lambda l: texts(l.attributes))
    ) AS Links,
    TRY_CAST(SpanAttributes['tachograph.journal.line'] AS BIGINT) AS line,
    SpanAttributes['tachograph.span'] AS kind
FROM spans
WHERE x.traceId IS NOT NULL AND x.spanId IS NOT NULL
"""
"""Lines of journals, each with its journal's number as a first member, as spans."""

HAS_DUPLICATES: Final = "SELECT count(*) > count(DISTINCT (journal, TraceId, SpanId)) FROM batch"
WITHOUT_DUPLICATES: Final = """
CREATE OR REPLACE TEMP TABLE batch AS
SELECT DISTINCT ON (journal, TraceId, SpanId) * FROM batch ORDER BY journal, TraceId, SpanId, line
"""
"""To be done only if there are some: it takes as long as the reading."""

_CALL_COLUMNS: Final = (
    ("sequence", "tachograph.call.seq", "BIGINT"),
    ("attempt", "tachograph.call.attempt", "BIGINT"),
    ("api", "tachograph.call.api", "VARCHAR"),
    ("provider", "gen_ai.provider.name", "VARCHAR"),
    ("model", "gen_ai.request.model", "VARCHAR"),
    ("response_model", "gen_ai.response.model", "VARCHAR"),
    ("status", "http.response.status_code", "BIGINT"),
    ("usage_source", "tachograph.usage.source", "VARCHAR"),
    ("input_tokens", "gen_ai.usage.input_tokens", "BIGINT"),
    ("output_tokens", "gen_ai.usage.output_tokens", "BIGINT"),
    ("cache_read_tokens", "gen_ai.usage.cache_read.input_tokens", "BIGINT"),
    ("cache_creation_tokens", "gen_ai.usage.cache_creation.input_tokens", "BIGINT"),
    ("reasoning_tokens", "gen_ai.usage.reasoning.output_tokens", "BIGINT"),
    ("finish_reasons", "gen_ai.response.finish_reasons", "VARCHAR"),
    ("server_address", "server.address", "VARCHAR"),
    ("request_hash", "tachograph.request.hash", "VARCHAR"),
)
"""Columns of `calls` that are an attribute each."""
_RUN_COLUMNS: Final = (
    ("task", "tachograph.task.id", "VARCHAR"),
    ("category", "tachograph.task.category", "VARCHAR"),
    ("agent", "tachograph.agent.name", "VARCHAR"),
    ("agent_version", "gen_ai.agent.version", "VARCHAR"),
    ("model", "tachograph.model", "VARCHAR"),
    ("sweep", "tachograph.sweep.id", "VARCHAR"),
    ("cell", "tachograph.cell.id", "VARCHAR"),
    ("attempt", "tachograph.run.attempt", "BIGINT"),
)
_SCORE_COLUMNS: Final = (
    ("axis", "gen_ai.evaluation.name", "VARCHAR"),
    ("value", "gen_ai.evaluation.score.value", "DOUBLE"),
    ("label", "gen_ai.evaluation.score.label", "VARCHAR"),
    ("explanation", "gen_ai.evaluation.explanation", "VARCHAR"),
    ("bound", "tachograph.score.bound", "VARCHAR"),
    ("unit", "tachograph.score.unit", "VARCHAR"),
    ("formula", "tachograph.score.formula", "VARCHAR"),
    ("version", "tachograph.score.version", "BIGINT"),
)


def _columns(columns: tuple[tuple[str, str, str], ...], attributes: str = "SpanAttributes") -> str:
    return ",\n    ".join(f"TRY_CAST({attributes}['{name}'] AS {kind}) AS {column}" for column, name, kind in columns)


def _seconds_between(earlier: str, later: str) -> str:
    """Seconds between two moments of a call, both nanoseconds after its start."""
    stamps = [f"TRY_CAST(SpanAttributes['tachograph.at.{name}_ns'] AS BIGINT)" for name in (later, earlier)]
    return f"({stamps[0]} - {stamps[1]}) / 1e9"


_RUN_ID: Final = "coalesce(SpanAttributes['tachograph.run.id'], SpanAttributes['session.id'], TraceId)"
_OPERATIONS: Final = "('chat', 'text_completion', 'generate_content', 'embeddings')"

_CALLS: Final = f"""
WITH ended AS (
    SELECT * FROM batch
    WHERE kind = 'call' OR (kind IS NULL AND SpanAttributes['gen_ai.operation.name'] IN {_OPERATIONS})
), begun AS (
    SELECT * REPLACE (ParentSpanId AS SpanId) FROM batch WHERE kind = 'call.start'
), late AS (
    SELECT journal, ParentSpanId AS SpanId,
        arg_max(SpanAttributes['tachograph.call.outcome'], line) AS outcome,
        arg_max(SpanAttributes['error.type'], line) AS error_type
    FROM batch WHERE kind = 'call.tail' GROUP BY ALL
), known AS (
    SELECT *, true AS has_ended FROM ended
    UNION ALL
    SELECT *, false FROM begun ANTI JOIN ended USING (journal, SpanId)
)
SELECT
    journal,
    {_RUN_ID} AS run_id,
    SpanId AS call_id,
    "Timestamp" AS started,
    CASE WHEN has_ended THEN Duration / 1e9 END AS seconds,
    CASE WHEN has_ended THEN coalesce(late.outcome, SpanAttributes['tachograph.call.outcome'], 'completed') END AS outcome,
    coalesce(late.error_type, SpanAttributes['error.type']) AS error_type,
    coalesce(SpanAttributes['gen_ai.request.stream'] = 'true', false) AS streamed,
    coalesce(SpanAttributes['tachograph.call.discarded'] = 'true', false) AS discarded,
    {_seconds_between("upstream_sent", "first_byte_in")} AS seconds_to_first_byte,
    {_seconds_between("upstream_sent", "first_content")} AS seconds_to_first_content,
    {_columns(_CALL_COLUMNS)}
FROM known LEFT JOIN late USING (journal, SpanId)
WHERE SpanAttributes['tachograph.tunnel.calls'] IS NULL OR SpanAttributes['tachograph.tunnel.unread'] IS NOT NULL
"""

_RUNS: Final = f"""
WITH stands AS (
    SELECT journal,
        max(line) FILTER (kind NOT IN ('score', 'seal')) AS last_line,
        coalesce(arg_max(kind, line) FILTER (kind != 'score') = 'seal', false) AS sealed,
        arg_max(SpanAttributes['tachograph.check.passed'], line) FILTER (kind = 'check') = 'true' AS passed,
        min("Timestamp") AS first_seen
    FROM batch GROUP BY journal
), announced AS (
    SELECT DISTINCT ON (journal) * FROM batch WHERE kind IN ('run.start', 'run') ORDER BY journal, line
), closed AS (
    SELECT batch.* FROM batch JOIN stands ON batch.journal = stands.journal AND line = last_line WHERE kind = 'run'
), known AS (
    SELECT *, true AS has_ended FROM closed
    UNION ALL
    SELECT *, false FROM announced ANTI JOIN closed USING (journal)
), used AS (
    SELECT journal, any_value(run_id) AS run_id, count(*) AS calls,
        count(*) FILTER (error_type IS NOT NULL) AS failed_calls,
        count(*) FILTER (coalesce(usage_source, 'absent') = 'absent') AS calls_without_usage,
        sum(input_tokens)::BIGINT AS input_tokens, sum(output_tokens)::BIGINT AS output_tokens
    FROM batch_calls GROUP BY journal
)
SELECT
    stands.journal,
    coalesce({_RUN_ID}, used.run_id) AS run_id,
    {_columns(_RUN_COLUMNS)},
    coalesce(CASE WHEN has_ended THEN coalesce(SpanAttributes['tachograph.run.status'], 'completed') END, 'open') AS status,
    sealed,
    passed,
    coalesce("Timestamp", first_seen) AS started,
    CASE WHEN has_ended THEN Duration / 1e9 END AS seconds,
    coalesce(calls, 0) AS calls,
    coalesce(failed_calls, 0) AS failed_calls,
    coalesce(calls_without_usage, 0) AS calls_without_usage,
    input_tokens,
    output_tokens
FROM stands LEFT JOIN known USING (journal) LEFT JOIN used USING (journal)
"""

_SCORES: Final = f"""
SELECT DISTINCT ON (journal, axis)
    journal,
    {_RUN_ID} AS run_id,
    {_columns(_SCORE_COLUMNS)}
FROM batch
WHERE kind = 'score' AND SpanAttributes['gen_ai.evaluation.name'] IS NOT NULL
ORDER BY journal, axis, line DESC
"""

TABLES: Final = {
    "otel_traces": "SELECT * EXCLUDE (line, kind) FROM batch",
    "calls": "SELECT * FROM batch_calls",
    "runs": _RUNS,
    "scores": _SCORES,
}
"""What is kept of a batch, in this order, by table. `batch_calls` is made first."""

BATCH_CALLS: Final = f"CREATE OR REPLACE TEMP TABLE batch_calls AS {_CALLS}"

VIEWS: Final = {
    "otel_traces": "SELECT * EXCLUDE (journal) FROM {kept}",
    "calls": """
        SELECT kept.* EXCLUDE (journal)
            REPLACE (coalesce(outcome, CASE WHEN open_now.journal IS NULL THEN 'interrupted' ELSE 'in_flight' END) AS outcome),
            about.task, about.agent, about.sweep
        FROM {kept} AS kept LEFT JOIN open_now USING (journal) LEFT JOIN {runs} AS about USING (journal)
        """,
    "runs": "SELECT * EXCLUDE (journal) FROM {kept}",
    "scores": """
        SELECT kept.* EXCLUDE (journal), about.task, about.agent, about.model, about.sweep
        FROM {kept} AS kept LEFT JOIN {runs} AS about USING (journal)
        """,
}
"""What SQL sees, by name; `{kept}` is what is kept of that table. `open_now` holds the journals that a process has open."""

TEXTS: Final = """
CREATE OR REPLACE TEMP MACRO text_of(v) AS coalesce(
    v.stringValue, v.intValue, v.boolValue::VARCHAR, v.doubleValue, v.bytesValue,
    to_json(list_transform(v.arrayValue."values", lambda i: coalesce(
        to_json(i.stringValue), i.intValue::JSON, to_json(i.boolValue), i.doubleValue::JSON, to_json(i.bytesValue)
    )))::VARCHAR,
    v.kvlistValue::VARCHAR,
    '');
CREATE OR REPLACE TEMP MACRO pairs(given) AS list_transform(given, lambda a: {'k': a."key", 'v': text_of(a."value")});
CREATE OR REPLACE TEMP MACRO texts(given) AS CASE
    WHEN given IS NULL THEN MAP {}::MAP(VARCHAR, VARCHAR)
    WHEN len(list_distinct(list_transform(given, lambda a: a."key"))) = len(given) THEN map_from_entries(pairs(given))
    ELSE map_from_entries(pairs(list_filter(given, lambda a, i:
        a."key" IS NOT NULL AND list_position(list_transform(given, lambda b: b."key"), a."key") = i)))
END;
"""
"""Attributes as a map of texts, as the Collector's exporter writes them; of a name that stands twice, the first."""
