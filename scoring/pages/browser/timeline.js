/** The bars of the spans, on a canvas: where each stands, and which part of the time is seen. */

const AXIS_HEIGHT = 22;
/** Of a lane, in pixels, between these, as many as there are. */
const LANE = { least: 8, most: 22, all: 400 };
/** The shortest stretch of time that can be seen, in milliseconds. */
const CLOSEST = 1;
const STEPS = [1, 2, 5];

class Timeline {
  /**
   * @param {Span[]} spans @param {number} end of the run
   * @param {(place: number) => void} onchoose of a span, by a click
   */
  constructor(spans, end, onchoose) {
    this.spans = spans;
    this.end = Math.max(end, CLOSEST);
    this.from = 0;
    this.to = this.end;
    this.chosen = -1;
    this.now = 0;
    this.lanes = spans.reduce((most, span) => Math.max(most, span.lane + 1), 1);
    this.laneHeight = Math.round(Math.min(LANE.most, Math.max(LANE.least, LANE.all / this.lanes)));
    this.canvas = /** @type {HTMLCanvasElement} */ (element("canvas", { "aria-hidden": "true" }));
    this.hand = element("div.hand", {});
    this.frame = element("div.chosen-span", {});
    this.box = element("div.timeline", {}, this.canvas, this.frame, this.hand);
    /** @type {Map<string, string>} */
    this.colours = new Map();
    this.width = 0;
    this.due = false;
    this.listen(onchoose);
  }

  get height() {
    return AXIS_HEIGHT + this.lanes * this.laneHeight + 4;
  }

  /** @param {(place: number) => void} onchoose */
  listen(onchoose) {
    new ResizeObserver(() => this.draw()).observe(this.box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    // The page has a switch of its own for the scheme.
    new MutationObserver(() => this.draw()).observe(document.documentElement, { attributes: true, attributeFilter: ["style"] });
    /** @type {{ x: number, from: number, moved: boolean } | null} */
    let drag = null;
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      drag = { x: event.clientX, from: this.from, moved: false };
      if (event.pointerType === "mouse") this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!drag) {
        this.canvas.title = this.spans[this.at(event.offsetX, event.offsetY)]?.name ?? "";
        return;
      }
      drag.moved ||= Math.abs(event.clientX - drag.x) > 4;
      if (drag.moved) this.look(drag.from - ((event.clientX - drag.x) / this.width) * (this.to - this.from));
    });
    this.canvas.addEventListener("pointerup", (event) => {
      const place = drag && !drag.moved ? this.at(event.offsetX, event.offsetY) : -1;
      drag = null;
      if (place >= 0) onchoose(place);
    });
    this.canvas.addEventListener("pointercancel", () => (drag = null));
    this.canvas.addEventListener(
      "wheel",
      (event) => {
        if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(event.deltaY / 200), this.momentAt(event.offsetX));
        else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.pan((event.deltaX || event.deltaY) / this.width);
        else return;
        event.preventDefault();
      },
      { passive: false },
    );
  }

  /** @param {number} x */
  momentAt(x) {
    return this.from + (x / Math.max(this.width, 1)) * (this.to - this.from);
  }

  /** @param {number} moment */
  xOf(moment) {
    return ((moment - this.from) / (this.to - this.from)) * this.width;
  }

  /** See the same length of time from another moment on. @param {number} from */
  look(from) {
    const length = this.to - this.from;
    this.from = Math.min(Math.max(from, 0), this.end - length);
    this.to = this.from + length;
    this.draw();
  }

  /** @param {number} share of what is seen */
  pan(share) {
    this.look(this.from + share * (this.to - this.from));
  }

  /** See more (above 1) or less of the time, around a moment. @param {number} factor @param {number} [around] */
  zoom(factor, around = this.now >= this.from && this.now <= this.to ? this.now : (this.from + this.to) / 2) {
    const length = Math.min(Math.max((this.to - this.from) * factor, CLOSEST), this.end);
    const share = (around - this.from) / (this.to - this.from);
    this.to = this.from + length;
    this.look(around - share * length);
  }

  /** See all. */
  fit() {
    this.from = 0;
    this.to = this.end;
    this.draw();
  }

  /** Move the hand; when it leaves what is seen, that moves too. @param {number} now */
  point(now) {
    this.now = now;
    if (now < this.from || now > this.to) this.look(now - (this.to - this.from) / 10);
    this.hand.style.transform = `translateX(${this.xOf(now)}px)`;
  }

  /** @param {number} place */
  choose(place) {
    this.chosen = place;
    const { lane } = this.spans[place];
    const top = AXIS_HEIGHT + lane * this.laneHeight;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + this.laneHeight > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + this.laneHeight - this.box.clientHeight;
    this.placeFrame();
  }

  /** The chosen one has a frame, which lies over the canvas: while it plays, nothing is drawn anew. */
  placeFrame() {
    const span = this.spans[this.chosen];
    const [left, right] = span ? this.extent(span) : [0, -1];
    this.frame.hidden = right < left;
    if (!span || this.frame.hidden) return;
    const { style } = this.frame;
    style.transform = `translate(${left - 1}px, ${AXIS_HEIGHT + span.lane * this.laneHeight}px)`;
    style.width = `${Math.max(right - left, 1.5) + 2}px`;
    style.height = `${this.laneHeight}px`;
  }

  /** From where to where a span is seen; the other way round if it is not. @param {Span} span @returns {[number, number]} */
  extent(span) {
    return [Math.max(this.xOf(span.start_ms), -4), Math.min(this.xOf(span.end_ms ?? this.end), this.width + 4)];
  }

  /** The span at a point of the canvas; -1: none. Narrow ones are found two pixels away. @param {number} x @param {number} y */
  at(x, y) {
    const lane = Math.floor((y - AXIS_HEIGHT) / this.laneHeight);
    let [nearest, distance] = [-1, 3];
    this.spans.forEach((span, place) => {
      if (span.lane !== lane) return;
      const away = Math.max(this.xOf(span.start_ms) - x, x - this.xOf(span.end_ms ?? this.end), 0);
      if (away < distance) [nearest, distance] = [place, away];
    });
    return nearest;
  }

  /** Draw all, with the next frame of the browser. */
  draw() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.paint();
    });
  }

  paint() {
    this.width = this.box.clientWidth;
    const context = this.canvas.getContext("2d");
    if (!context || !this.width) return;
    const ratio = devicePixelRatio || 1;
    const [wide, high] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    if (this.canvas.width !== wide || this.canvas.height !== high) [this.canvas.width, this.canvas.height] = [wide, high];
    this.canvas.style.height = `${this.height}px`;
    this.hand.style.height = `${this.height}px`;
    this.hand.style.transform = `translateX(${this.xOf(this.now)}px)`;
    this.learnColours();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    context.font = `11px ${getComputedStyle(this.box).fontFamily}`;
    context.textBaseline = "middle";
    this.paintAxis(context);
    for (const span of this.spans) this.paintSpan(context, span);
    this.placeFrame();
  }

  /** The colours that the style sheet gives to kinds, as the scheme of the moment has them. */
  learnColours() {
    const probe = element("span", {});
    this.box.append(probe);
    for (const name of [...KINDS.map(kindClass), "kind-other", "failed", "axis"]) {
      probe.className = `swatch ${name}`;
      const { color, backgroundColor } = getComputedStyle(probe);
      this.colours.set(name, backgroundColor).set(`${name}-ink`, color);
    }
    probe.remove();
  }

  /** @param {string} name */
  colour(name) {
    return this.colours.get(name) ?? "gray";
  }

  /** @param {CanvasRenderingContext2D} context */
  paintAxis(context) {
    const least = ((this.to - this.from) / Math.max(this.width, 1)) * 90;
    const power = 10 ** Math.floor(Math.log10(least));
    const step = power * ([...STEPS, 10].find((factor) => factor * power >= least) ?? 10);
    for (let tick = Math.ceil(this.from / step) * step; tick <= this.to; tick += step) {
      const x = Math.round(this.xOf(tick)) + 0.5;
      context.fillStyle = this.colour("axis");
      context.fillRect(x - 0.5, AXIS_HEIGHT - 5, 1, this.height);
      context.fillStyle = this.colour("axis-ink");
      const text = axisText(tick, step);
      const room = this.width - context.measureText(text).width;
      context.fillText(text, Math.min(x + 3, room), AXIS_HEIGHT / 2 - 1);
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {Span} span */
  paintSpan(context, span) {
    const [left, right] = this.extent(span);
    if (right < -2 || left > this.width + 2) return;
    const [y, width, height] = [AXIS_HEIGHT + span.lane * this.laneHeight + 1, Math.max(right - left, 1.5), this.laneHeight - 2];
    const kind = kindClass(span.kind);
    context.fillStyle = this.colour(span.error !== null && width < 8 ? "axis" : kind);
    context.fillRect(left, y, width, height);
    if (span.error !== null) this.paintFailure(context, left, y, width, height);
    const begin = Math.max(left, 0) + (span.error === null ? 4 : 15);
    const room = right - begin - 4;
    if (room < 24 || this.laneHeight < 14) return;
    context.fillStyle = this.colour(`${kind}-ink`);
    context.fillText(fitting(context, span.name, room), begin, y + height / 2 + 0.5);
  }

  /**
   * The mark of an error: an exclamation mark; where there is no room for it, dashes.
   * @param {CanvasRenderingContext2D} context
   * @param {number} left @param {number} y @param {number} width @param {number} height
   */
  paintFailure(context, left, y, width, height) {
    const mark = Math.min(12, Math.max(width, 3));
    const begin = Math.max(left, 0);
    context.fillStyle = this.colour("failed");
    if (mark < 8 || height < 10) {
      for (let dash = 0; dash < height; dash += 4) context.fillRect(begin, y + dash, mark, Math.min(2, height - dash));
      return;
    }
    context.fillRect(begin, y, mark, height);
    context.fillStyle = this.colour("failed-ink");
    context.fillText("!", begin + 4, y + height / 2 + 0.5);
  }
}

/** As much of a text as fits. @param {CanvasRenderingContext2D} context @param {string} text @param {number} room */
function fitting(context, text, room) {
  const most = Math.floor(room / 4);
  let shown = text.length > most ? `${text.slice(0, most)}…` : text;
  while (shown.length > 2 && context.measureText(shown).width > room) {
    const share = room / context.measureText(shown).width;
    shown = `${shown.slice(0, Math.max(1, Math.min(shown.length - 2, Math.floor(shown.length * share) - 1)))}…`;
  }
  return shown.length > 2 || shown === text ? shown : "";
}

/** A moment at a tick. @param {number} ms @param {number} step between ticks */
function axisText(ms, step) {
  if (step < 1000) return ms < 1000 || step < 10 ? `${Number(ms.toFixed(step < 1 ? 2 : 0)).toLocaleString("en")} ms` : `${(ms / 1000).toFixed(2)} s`;
  if (step < 60_000 && ms < 60_000) return `${Math.round(ms / 1000)} s`;
  const minutes = Math.floor(ms / 60_000);
  return `${minutes}:${String(Math.round((ms % 60_000) / 1000)).padStart(2, "0")} min`;
}
