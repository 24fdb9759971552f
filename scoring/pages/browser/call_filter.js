/** Which calls are shown, and in which order. */

/** @param {ModelCall} call */
function hasFailed(call) {
  return Boolean(call.error) || (call.outcome !== "completed" && call.outcome !== "in_flight") || (call.status !== null && call.status >= 400);
}

/** How it failed, in a few words. @param {ModelCall} call */
function failureWord(call) {
  const status = call.status !== null && call.status >= 400 ? String(call.status) : "";
  const why = call.error ?? (call.outcome === "completed" ? "" : call.outcome);
  return [status, words(why)].filter(Boolean).join(" ");
}

/** Places of the calls that are an attempt among several. @param {ModelCall[]} calls */
function retriedCalls(calls) {
  return new Set(calls.flatMap((call, place) => (call.retry_of === null ? [] : [place, call.retry_of])));
}

/**
 * @param {PageDocument} page
 * @param {string} text that must stand in the call: its model, finish, hash, error or messages
 * @returns {(place: number) => boolean}
 */
function callsWith(page, text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return () => true;
  const holds = (/** @type {(string | null)[]} */ ...texts) => texts.some((part) => part !== null && part.toLowerCase().includes(wanted));
  const said = page.messages.map((message) =>
    holds(message.text, message.reasoning, message.refusal, ...message.tool_calls.flatMap((call) => [call.name, call.arguments])),
  );
  return (place) => {
    const call = page.calls[place];
    return (
      holds(call.model_asked, call.model_answered, call.request_hash, call.error, call.error_message, call.outcome, ...call.finish) ||
      [...(call.asked?.added ?? []), ...(call.answers ?? [])].some((message) => said[message])
    );
  };
}

/**
 * @param {ModelCall[]} calls
 * @param {number[]} places
 * @param {(call: ModelCall) => string | number | null} by nothing known comes last, whichever the direction
 * @param {boolean} falling
 */
function sortedCalls(calls, places, by, falling) {
  const keys = new Map(places.map((place) => [place, by(calls[place])]));
  return [...places].sort((first, second) => {
    const a = keys.get(first) ?? null;
    const b = keys.get(second) ?? null;
    if (a === null || b === null) return Number(a === null) - Number(b === null) || first - second;
    const order = a < b ? -1 : a > b ? 1 : 0;
    return (falling ? -order : order) || first - second;
  });
}
