/** One call, opened. */

/** @param {View} view @param {number} index @returns {HTMLElement} */
function callDetails(view, index) {
  const { page } = view;
  const call = page.calls[index];
  return element(
    "article.call",
    { id: `call-${call.id}`, "aria-labelledby": "call-title", tabindex: "-1" },
    element("h3", { id: "call-title" }, `Call ${index + 1} of ${count(page.calls.length)}`),
    element("p", {}, callSentence(call)),
    call.error || call.error_message ? element("p.warn", {}, recorded([call.error, call.error_message].filter(Boolean).join(": "))) : null,
    callFacts(page, call),
    element("h4", {}, "What was asked"),
    askedView(view, index),
    element("h4", {}, "What was answered"),
    answersView(page, call),
    ledToView(page, call),
    element("h4", {}, "Raw"),
    bodyView(view, "Request body", call.request_body),
    bodyView(view, "Response body", call.response_body),
  );
}

/** @param {ModelCall} call */
function callSentence(call) {
  const tries = call.attempt !== null && call.attempt > 1 ? `, attempt ${call.attempt}` : "";
  const end = call.outcome === "completed" ? `HTTP ${call.status ?? UNKNOWN}` : words(call.outcome);
  return recorded(`${call.method} ${call.path}${call.endpoint ? ` at ${call.endpoint}` : ""}: ${end}${tries}${call.discarded ? ", and the agent never saw this answer" : ""}`);
}

/** @param {PageDocument} page @param {ModelCall} call */
function callFacts(page, call) {
  /** @type {[string, Content][]} */
  const facts = [
    ["Started", timestamp(page.origin_ms + call.start_ms)],
    ["Model asked", call.model_asked === null ? UNKNOWN : recorded(call.model_asked)],
    ["Model answered", call.model_answered === null ? UNKNOWN : recorded(call.model_answered)],
    ["API", call.api ?? UNKNOWN],
    ["Streamed", call.streamed ? "yes" : "no"],
    ["Request hash", element("code", {}, call.request_hash ?? UNKNOWN)],
    ["Tokens", `${count(call.prompt)} in (${count(call.cached)} cached), ${count(call.completion)} out (${count(call.reasoning)} reasoning)`],
    ["Told by", [call.usage_source, call.usage_reason ? [": ", recorded(call.usage_reason)] : null].flat(2)],
    ["Finish", recorded(call.finish.join(", ") || UNKNOWN)],
    ["Tools offered", call.tools === null ? UNKNOWN : recorded(call.tools.join(", ") || "none")],
    ...call.parameters.map(([name, value]) => /** @type {[string, Content]} */ ([name, recorded(value)])),
    ...call.timing.map(([label, ms]) => /** @type {[string, Content]} */ ([label, duration(ms)])),
  ];
  return element("dl.grid", {}, facts.flatMap(([label, value]) => [element("dt", {}, recorded(label)), element("dd", {}, value)]));
}

/** @param {View} view @param {number} index @returns {Content} */
function askedView({ page }, index) {
  const call = page.calls[index];
  const asked = call.asked;
  if (asked === null) return absent(call.unreadable ?? "the request could not be read");
  const since = asked.since === null ? null : asked.since;
  const change =
    since === null
      ? `It begins a conversation: ${count(asked.added.length)} messages.`
      : `Against call ${since + 1} it keeps ${count(asked.kept)} messages, leaves out ${count(asked.dropped)} and adds ${count(asked.added.length)}.`;
  return [
    element("p", {}, change),
    asked.kept
      ? disclosure(`The ${count(asked.kept)} messages that were there before`, () => conversation(page, index).slice(0, asked.kept).map((place) => messageView(page.messages[place])))
      : null,
    ...asked.added.map((place) => messageView(page.messages[place], since === null ? undefined : "new")),
  ];
}

/** @param {PageDocument} page @param {ModelCall} call @returns {Content} */
function answersView(page, call) {
  if (call.answers === null) return absent(call.unreadable ?? "the answer could not be read");
  if (!call.answers.length) return absent("it holds no message");
  const several = call.answers.length > 1;
  return call.answers.map((place, choice) => messageView(page.messages[place], several ? `choice ${choice + 1}` : undefined));
}

/** @param {PageDocument} page @param {ModelCall} call @returns {Content} */
function ledToView(page, call) {
  const files = page.changes?.files;
  if (!files || !call.led_to.length) return null;
  const items = call.led_to.map((led) => element("li", {}, element("a", { href: `#file-${led.file}` }, recorded(files[led.file].path)), ` ${led.confidence}`, led.tool ? [" by ", recorded(led.tool)] : null));
  return [element("h4", {}, "What it led to in the workdir"), element("ul", {}, items)];
}
