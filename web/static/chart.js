/** Observed values against the expected band, drawn by uPlot; the arrow keys walk through the points. */

import { h, setText } from "./dom.js";
import uPlot from "./vendor/uplot/uPlot.esm.js";
import { axisDay, axisTime, bothTimes, number, withUnit } from "./words.js";

const HEIGHT = 210;
const DAY_S = 86_400;
const scheme = matchMedia("(prefers-color-scheme: dark)");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class AlertChart {
  #plot = null;

  /** points: {time, value, expected, lower, upper} by time, epoch ms; onset and cleared in epoch ms. */
  constructor(place, { points, unit, label, onset, cleared }) {
    this.points = points;
    this.unit = unit;
    this.onset = onset;
    this.cleared = cleared;
    this.canvas = h("div", { class: "chart", role: "figure", tabindex: "0", "aria-label": `${label}. Arrow keys read the values; the same numbers stand in the table below.`, onkeydown: (event) => this.#key(event) });
    this.readout = h("p", { class: "readout minor", "aria-live": "polite" });
    const key = h("ul", { class: "legend" },
      h("li", {}, h("span", { class: "swatch observed" }), "Observed"), h("li", {}, h("span", { class: "swatch expected" }), "Expected"),
      h("li", {}, h("span", { class: "swatch usual" }), "Usual range"), h("li", {}, h("span", { class: "swatch during" }), "Alert"));
    place.replaceChildren(key, this.canvas, this.readout);
    this.redraw = () => this.#draw();
    scheme.addEventListener("change", this.redraw);
    this.observer = new ResizeObserver(() => this.#plot?.setSize({ width: this.canvas.clientWidth, height: HEIGHT }));
    this.observer.observe(this.canvas);
    this.#draw();
  }

  destroy() {
    this.observer.disconnect();
    scheme.removeEventListener("change", this.redraw);
    this.#plot?.destroy();
    this.#plot = null;
  }

  #columns() {
    const pick = (name) => this.points.map((point) => point[name] ?? null);
    return [this.points.map((point) => point.time / 1000), pick("lower"), pick("upper"), pick("expected"), pick("value")];
  }

  #draw() {
    this.#plot?.destroy();
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: "12px system-ui, sans-serif" };
    const none = { width: 0, points: { show: false } };
    this.#plot = new uPlot(
      {
        width: this.canvas.clientWidth || 400,
        height: HEIGHT,
        padding: [10, 22, 0, 0],
        legend: { show: false },
        cursor: { drag: { x: true, y: false }, points: { size: 7 } },
        scales: { x: { time: true } },
        axes: [
          { ...axis, space: 64, values: (_, ticks, __, ___, step) => ticks.map((s) => (step >= DAY_S ? axisDay(s * 1000) : axisTime(s * 1000))) },
          { ...axis, size: 52, values: (_, ticks) => ticks.map((value) => value.toLocaleString("en-GB")), label: this.unit || null, labelSize: this.unit ? 18 : 0, labelFont: "12px system-ui, sans-serif" },
        ],
        series: [
          {},
          { ...none, spanGaps: true },
          { ...none, spanGaps: true },
          { stroke: colour("--muted"), width: 1.5, dash: [5, 4], spanGaps: true, points: { show: false } },
          { stroke: colour("--accent"), width: 2, points: { show: this.points.length < 60, size: 5 }, gaps: (u, at, first, last, found) => this.#gaps(u, first, last, found) },
        ],
        bands: [{ series: [2, 1], fill: colour("--band") }],
        hooks: { drawClear: [(plot) => this.#episode(plot)], setCursor: [(plot) => this.#tell(plot.cursor.idx)] },
      },
      this.#columns(),
      this.canvas,
    );
    this.#tell(null);
  }

  /** Also break the line where points lie far apart: no reading came there. */
  #gaps(plot, first, last, found) {
    const times = plot.data[0];
    const steps = times.slice(1).map((time, at) => time - times[at]).sort((a, b) => a - b);
    const usual = steps[steps.length >> 1] ?? 0;
    for (let at = first + 1; at <= last; at += 1) {
      if (times[at] - times[at - 1] > 2.5 * usual) found.push([plot.valToPos(times[at - 1], "x", true), plot.valToPos(times[at], "x", true)]);
    }
    return found.sort((a, b) => a[0] - b[0]);
  }

  #episode(plot) {
    const { ctx, bbox } = plot;
    const clamp = (x) => Math.min(bbox.left + bbox.width, Math.max(bbox.left, x));
    const from = clamp(plot.valToPos(this.onset / 1000, "x", true));
    const to = this.cleared ? clamp(plot.valToPos(this.cleared / 1000, "x", true)) : bbox.left + bbox.width;
    ctx.save();
    ctx.fillStyle = colour("--during");
    ctx.fillRect(from, bbox.top, to - from, bbox.height);
    ctx.fillStyle = colour("--high");
    ctx.fillRect(from, bbox.top, 1.5 * devicePixelRatio, bbox.height);
    ctx.restore();
  }

  #tell(index) {
    const point = this.points[index ?? this.points.length - 1];
    const parts = [bothTimes(point.time, null), `observed ${withUnit(point.value, this.unit)}`];
    if (point.expected !== null && point.expected !== undefined) parts.push(`expected ${number(point.expected)} (${number(point.lower)} to ${number(point.upper)})`);
    setText(this.readout, parts.join(" — "));
  }

  #key(event) {
    const last = this.points.length - 1;
    const at = this.#plot.cursor.idx ?? last;
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, PageUp: at - 10, PageDown: at + 10, Home: 0, End: last }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const index = Math.min(last, Math.max(0, next));
    const point = this.points[index];
    const height = point.value ?? point.expected;
    this.#plot.setCursor({ left: this.#plot.valToPos(point.time / 1000, "x"), top: height === null ? 0 : this.#plot.valToPos(height, "y") });
  }
}
