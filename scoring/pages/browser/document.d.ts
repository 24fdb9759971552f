/**
 * What a run's page shows, as the page holds it: JSON, in the element `#document`.
 *
 * A pure function of the run's folder. `null` is "not known", and a reason stands beside it; it is never shown as 0. Moments are
 * milliseconds since `origin_ms`, the run's start, in fractions. Hashes are lower-case hex.
 */
interface PageDocument {
  "tachograph.page": 1;
  title: string;
  /** The scorecard, as `tachograph score` writes it. */
  scorecard: Scorecard;
  /** A published profile's own keys, where it was asked for; else null. */
  published: Record<string, unknown> | null;
  seal: Seal;
  /** The run goes on: more will come. */
  live: boolean;
  /** Unix time of the run's start, milliseconds. */
  origin_ms: number;
  /** From the start of the run to its end, or to the last moment that the record knows of. */
  wall_ms: number;
  identity: Fact[];
  time: TimeShare[];
  tokens: TokenClass[];
  spans: Span[];
  calls: ModelCall[];
  /** Every message that was said, once; calls name them by their place here. */
  messages: Message[];
  terminal: Terminal | null;
  changes: Changes | null;
  check: Check | null;
  rerun: Rerun;
  embed: Embed;
  /** Other runs of the site, by what they have in common with this one; null for a page by itself. */
  siblings: Siblings | null;
  /** By the name of a member above that is null, or that lacks a part: why. */
  reasons: Record<string, string>;
}

interface Scorecard {
  "tachograph.scorecard": number;
  run_id: string;
  identity: Record<string, string | number | null>;
  status: string;
  sealed: boolean;
  /** Unix time, nanoseconds: more digits than a number of a script holds. */
  start_ns: number;
  end_ns: number | null;
  outcome: { party: string; reason: string; message: string };
  axes: AxisValue[];
  composites: Composite[];
  links: { path: string; operation: string; call: string; tool: string | null; confidence: string; evidence: Evidence[] }[];
  provenance: Record<string, unknown>;
  rerun: string[] | null;
}

interface AxisValue {
  axis: string;
  value: number | null;
  status: "measured" | "partial" | "missing" | "not_applicable" | "error";
  bound: "exact" | "lower" | "upper" | null;
  unit: string;
  source: string | null;
  n: number | null;
  reason: string | null;
  formula: string;
  version: number;
  details: Record<string, unknown>;
  flags: string[];
  evidence: Evidence[];
  findings: Finding[];
}

interface Evidence {
  kind: string;
  reference: string;
  note: string;
  line: number | null;
}

interface Finding {
  rule: string;
  severity: "info" | "low" | "medium" | "high" | "severe";
  message: string;
  path: string | null;
  line: number | null;
  /** Span id. */
  call: string | null;
  excerpt: string | null;
}

interface Composite {
  profile: string;
  version: number;
  value: number | null;
  lower: number | null;
  upper: number | null;
  coverage: number;
  parts: { name: string; axis: string; weight: number; raw: number | null; lower: number; upper: number; reason: string | null }[];
  gates: Record<string, boolean | null>;
  refusal_factor: number | null;
  reason: string | null;
}

interface Seal {
  /** `sealed`, `open` or `damaged`, as `tachograph verify` says. */
  state: string;
  problems: string[];
  notes: string[];
  lines: number;
  calls: number;
  finished_calls: number;
  bodies: number;
  head: string | null;
}

/** A line of the run's identity. */
interface Fact {
  /** Which block it stands in: `run`, `agent`, `model`, `task`, `instrument`. */
  group: string;
  label: string;
  /** Null: not known. */
  value: string | null;
  /** Why it is not known, or where it comes from. */
  note: string | null;
  /** It is to be read letter by letter: a hash, a path, a command. */
  code: boolean;
}

/** A share of the wall; all of them together are the wall. */
interface TimeShare {
  name: string;
  label: string;
  /** Null: it was not measured, and is part of what `note` says. */
  ms: number | null;
  note: string | null;
}

interface TokenClass {
  name: string;
  label: string;
  count: number | null;
}

interface Span {
  id: string;
  parent: string | null;
  /** `run`, `agent`, `call`, `check`, `snapshot`, `tool`, …, or the name of another tool's instrument. */
  kind: string;
  name: string;
  start_ms: number;
  /** Null: it had not ended. */
  end_ms: number | null;
  /** From 0: spans that overlap have different ones, and a span's own are below its parent's. */
  lane: number;
  error: string | null;
  attributes: [string, string][];
  /** Its place in `calls`, if it is one. */
  call: number | null;
}

interface ModelCall {
  /** Span id. */
  id: string;
  sequence: number | null;
  attempt: number | null;
  /** The place in `calls` of the attempt before. */
  retry_of: number | null;
  start_ms: number;
  /** Null: it had not ended. */
  end_ms: number | null;
  request_hash: string | null;
  api: string | null;
  method: string;
  path: string;
  endpoint: string | null;
  model_asked: string | null;
  model_answered: string | null;
  streamed: boolean;
  prompt: number | null;
  completion: number | null;
  cached: number | null;
  reasoning: number | null;
  usage_source: string;
  usage_reason: string | null;
  latency_ms: number | null;
  ttft_ms: number | null;
  finish: string[];
  outcome: string;
  status: number | null;
  error: string | null;
  error_message: string | null;
  discarded: boolean;
  /** Names of the tools that it offered; null if the request could not be read. */
  tools: string[] | null;
  /** What stands in the request: messages in their order; null if it could not be read. */
  asked: Asked | null;
  /** The choices of the answer, places in `messages`; null if it could not be read. */
  answers: number[] | null;
  unreadable: string | null;
  /** Members of the request beside its messages, as it wrote them: temperature, max_tokens, …. */
  parameters: [string, string][];
  request_body: BodyRef;
  response_body: BodyRef;
  /** What it led to in the workdir: places in `changes.files`, and how sure that is. */
  led_to: { file: number; confidence: string; tool: string | null }[];
  timing: [string, number | null][];
}

/** The messages of a request against those of the request before that it goes on from. */
interface Asked {
  /** The place in `calls` of that request; null if it goes on from none. */
  since: number | null;
  /** How many messages it has in common with it, at the beginning. */
  kept: number;
  /** How many messages of that request, after those, it left out. */
  dropped: number;
  /** What follows: places in `messages`. */
  added: number[];
}

interface BodyRef {
  hash: string | null;
  bytes: number | null;
  /** Its place in the bodies of the page (`#bodies`); null if it is not on the page. */
  place: number | null;
  /** Why it is not on the page, or not all of it; what is masked in it. */
  note: string | null;
}

/** In the element `#bodies`: `{"coding": "gzip+base64", "data": …}`, of JSON of this form. */
interface PageBodies {
  bodies: PageBody[];
}

/** Text that begins with the first `prefix` characters of another body, goes on with `text`, and ends as that one does. */
interface PageBody {
  /** An earlier place; null if it stands by itself (`prefix` and `suffix` are 0 then). */
  like: number | null;
  prefix: number;
  suffix: number;
  text: string;
  /** Characters that are not on the page, at its end. */
  cut: number;
}

interface Message {
  role: string;
  text: string;
  reasoning: string | null;
  refusal: string | null;
  tool_calls: { id: string | null; name: string; arguments: string }[];
  tool_call_id: string | null;
  /** Characters of the text that are not on the page. */
  cut: number;
}

/** What the terminal showed, as still pictures: no control sequence of the recording reaches the browser. */
interface Terminal {
  /** As large as it ever was; what a smaller one did not have is empty. */
  columns: number;
  rows: number;
  /** Moment of the recording's start. */
  start_ms: number;
  duration_ms: number;
  /** Every line that was ever shown, once; a picture names lines by their place here. Runs of text of one style. */
  lines: TerminalRun[][];
  styles: TerminalStyle[];
  pictures: TerminalPicture[];
  /** Why some of the recording is not here; null if all is. */
  note: string | null;
}

/** Text, the place of its style in `styles`, and the columns that each of its characters takes, if that is not 1. */
type TerminalRun = [string, number, number?];

interface TerminalStyle {
  /** A name (`red`, `brightblack`, …) or `#rrggbb`; null: the terminal's own. */
  foreground: string | null;
  background: string | null;
  bold: boolean;
  faint: boolean;
  italic: boolean;
  underline: boolean;
  strike: boolean;
  inverse: boolean;
}

interface TerminalPicture {
  /** Milliseconds since the recording's start. */
  at_ms: number;
  /** Rows that changed since the picture before: row, and its line's place in `lines`. */
  rows: [number, number][];
  /** Row and column; null if it is hidden. */
  cursor: [number, number] | null;
}

interface Changes {
  classes: { name: string; label: string; meaning: string; count: number }[];
  files: ChangedFile[];
  git: { repository: string; kind: string; name: string; before: string | null; after: string | null; runs: boolean }[];
  /** What could not be seen, and why. */
  unseen: [string, string][];
}

interface ChangedFile {
  path: string;
  old_path: string | null;
  operation: string;
  /** Its place in `classes`. */
  class: number;
  lines_added: number | null;
  lines_removed: number | null;
  note: string | null;
  /** A unified diff, as git writes it. */
  patch: string;
  /** Characters of the patch that are not on the page. */
  cut: number;
  /** Calls that led to it. */
  led_by: { call: number; confidence: string; tool: string | null }[];
}

interface Check {
  command: string | null;
  passed: boolean | null;
  exit_code: number | null;
  signal: number | null;
  timed_out: boolean;
  duration_ms: number | null;
  stdout: string | null;
  stderr: string | null;
  report_format: string | null;
  tests: { name: string; outcome: string; seconds: number | null; message: string | null }[] | null;
  fresh_copy: boolean | null;
  note: string | null;
}

interface Rerun {
  /** The command that makes such a run again, for a shell; null if the record does not tell. */
  exact: string | null;
  /** The same, with the endpoint, key and model of whoever runs it, from the environment. */
  own: string | null;
  /** What to know before: where the task is, what must be installed. */
  notes: string[];
}

interface Embed {
  /** SVG. */
  badge: string;
  /** Where the page of a site is, if it is part of one: relative links need a base. */
  markdown: string;
  html: string;
  iframe: string;
}

interface Siblings {
  groups: { title: string; runs: Sibling[] }[];
}

interface Sibling {
  title: string;
  /** Relative to the page. */
  href: string;
  outcome: string;
  party: string;
  wall_ms: number | null;
  tokens: number | null;
  cost_usd: number | null;
}
