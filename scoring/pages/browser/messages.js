/** Messages of a conversation. */

/** @param {Message} message @param {string} [note] */
function messageView(message, note) {
  return element(
    `article.message.${/^[a-z]+$/.test(message.role) ? message.role : "other"}`,
    {},
    element("h5", {}, recorded(message.role), note ? element("span.note", {}, ` ${note}`) : null),
    message.tool_call_id ? element("p.note", {}, "answers tool call ", element("code", {}, recorded(message.tool_call_id))) : null,
    message.reasoning ? disclosure("Reasoning", () => longText(/** @type {string} */ (message.reasoning))) : null,
    message.text ? longText(message.text, message.cut ? `${count(message.cut)} more characters are not on the page` : null) : null,
    message.refusal ? element("p", {}, "Refusal: ", recorded(message.refusal)) : null,
    message.tool_calls.map(toolCallView),
  );
}

/** @param {Message["tool_calls"][number]} call */
function toolCallView(call) {
  return element("div.toolcall", {}, element("p", {}, "Tool call ", element("code", {}, recorded(call.name)), call.id ? element("span.note", {}, " ", recorded(call.id)) : null), longText(prettyJson(call.arguments)));
}

/** JSON with line breaks; what is no JSON as it is. @param {string} text */
function prettyJson(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/**
 * All messages of a call's request, in their order: places in `page.messages`.
 * @param {PageDocument} page
 * @param {number} index
 */
function conversation(page, index) {
  const chain = [];
  for (let at = /** @type {number | null} */ (index); at !== null; at = page.calls[at].asked?.since ?? null) chain.push(at);
  /** @type {number[]} */
  let messages = [];
  for (const at of chain.reverse()) {
    const asked = page.calls[at].asked;
    messages = asked ? [...messages.slice(0, asked.kept), ...asked.added] : [];
  }
  return messages;
}
