/** A line of a terminal, as elements. */

/** Characters that a monospaced font may not have, so that they are held in a cell of their own. */
const ODD = /[^\u0000-\u02ff\u2500-\u259f]/;
const COLOUR = /^#[0-9a-f]{6}$/;
const COLOUR_NAME = /^(bright)?(black|red|green|yellow|blue|magenta|cyan|white)$/;
const CHARACTERS = new Intl.Segmenter("en", { granularity: "grapheme" });

/** @param {TerminalRun[]} runs @param {TerminalStyle[]} styles */
function terminalLine(runs, styles) {
  return runs.map(([text, style, columns]) => {
    const made = element("span", {}, columns || ODD.test(text) ? terminalCells(text, columns ?? 1) : text);
    dress(made, styles[style]);
    return made;
  });
}

/** Text in pieces that are as wide as their columns. @param {string} text @param {number} columns of each character */
function terminalCells(text, columns) {
  /** @type {(Node | string)[]} */
  const pieces = [];
  for (const { segment } of CHARACTERS.segment(text)) {
    if (columns > 1) pieces.push(element("span.cell.wide", {}, segment));
    else if (ODD.test(segment)) pieces.push(element("span.cell", {}, segment));
    else pieces.push(segment);
  }
  return pieces;
}

/** Give a run its looks. @param {HTMLElement} run @param {TerminalStyle} style */
function dress(run, style) {
  const [ink, paper] = [terminalColour(style.foreground), terminalColour(style.background)];
  const { inverse } = style;
  const colour = inverse ? (paper ?? "var(--terminal-paper)") : ink;
  const background = inverse ? (ink ?? "var(--terminal-ink)") : paper;
  if (colour) run.style.color = colour;
  if (background) run.style.backgroundColor = background;
  if (style.bold) run.classList.add("bold");
  if (style.faint) run.classList.add("faint");
  if (style.italic) run.classList.add("italic");
  if (style.underline) run.classList.add("underline");
  if (style.strike) run.classList.add("strike");
}

/** A colour for a style sheet; null: the terminal's own. @param {string | null} colour */
function terminalColour(colour) {
  if (colour === null) return null;
  if (COLOUR_NAME.test(colour)) return `var(--terminal-${colour})`;
  return COLOUR.test(colour) ? colour : null;
}
