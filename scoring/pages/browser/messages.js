/** Messages of a conversation. */

/** @param {View} view @param {string} key @param {number[]} places */
function messageList(view, key, places) {
  const list = element("ol.messages");
  return element("div", {}, showSome(list, places, 40, "messages", (place) => messageItem(view, `${key}.${place}`, view.page.messages[place])));
}

/** @param {View} view @param {string} key @param {Message} message */
function messageItem(view, key, message) {
  const role = words(message.role);
  return element(
    `li.message.role-${message.role.replace(/\W/g, "")}`,
    {},
    element(
      "p.role",
      {},
      element("strong", {}, role),
      message.tool_call_id ? [" answers ", element("code", {}, recorded(message.tool_call_id))] : null,
    ),
    message.reasoning ? [element("p.kind", {}, "reasoning"), longText(view, `${key}.reasoning`, message.reasoning, "Reasoning")] : null,
    message.refusal ? [element("p.kind", {}, "refusal"), longText(view, `${key}.refusal`, message.refusal, "Refusal")] : null,
    message.text ? longText(view, `${key}.text`, message.text, `Message of ${role}`) : null,
    message.cut ? absent(`${counted(message.cut, "more character")} are not in this page.`) : null,
    message.tool_calls.map((call, place) => toolCall(view, `${key}.tool.${place}`, call)),
  );
}

/** @param {View} view @param {string} key @param {Message["tool_calls"][number]} call */
function toolCall(view, key, call) {
  return element(
    "div.tool-call",
    {},
    element("p.kind", {}, "calls ", element("code.name", {}, recorded(call.name)), call.id ? [" as ", element("code", {}, recorded(call.id))] : null),
    longText(view, key, prettyJson(call.arguments) ?? call.arguments, `Arguments of ${marked(call.name)}`),
  );
}
