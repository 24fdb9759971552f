/** One call, opened. */

/** @param {View} view @param {number} place in the calls of the page */
function callPanel(view, place) {
  const { page } = view;
  const call = page.calls[place];
  const key = `call.${call.id}`;
  return element(
    "article.call",
    { id: `call-${call.id}`, tabindex: -1, "aria-labelledby": "call-title" },
    element(
      "header",
      {},
      element("h3", { id: "call-title" }, `Call ${count(place + 1)} of ${count(page.calls.length)}`),
      callStep(view, place - 1, "← before"),
      callStep(view, place + 1, "next →"),
      element("button", { type: "button", onclick: () => closeCall(view) }, "Close"),
    ),
    callState(view, call),
    element("div.facts", {}, callFacts(call), callTiming(call), callParameters(page, call)),
    callLedTo(view, call),
    askedPart(view, key, call),
    answerPart(view, key, call),
    element("h4", {}, "As it passed"),
    bodyDisclosure(view, `${key}.request`, "Request body", call.request_body),
    bodyDisclosure(view, `${key}.response`, "Response body", call.response_body),
  );
}

/** @param {View} view @param {number} place @param {string} label */
function callStep(view, place, label) {
  const there = place >= 0 && place < view.page.calls.length;
  return element("button", { type: "button", disabled: !there, onclick: () => openCall(view, place) }, label);
}

/** How it ended, where that needs words; and the attempts that belong to it. @param {View} view @param {ModelCall} call */
function callState(view, call) {
  const { calls } = view.page;
  const later = calls.findIndex((other) => other.retry_of !== null && calls[other.retry_of] === call);
  const attempts = [
    call.retry_of === null ? null : [`Attempt ${call.attempt ?? "again"}, after that of `, callLink(view.page, call.retry_of), ". "],
    later < 0 ? null : ["It was tried again by ", callLink(view.page, later), ". "],
  ];
  return element(
    "div",
    {},
    hasFailed(call)
      ? element("div.fault", {}, element("strong.bad", {}, failureWord(call)), call.error_message ? [": ", scalarValue(view, `call.${call.id}.error`, call.error_message)] : null)
      : null,
    attempts.some(Boolean) ? element("p", {}, attempts.flat()) : null,
    call.discarded ? element("p", {}, "The agent did not read its answer to the end.") : null,
  );
}

/** @param {PageDocument} page @param {number} place */
function callLink(page, place) {
  return element("a", { href: `#call-${page.calls[place].id}` }, `call ${count(place + 1)}`);
}

/** @param {"h3" | "h4"} level of the heading @param {string} title @param {[string, Content][]} lines */
function factList(level, title, lines) {
  return element(
    "div",
    {},
    element(level, {}, title),
    element("dl", {}, lines.flatMap(([label, value]) => [element("dt", {}, recorded(label)), element("dd", {}, value)])),
  );
}

/** @param {ModelCall} call */
function callFacts(call) {
  const model =
    call.model_asked === call.model_answered || call.model_answered === null
      ? [recorded(call.model_asked ?? UNKNOWN)]
      : [recorded(call.model_asked ?? UNKNOWN), ", answered by ", recorded(call.model_answered)];
  const reasoning = call.reasoning === null ? "" : `, of it reasoning ${count(call.reasoning)}`;
  return factList("h4", "Call", [
    ["Model", model],
    ["Endpoint", recorded(`${call.method} ${call.endpoint ?? ""}${call.path}`)],
    ["Form", `${call.api ? words(call.api) : UNKNOWN}${call.streamed ? ", streamed" : ""}`],
    ["Status", `${call.status ?? UNKNOWN}, ${words(call.outcome)}`],
    ["Finish", recorded(call.finish.join(", ") || UNKNOWN)],
    ["Tokens", `${count(call.prompt)} in, of it cached ${count(call.cached)}; ${count(call.completion)} out${reasoning}`],
    ["Counted by", [words(call.usage_source), call.usage_reason ? [element("span.note", {}, recorded(call.usage_reason))] : null].flat()],
    ["Request hash", element("code", {}, call.request_hash ?? UNKNOWN)],
  ]);
}

/** @param {ModelCall} call */
function callTiming(call) {
  const end = call.end_ms === null ? "not ended" : duration(call.end_ms);
  return factList("h4", "Timing", [
    ["From the start", `${duration(call.start_ms)} to ${end}`],
    ...call.timing.map(([name, ms]) => /** @type {[string, Content]} */ ([words(name), duration(ms)])),
  ]);
}

/** @param {PageDocument} page @param {ModelCall} call */
function callParameters(page, call) {
  const since = call.asked?.since ?? null;
  const lines = changedParameters(call, since === null ? null : page.calls[since]).map(({ name, value, was }) => {
    const shown = element("code", {}, recorded(value));
    return /** @type {[string, Content]} */ ([name, was === null ? shown : [shown, element("span.note", {}, "before: ", recorded(was))]]);
  });
  const tools = call.tools === null ? UNKNOWN : call.tools.length ? recorded(call.tools.join(", ")) : "none";
  return factList("h4", "Parameters", [...lines, ["Tools offered", tools]]);
}

/** @param {View} view @param {ModelCall} call */
function callLedTo(view, call) {
  const { changes } = view.page;
  if (!call.led_to.length || !changes) return null;
  return element(
    "div",
    {},
    element("h4", {}, "Changes that it led to"),
    element(
      "ul.plain",
      {},
      call.led_to.map(({ file, confidence, tool }) =>
        element(
          "li",
          {},
          element("a", { href: `#change-${file}` }, recorded(changes.files[file].path)),
          element("span.quiet", {}, ` ${words(confidence)}${tool ? `, by ${marked(tool)}` : ""}`),
        ),
      ),
    ),
  );
}

/** @param {View} view @param {string} key @param {ModelCall} call */
function askedPart(view, key, call) {
  const { asked } = call;
  if (!asked) return [element("h4", {}, "Request"), absent(call.unreadable ?? "The request could not be read.")];
  const { kept, dropped } = earlierMessages(view.page, asked);
  const before = asked.since === null ? null : callLink(view.page, asked.since);
  return element(
    "div",
    {},
    element("h4", {}, before ? "New in the request" : "Messages of the request"),
    before
      ? element("p.quiet", {}, "Against ", before, `: kept ${count(asked.kept)}, left out ${count(asked.dropped)}, added ${count(asked.added.length)}.`)
      : null,
    kept.length ? disclosure(view, `${key}.kept`, `${counted(kept.length, "message")} kept`, () => messageList(view, `${key}.kept`, kept)) : null,
    dropped.length
      ? disclosure(view, `${key}.dropped`, `${counted(dropped.length, "message")} left out`, () => messageList(view, `${key}.dropped`, dropped))
      : null,
    asked.added.length ? messageList(view, `${key}.added`, asked.added) : absent("No message was added."),
  );
}

/** @param {View} view @param {string} key @param {ModelCall} call */
function answerPart(view, key, call) {
  const choices = call.answers ?? [];
  return element(
    "div",
    {},
    element("h4", {}, choices.length > 1 ? `Answer, ${choices.length} choices` : "Answer"),
    choices.length ? messageList(view, `${key}.answer`, choices) : absent(call.unreadable ?? "There is no answer."),
  );
}
