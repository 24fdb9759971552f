/** The trace, to be played. */

/** @param {View} view @returns {HTMLElement | null} */
function replaySection(view) {
  const { spans } = view.page;
  if (!spans.length) return section("replay", "Trace", absent(view.page.reasons.spans ?? "No span was recorded."));
  const replay = new Replay(view);
  return replay.part;
}

/** Milliseconds that the details of a span stand at least while the trace plays. */
const LEAST_READ = 200;

/** The timeline with all that belongs to it: which span is chosen, and what follows from it. */
class Replay {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.spans = view.page.spans;
    this.starts = Float64Array.from(this.spans, (span) => span.start_ms);
    this.chosen = -1;
    this.told = -1;
    this.toldAt = -Infinity;
    this.details = element("div.details", { role: "group", "aria-label": "The chosen span" });
    this.said = element("p.visually-hidden", { "aria-live": "polite" });
    this.timeline = new Timeline(this.spans, view.clock.end, (place) => this.go(place));
    const seen = view.state.get("replay.seen");
    if (seen) [this.timeline.from, this.timeline.to] = [seen.from, Math.min(seen.to, this.timeline.end)];
    this.part = section(
      "replay",
      "Trace",
      element("div.player", {}, clockControls(view, "replay"), element("div.settings", {}, this.buttons(), speedControls(view))),
      kindLegend(this.spans),
      this.timeline.box,
      this.said,
      this.details,
      spanTable(this.spans, (place) => this.go(place)),
      keysHelp(),
    );
    view.state.set("replay.seen", this.timeline);
    listenToKeys(view, this.part, this.deeds());
    view.clock.events.set("spans", momentsOf(this.spans));
    this.choose(Math.max(this.spans.findIndex((span) => span.id === view.state.get("replay.chosen")), 0));
    followAs(view, "replay", (now) => this.follow(now));
  }

  buttons() {
    const button = (/** @type {string} */ label, /** @type {string} */ title, /** @type {() => void} */ onclick) =>
      element("button", { type: "button", title, "aria-label": title, onclick }, label);
    return element(
      "span.buttons",
      {},
      button("‹ span", "The span before", () => this.step(-1)),
      button("span ›", "The next span", () => this.step(1)),
      button("+", "Zoom in", () => this.timeline.zoom(0.5)),
      button("−", "Zoom out", () => this.timeline.zoom(2)),
      button("Fit", "See all", () => this.timeline.fit()),
    );
  }

  /** @returns {Record<string, () => void>} */
  deeds() {
    const { clock } = this.view;
    return {
      " ": () => clock.toggle(),
      ArrowLeft: () => this.step(-1),
      ArrowRight: () => this.step(1),
      ",": () => clock.set(clock.now - KEY_STEP),
      ".": () => clock.set(clock.now + KEY_STEP),
      "Shift+ArrowLeft": () => this.timeline.pan(-0.25),
      "Shift+ArrowRight": () => this.timeline.pan(0.25),
      Home: () => clock.set(0),
      End: () => clock.set(clock.end),
      "+": () => this.timeline.zoom(0.5),
      "=": () => this.timeline.zoom(0.5),
      "-": () => this.timeline.zoom(2),
      0: () => this.timeline.fit(),
    };
  }

  /** To the span before or after the chosen one; from between two, to either. @param {number} by -1 or 1 */
  step(by) {
    const stay = by < 0 && !this.isAtStart() ? 0 : by;
    this.go(Math.min(Math.max(this.chosen + stay, 0), this.spans.length - 1));
  }

  /** The clock stands where the chosen span begins. */
  isAtStart() {
    return Math.abs(this.view.clock.now - this.starts[this.chosen]) < 0.001;
  }

  /** To a span that was asked for: its start, and what it is, said. @param {number} place */
  go(place) {
    this.choose(place);
    this.said.textContent = spanSentence(this.spans[place]);
    this.view.clock.set(this.spans[place].start_ms);
  }

  /** @param {number} place */
  choose(place) {
    if (place === this.chosen) return;
    this.chosen = place;
    this.view.state.set("replay.chosen", this.spans[place].id);
    this.timeline.choose(place);
    this.tell();
  }

  /** Show what is known of the chosen one; while it plays not oftener than can be read. */
  tell() {
    if (this.told === this.chosen || (this.view.clock.playing && performance.now() - this.toldAt < LEAST_READ)) return;
    [this.told, this.toldAt] = [this.chosen, performance.now()];
    this.details.replaceChildren(...nodes(spanDetails(this.view, this.chosen)));
  }

  /** The hand goes with the clock, and the span that began last is the chosen one. @param {number} now */
  follow(now) {
    this.timeline.point(now);
    if (!this.isAtStart()) this.choose(Math.max(firstAfter(this.starts, now) - 1, 0));
    this.tell();
  }
}

/** All moments at which a span begins or ends, in order. @param {Span[]} spans */
function momentsOf(spans) {
  return Float64Array.from(spans.flatMap((span) => [span.start_ms, span.end_ms ?? span.start_ms])).sort();
}
