/** Text of a record: what it hides is made visible, and its direction of writing stays its own. */

/**
 * Controls, marks of direction, and characters without width or shape: they could make a text look like another one.
 * A line's end and a tab are none, nor is the joiner within emoji.
 */
const HIDDEN =
  /([\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]|\r(?!\n))/u;

/** Letters that are written from right to left. */
const LEFTWARD = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** More than this in one text are marked as text alone: elements cost time. */
const MOST_MARKS = 200;

/** Names of the controls from 0, as ASCII gives them. */
const CONTROL_NAMES =
  "NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US".split(" ");

/** What stands for a hidden character. @param {string} character */
function visible(character) {
  const code = /** @type {number} */ (character.codePointAt(0));
  return CONTROL_NAMES[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** The same as text alone, for an attribute. @param {string} text */
function marked(text) {
  return text.split(HIDDEN).map((piece, place) => (place % 2 ? `‹${visible(piece)}›` : piece)).join("");
}

/**
 * A text of the record, to stand in the page.
 * @param {string} text
 * @returns {Piece}
 */
function recorded(text) {
  const hides = HIDDEN.test(text);
  if (!hides) return LEFTWARD.test(text) ? element("bdi", {}, text) : text;
  const pieces = text.split(HIDDEN);
  const few = pieces.slice(0, 2 * MOST_MARKS);
  const rest = pieces.slice(2 * MOST_MARKS).map((piece, place) => (place % 2 ? `‹${visible(piece)}›` : piece));
  return element("bdi", {}, few.map((piece, place) => (place % 2 ? hiddenMark(piece) : piece)), rest.join(""));
}

/** @param {string} character */
function hiddenMark(character) {
  return element("span.hidden-mark", { title: "a character that would not show" }, visible(character));
}

/** A phrase of the record as a sentence. @param {string} phrase */
function sentence(phrase) {
  const text = phrase.charAt(0).toUpperCase() + phrase.slice(1);
  return recorded(/[.!?]$/.test(text) ? text : `${text}.`);
}
