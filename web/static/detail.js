/** The panel of one alert: why it was raised, its numbers, and what operators did and can do. */

import { AlertChart } from "./chart.js";
import { byId, h, severityIcon } from "./dom.js";
import { api } from "./feed.js";
import {
  bothTimes, capital, KIND_WORDS, localTime, number, oneIn, quantityOf, quantityWord, STATE_WORDS, unitOf, utcDayTime, VERDICT_WORDS, withUnit,
} from "./words.js";

const MINUTE = 60_000;
const TABLE_ROWS_MAX = 400;

const row = (term, ...value) => h("div", {}, h("dt", {}, term), h("dd", {}, ...value));
const seriesPath = (series) => series.split("/").map(encodeURIComponent).join("/");

export class Detail {
  #previewed = null;
  #series = null;
  #chart = null;
  #drawing = 0;

  constructor(town, { act, close, signed }) {
    this.town = town;
    this.act = act;
    this.signed = signed;
    this.alertId = null;
    this.body = byId("detail-body");
    byId("close-detail").addEventListener("click", close);
  }

  /** The alert an operator chose; null goes back to the preview. */
  show(id, { focus = false } = {}) {
    this.alertId = id;
    this.#series = null;
    byId("close-detail").hidden = id === null;
    if (id === null) return this.#previewed && this.town.alerts.has(this.#previewed) ? this.#draw(this.#previewed) : this.#empty();
    this.#draw(id);
    if (matchMedia("(max-width: 1180px)").matches) byId("detail").scrollIntoView({ block: "start" });
    if (focus) this.body.focus();
  }

  /** Nothing is chosen: show the first of the list, without holding the list. */
  preview(id) {
    if (this.alertId || (id === this.#previewed && id !== null)) return;
    this.#previewed = id;
    this.#series = null;
    if (id) this.#draw(id);
    else this.#empty();
  }

  refresh() {
    const note = this.body.querySelector("#note");
    const draft = note?.value ?? "";
    const typing = document.activeElement === note;
    this.#draw(this.alertId ?? this.#previewed);
    const again = this.body.querySelector("#note");
    if (again) again.value = draft;
    if (typing) again.focus();
  }

  #empty() {
    this.#chart?.destroy();
    this.body.replaceChildren(h("p", { class: "empty" }, "Choose an alert from the list or on the map to see why it was raised."));
  }

  #draw(id) {
    const alert = this.town.alerts.get(id);
    if (!alert) return this.#empty();
    this.#chart?.destroy();
    this.#chart = null;
    const why = alert.why;
    const series = this.#series ?? alert.series[0] ?? null;
    const unit = series ? unitOf(quantityOf(series)) : "";
    const main = alert.series[0] ? unitOf(quantityOf(alert.series[0])) : "";
    const now = this.town.now ?? alert.raisedMs;
    const picture = h("div", { class: "picture" });
    this.body.replaceChildren(
      h("div", { class: `headline sev-${alert.severity}` },
        h("p", { class: "minor" }, severityIcon(alert.severity), `${capital(alert.severity)} · ${KIND_WORDS[alert.kind] ?? alert.kind} · ${STATE_WORDS[alert.state] ?? alert.state}`),
        h("h3", {}, alert.place || alert.area),
        h("p", { class: "why" }, why.sentence)),
      h("dl", { class: "figures" },
        row("Observed", withUnit(why.observed, main)),
        row("Expected", withUnit(why.expected, main), h("span", { class: "minor" }, why.lower === null || why.upper === null ? "" : `${number(why.lower)} to ${number(why.upper)}`)),
        row("How unusual", oneIn(why.one_in), h("span", { class: "minor" }, `score ${alert.score.toFixed(2)}`)),
        row("Since", localTime(Date.parse(why.since), now), h("span", { class: "minor" }, utcDayTime(Date.parse(why.since))))),
      this.#answers(alert),
      this.#chooser(alert, series),
      picture,
      this.#reasons(alert),
      this.#about(alert, now),
      this.#history(alert, now),
    );
    if (series) this.#picture(picture, alert, series, unit);
  }

  #chooser(alert, series) {
    if (alert.series.length < 2) return series ? h("h4", {}, `${quantityWord(quantityOf(series))}, ${series}`) : null;
    const change = (event) => {
      this.#series = event.target.value;
      this.refresh();
    };
    return h("label", { class: "field" }, "Series ", h("select", { onchange: change }, alert.series.map((name) => h("option", { value: name, selected: name === series }, name))));
  }

  async #picture(place, alert, series, unit) {
    const drawing = (this.#drawing += 1);
    const span = spanOf(alert, this.town.now);
    const trace = series === alert.series[0] ? alert.why.trace.map((point) => ({ ...point, time: Date.parse(point.time) })) : [];
    const query = new URLSearchParams({ window: span.window, start: new Date(span.start).toISOString(), end: new Date(span.end).toISOString() });
    const path = `/v1/series/${seriesPath(series)}/aggregates`;
    let rows = [];
    try {
      rows = (await api(`${path}?${query}`)).data.map((item) => ({ time: Date.parse(item.window_start), value: item.mean }));
    } catch {
      // A series without history: the trace alone is drawn.
    }
    if (drawing !== this.#drawing) return;
    const points = merge(rows, trace);
    if (!points.length) {
      place.replaceChildren(h("p", { class: "empty" }, "No history of this series yet."));
      return;
    }
    const label = `${quantityWord(quantityOf(series))} at ${alert.place || alert.area}: observed, expected and usual range around the alert`;
    this.#chart = new AlertChart(place, { points, unit, label, onset: alert.onsetMs, cleared: alert.cleared ? Date.parse(alert.cleared) : null });
    place.append(this.#table(points, unit, `${path}.csv?${query}`));
  }

  #table(points, unit, csv) {
    const rows = points.slice(-TABLE_ROWS_MAX).reverse().map((point) =>
      h("tr", {}, h("th", { scope: "row" }, localTime(point.time, null)), h("td", {}, utcDayTime(point.time)), h("td", { class: "number" }, number(point.value)), h("td", { class: "number" }, number(point.expected)),
        h("td", { class: "number" }, point.lower === null || point.lower === undefined ? "–" : `${number(point.lower)} to ${number(point.upper)}`)));
    const head = ["Local", "UTC", "Observed", "Expected", "Usual range"].map((word, at) => h("th", { scope: "col", class: at > 1 ? "number" : null }, at > 1 && unit ? `${word} (${unit})` : word));
    return h("details", { class: "numbers" },
      h("summary", {}, `The numbers as a table (${rows.length} rows)`),
      h("p", { class: "minor" }, h("a", { href: csv }, "Observed values as CSV")),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Numbers of the chart" }, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows))));
  }

  #reasons(alert) {
    const channels = alert.why.channels.map((channel) => {
      const bar = h("span", { class: "bar" });
      bar.style.width = `${Math.round(channel.share * 100)}%`;
      return h("li", {}, h("span", {}, capital(channel.name.replaceAll("_", " "))), h("span", { class: "track", "aria-hidden": "true" }, bar), h("b", {}, `${Math.round(channel.share * 100)} %`));
    });
    const neighbours = alert.why.neighbours.map((item) => h("li", {}, neighbourText(item)));
    return h("div", { class: "columns" },
      channels.length ? h("section", {}, h("h4", {}, "What contributed"), h("ul", { class: "shares" }, channels)) : null,
      neighbours.length ? h("section", {}, h("h4", {}, "Neighbours"), h("ul", { class: "plain-list" }, neighbours)) : null);
  }

  #about(alert, now) {
    const model = alert.why.model;
    const parameters = Object.entries(model.parameters ?? {}).map(([name, value]) => row(name, typeof value === "object" ? JSON.stringify(value) : String(value)));
    return h("details", { class: "about" },
      h("summary", {}, `Model and record: ${model.name || alert.rule || "rule"} ${model.version}`.trim()),
      h("dl", {},
        row("Alert", alert.id), row("Rule", alert.rule || "–"), row("Area", alert.area), row("Series", alert.series.join(", ")),
        row("Onset", bothTimes(alert.onsetMs, now)), row("Raised", bothTimes(alert.raisedMs, now)), row("Ended", alert.cleared ? bothTimes(Date.parse(alert.cleared), now) : "still going on"),
        row("Model", `${model.name} ${model.version}`), ...parameters),
      h("p", {}, h("a", { href: `/v1/alerts/${encodeURIComponent(alert.id)}` }, "This alert as JSON")));
  }

  #history(alert, now) {
    const items = alert.actions.map((action) => {
      const what = action.action === "verdict" ? VERDICT_WORDS[action.verdict] ?? action.verdict : { acknowledge: "Acknowledged", comment: "Note" }[action.action] ?? action.action;
      return h("li", {}, h("b", {}, what), action.by ? ` by ${action.by}` : "", `, ${bothTimes(Date.parse(action.time), now)}`, action.reason ? h("q", {}, action.reason) : null);
    });
    return h("section", { class: "history" }, h("h4", {}, "What was done"), items.length ? h("ol", { class: "plain-list" }, items) : h("p", { class: "minor" }, "Nothing yet."));
  }

  #answers(alert) {
    const note = h("input", { id: "note", type: "text", maxlength: "2000", autocomplete: "off", placeholder: "Reason or note (optional)", "aria-label": "Reason or note" });
    const name = h("input", { type: "text", maxlength: "60", autocomplete: "nickname", size: "10", value: this.signed(), placeholder: "Your name", "aria-label": "Your name", onchange: (event) => localStorage.setItem("signed", event.target.value) });
    const failed = h("p", { class: "failed", role: "alert" });
    const send = async (body) => {
      failed.textContent = "";
      try {
        const reason = note.value;
        note.value = "";
        await this.act(alert.id, { reason, ...body });
      } catch (error) {
        failed.textContent = error.message;
      }
    };
    const button = (text, body, style) => h("button", { type: "button", class: style, onclick: () => send(body) }, text);
    const given = alert.actions.findLast((action) => action.action === "verdict")?.verdict;
    const verdict = (value) => {
      const made = button(VERDICT_WORDS[value], { action: "verdict", verdict: value }, "quiet");
      made.setAttribute("aria-pressed", String(given === value));
      return made;
    };
    const open = alert.state === "open" || alert.state === "resolved";
    return h("div", { class: "answers" },
      h("div", { class: "line" }, note, name),
      h("div", { class: "line" },
        open ? button("Acknowledge", { action: "acknowledge" }, "acknowledge") : null,
        button("Add note", { action: "comment" }, "quiet"),
        h("span", { class: "verdicts", role: "group", "aria-label": "Your verdict" }, verdict("true"), verdict("false"), verdict("sensor_fault"), verdict("cannot_verify"))),
      failed);
  }
}

/** Which window and span tell the story of the alert; epoch ms. */
function spanOf(alert, now) {
  const times = alert.why.trace.map((point) => Date.parse(point.time));
  const spacing = times.length > 1 ? (times.at(-1) - times[0]) / (times.length - 1) : MINUTE;
  const before = Math.max(120 * MINUTE, 40 * spacing);
  const until = alert.cleared ? Date.parse(alert.cleared) + before / 4 : (now ?? alert.raisedMs) + MINUTE;
  const start = Math.min(alert.onsetMs - before, ...times.slice(0, 1));
  const end = Math.max(until, (times.at(-1) ?? 0) + MINUTE);
  const span = end - start;
  const window = span <= 12 * 60 * MINUTE || spacing >= 900_000 ? 60 : span <= 7 * 1440 * MINUTE ? 900 : 3600;
  return { start, end, window };
}

/** Observed means, and the trace of what was judged, in one list by time. */
function merge(rows, trace) {
  const points = new Map(rows.map((row) => [row.time, { ...row }]));
  for (const point of trace) points.set(point.time, { ...points.get(point.time), ...point, value: point.value ?? points.get(point.time)?.value ?? null });
  return [...points.values()].sort((a, b) => a.time - b.time);
}

/** What a neighbour said at that time, and whether that was usual. */
function neighbourText(item) {
  const { series, sensor, name, time: _time, observed, expected, lower, upper, ...rest } = item;
  const parts = [];
  if (observed !== null && observed !== undefined) parts.push(withUnit(observed, unitOf(quantityOf(series ?? ""))));
  if (lower !== null && lower !== undefined && upper !== null && upper !== undefined && observed !== null && observed !== undefined) {
    const place = observed < lower ? "below the usual" : observed > upper ? "above the usual" : "within the usual";
    parts.push(`${place} ${number(lower)} to ${number(upper)}`);
  } else if (expected !== null && expected !== undefined) parts.push(`expected ${number(expected)}`);
  for (const [key, value] of Object.entries(rest)) {
    if (value !== null) parts.push(`${key.replaceAll("_", " ")} ${typeof value === "number" ? number(value) : value}`);
  }
  return [series ?? sensor ?? name ?? "", parts.join(", ")].filter(Boolean).join(": ");
}
