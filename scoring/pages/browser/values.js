/** Values of any form, nested, to be read. */

/** @param {unknown} value */
function isScalar(value) {
  return value === null || typeof value !== "object";
}

/**
 * What of a value has to do with a text: itself, if its name or a scalar of it holds the text; undefined if nothing does.
 * @param {string} name @param {unknown} value @param {string} text in lower case
 * @returns {unknown}
 */
function filteredValue(name, value, text) {
  if (!text || name.toLowerCase().replaceAll("_", " ").includes(text) || name.toLowerCase().includes(text)) return value;
  if (isScalar(value)) return String(value).toLowerCase().includes(text) ? value : undefined;
  if (Array.isArray(value)) {
    const kept = value.filter((item) => filteredValue("", item, text) !== undefined);
    return kept.length ? kept : undefined;
  }
  const kept = Object.entries(/** @type {object} */ (value))
    .map(([key, inner]) => /** @type {[string, unknown]} */ ([key, filteredValue(key, inner, text)]))
    .filter(([, inner]) => inner !== undefined);
  return kept.length ? Object.fromEntries(kept) : undefined;
}

/** @param {View} view @param {string} key @param {unknown} value @returns {Node} */
function valueTree(view, key, value) {
  if (isScalar(value)) return scalarValue(view, key, value);
  if (Array.isArray(value)) return listValue(view, key, value);
  const entries = Object.entries(/** @type {object} */ (value));
  if (!entries.length) return element("span.none", {}, "none");
  return element(
    "dl.values",
    {},
    entries.flatMap(([name, inner]) => [
      element("dt", {}, recorded(name)),
      element(isEmptyOrScalar(inner) ? "dd" : "dd.nested", {}, valueTree(view, `${key}.${name}`, inner)),
    ]),
  );
}

/** @param {unknown} value */
function isEmptyOrScalar(value) {
  return isScalar(value) || Object.keys(/** @type {object} */ (value)).length === 0;
}

/** @param {View} view @param {string} key @param {unknown} value @returns {Node} */
function scalarValue(view, key, value) {
  if (value === null || value === undefined) return element("span.none", {}, UNKNOWN);
  if (typeof value !== "string") return element("span.scalar", {}, String(value));
  if (value === "") return element("span.none", {}, "empty");
  if (value.includes("\n") || value.length > 600) return longText(view, key, value, "Value");
  return element("span", {}, recorded(value));
}

/** @param {View} view @param {string} key @param {unknown[]} value @returns {Node} */
function listValue(view, key, value) {
  if (!value.length) return element("span.none", {}, "none");
  const short = value.every((item) => isScalar(item) && String(item).length < 60);
  const list = element(short ? "ul.list.short" : "ul.list");
  return element("div", {}, showSome(list, value, 60, "values", (item, place) => element("li", {}, valueTree(view, `${key}.${place}`, item))));
}
