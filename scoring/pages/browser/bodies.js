/** The bodies of the calls, which are unpacked when one is asked for. */

class Bodies {
  constructor() {
    /** @type {Promise<PageBody[]> | null} */
    this.unpacked = null;
    /** @type {Map<number, string>} */
    this.texts = new Map();
  }

  /** The text of a body, by its place. @param {number} place */
  async text(place) {
    this.unpacked ??= unpackBodies();
    const bodies = await this.unpacked;
    const chain = [];
    for (let at = /** @type {number | null} */ (place); at !== null && !this.texts.has(at); at = bodies[at].like) chain.push(at);
    for (const at of chain.reverse()) {
      const body = bodies[at];
      const base = body.like === null ? "" : /** @type {string} */ (this.texts.get(body.like));
      this.texts.set(at, base.slice(0, body.prefix) + body.text + base.slice(base.length - body.suffix));
    }
    return /** @type {string} */ (this.texts.get(place));
  }
}

/** @returns {Promise<PageBody[]>} */
async function unpackBodies() {
  const packed = embedded("bodies");
  if (packed === null) return [];
  const bytes = Uint8Array.from(atob(packed.data), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return (await new Response(stream).json()).bodies;
}

/**
 * A body that is shown when it is opened.
 * @param {View} view
 * @param {string} what
 * @param {BodyRef} body
 */
function bodyView(view, what, body) {
  const size = body.bytes === null ? "" : `, ${bytes(body.bytes)}`;
  const facts = [element("p.note", {}, "sha256 ", element("code", {}, body.hash ?? UNKNOWN)), body.note ? element("p.note", {}, body.note) : null];
  if (body.place === null) return element("div", {}, element("h5", {}, `${what}${size}`), absent(body.note ?? "it is not on the page"), facts[0]);
  const place = body.place;
  return disclosure(`${what}${size}`, () => {
    const box = element("div", {}, element("p", { role: "status" }, "Unpacking …"));
    view.bodies.text(place).then(
      (text) => box.replaceChildren(element("p", {}, copyButton(text, what)), longText(text), ...nodes(facts)),
      () => box.replaceChildren(absent("this browser cannot unpack it: it needs DecompressionStream")),
    );
    return box;
  });
}
