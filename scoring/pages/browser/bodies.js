/** The bodies of the calls, which are unpacked when one is asked for. */

/** The bodies that stand in this page; null if none do. @returns {Promise<PageBodies | null>} */
async function unpackBodies() {
  const packed = embedded("bodies");
  if (!packed) return null;
  const raw = Uint8Array.from(atob(packed.data), (character) => character.charCodeAt(0));
  const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

/** Ask once, and keep the answer. @param {() => Promise<PageBodies | null>} unpack @returns {() => Promise<PageBodies | null>} */
function once(unpack) {
  /** @type {Promise<PageBodies | null> | null} */
  let asked = null;
  return () => (asked ??= unpack());
}

/** A body's text, put together from those that it is like. @param {PageBodies} bodies @param {number} place */
function bodyText({ bodies }, place) {
  const chain = [bodies[place]];
  for (let body = chain[0]; body.like !== null; ) {
    body = bodies[body.like];
    chain.push(body);
  }
  return chain.reduceRight(
    (base, body) => base.slice(0, body.prefix) + body.text + base.slice(base.length - body.suffix),
    "",
  );
}

/** JSON with a line for each member; null if it is none. @param {string} text */
function prettyJson(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return null;
  }
}

/** A body that can be opened. @param {View} view @param {string} key @param {string} title @param {BodyRef} body */
function bodyDisclosure(view, key, title, body) {
  const size = body.bytes === null ? null : ` ${bytes(body.bytes)}`;
  const summary = [title, element("span.quiet", {}, size)];
  return disclosure(view, key, summary, () => {
    const holder = element("div.body", { "aria-busy": "true" }, element("p.quiet", {}, "Unpacking …"));
    showBody(view, key, title, body, holder).catch((/** @type {Error} */ error) =>
      holder.replaceChildren(absent(`The body could not be unpacked: ${error.message}`)),
    );
    return holder;
  });
}

/** @param {View} view @param {string} key @param {string} title @param {BodyRef} body @param {HTMLElement} holder */
async function showBody(view, key, title, body, holder) {
  const facts = element(
    "p.quiet",
    {},
    body.hash ? ["sha256 ", element("code", {}, body.hash)] : null,
    body.note ? [" ", sentence(body.note)] : null,
  );
  const bodies = body.place === null ? null : await view.bodies();
  holder.removeAttribute("aria-busy");
  if (body.place === null || !bodies) {
    holder.replaceChildren(facts, body.note ? "" : absent("The body is not in this page."));
    return;
  }
  const raw = bodyText(bodies, body.place);
  const pretty = prettyJson(raw);
  const { cut } = bodies.bodies[body.place];
  const text = element("div");
  const draw = (/** @type {boolean} */ asWritten) =>
    text.replaceChildren(longText(view, `${key}.all`, asWritten || pretty === null ? raw : pretty, title));
  const choice = /** @type {HTMLInputElement} */ (element("input", { type: "checkbox", onchange: () => {
    view.state.set(`${key}.raw`, choice.checked);
    draw(choice.checked);
  } }));
  choice.checked = view.state.get(`${key}.raw`) ?? false;
  draw(choice.checked);
  holder.replaceChildren(
    facts,
    element("p.controls", {}, pretty === null ? null : element("label", {}, choice, " as it was sent"), copyButton(title, () => raw)),
    text,
    cut ? absent(`${counted(cut, "more character")} are not in this page.`) : "",
  );
}
