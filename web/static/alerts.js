/** The list of alerts: keyed rows, still while someone works in it. */

import { byId, h, setText, severityIcon } from "./dom.js";
import { ago, capital, KIND_WORDS, localTime, oneIn, quantityOf, quantityWord, SEVERITY_RANK, STATE_WORDS, utcTime } from "./words.js";

const ROWS_MAX = 400;
const isActive = (alert) => alert.state === "open" || alert.state === "acknowledged";

export class AlertList {
  #rows = new Map(); // id → {element, revision}
  #shown = []; // ids in the order on the page
  #held = new Set(); // ids that came or changed while the list holds still
  #filter = "active";
  #sort = "newest";
  #paused = false;
  #selected = null;

  constructor(town, { select, act }) {
    this.town = town;
    this.select_ = select;
    this.act = act;
    this.body = byId("alert-rows");
    for (const button of document.querySelectorAll("[data-filter]")) {
      button.addEventListener("click", () => this.#setFilter(button.dataset.filter));
    }
    byId("sort").addEventListener("change", (event) => {
      this.#sort = event.target.value;
      this.reset();
    });
    byId("pause").addEventListener("click", () => this.#pause(!this.#paused));
    byId("pending").addEventListener("click", () => this.#paused ? this.#pause(false) : this.reset());
    this.body.addEventListener("keydown", (event) => this.#key(event));
    this.body.addEventListener("click", (event) => this.#click(event));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#selected) this.select_(null);
    });
  }

  /** The first alert of the list; when none is listed the newest that is over; or null. */
  first() {
    const newest = [...this.town.alerts.values()].sort((a, b) => b.onsetMs - a.onsetMs)[0];
    return this.#shown[0] ?? newest?.id ?? null;
  }

  /** Show everything as it is now, in order. */
  reset() {
    this.#held.clear();
    this.#shown = this.#wanted();
    this.#draw();
  }

  changed(alert) {
    const shown = this.#shown.includes(alert.id);
    if (this.#paused || (this.#selected && !shown)) {
      if (shown || this.#belongs(alert)) this.#held.add(alert.id);
      this.#drawPending();
    } else if (this.#selected) {
      this.#draw(); // in its place; a row that ended stays until the list moves again
    } else {
      this.reset();
    }
  }

  /** The operator's own action shows at once, whatever the list is doing. */
  acted(alert) {
    if (this.#shown.includes(alert.id)) this.#drawRow(alert);
  }

  select(id) {
    const before = this.#selected;
    this.#selected = id;
    for (const [key, row] of this.#rows) this.#mark(row.element, key);
    if (!id && before && !this.#paused) this.reset();
    if (!id && before) this.#rows.get(before)?.element.querySelector(".title").focus();
  }

  /** Once a second: relative times. */
  beat() {
    if (this.#paused || this.town.now === null) return;
    for (const element of this.body.querySelectorAll("[data-since]")) {
      setText(element, ago(Number(element.dataset.since), this.town.now));
    }
  }

  #belongs(alert) {
    return this.#filter === "all" || isActive(alert);
  }

  #wanted() {
    const rank = (alert) => (this.#sort === "severity" ? SEVERITY_RANK[alert.severity] ?? 0 : 0);
    return [...this.town.alerts.values()]
      .filter((alert) => this.#belongs(alert))
      .sort((a, b) => rank(b) - rank(a) || b.onsetMs - a.onsetMs || (a.id < b.id ? 1 : -1))
      .slice(0, ROWS_MAX)
      .map((alert) => alert.id);
  }

  #draw() {
    const rows = this.#shown.map((id) => this.#drawRow(this.town.alerts.get(id)));
    const keep = new Set(rows);
    for (const element of [...this.body.children]) if (!keep.has(element)) element.remove();
    for (const id of [...this.#rows.keys()]) if (!keep.has(this.#rows.get(id).element)) this.#rows.delete(id);
    rows.forEach((element, at) => {
      if (this.body.children[at] !== element) this.body.insertBefore(element, this.body.children[at] ?? null);
    });
    byId("no-alerts").hidden = rows.length > 0;
    const over = this.town.alerts.size;
    const none = this.#filter === "active" ? "No alert is active." : "No alert was ever raised.";
    setText(byId("no-alerts"), over ? `${none} Those that ended are under All.` : none);
    this.#drawPending();
  }

  #drawRow(alert) {
    const row = this.#rows.get(alert.id);
    if (row?.revision === alert.revision) return row.element;
    const element = this.#build(alert);
    const focused = row?.element.contains(document.activeElement) ? document.activeElement.className : null;
    row?.element.replaceWith(element);
    this.#rows.set(alert.id, { element, revision: alert.revision });
    this.#mark(element, alert.id);
    if (focused !== null) (element.querySelector(`button[class="${focused}"]`) ?? element.querySelector(".title")).focus();
    return element;
  }

  #build(alert) {
    const now = this.town.now ?? alert.raisedMs;
    const place = alert.place || alert.area;
    const quantities = [...new Set(alert.series.map((series) => quantityWord(quantityOf(series))))].join(", ");
    return h(
      "tr",
      { "data-alert": alert.id, class: `sev-${alert.severity} state-${alert.state}` },
      h("td", { class: "sev" }, h("span", { class: "sev-word" }, severityIcon(alert.severity), capital(alert.severity)), h("span", { class: "minor" }, STATE_WORDS[alert.state] ?? alert.state)),
      h("td", { class: "what" },
        h("button", { type: "button", class: "title", id: `title-${alert.id}`, "aria-pressed": "false" }, place),
        h("span", { class: "minor" }, [KIND_WORDS[alert.kind] ?? alert.kind, quantities, alert.area].filter(Boolean).join(" · ")),
        h("span", { class: "sentence" }, alert.why.sentence)),
      h("td", { class: "unusual" }, h("span", {}, oneIn(alert.why.one_in)), h("span", { class: "minor" }, `score ${alert.score.toFixed(2)}`)),
      h("td", { class: "since" },
        h("time", { datetime: alert.onset, "data-since": alert.onsetMs }, ago(alert.onsetMs, now)),
        h("span", { class: "minor" }, localTime(alert.onsetMs, now)),
        h("span", { class: "minor" }, utcTime(alert.onsetMs)),
        alert.cleared ? h("span", { class: "minor" }, `ended ${localTime(Date.parse(alert.cleared), now)}`) : null),
      h("td", { class: "answer" }, this.#answer(alert)),
    );
  }

  #answer(alert) {
    if (alert.state === "open" || alert.state === "resolved") {
      return h("button", { type: "button", class: "acknowledge", "aria-describedby": `title-${alert.id}` }, "Acknowledge");
    }
    const last = alert.actions.findLast((action) => action.action === "acknowledge");
    if (!last) return h("span", { class: "minor" }, "Acknowledged");
    const when = localTime(Date.parse(last.time), this.town.now);
    return h("span", { class: "minor done" }, `Acknowledged ${when}${last.by ? ` by ${last.by}` : ""}`);
  }

  #mark(element, id) {
    element.classList.toggle("selected", id === this.#selected);
    element.querySelector(".title").setAttribute("aria-pressed", String(id === this.#selected));
  }

  #drawPending() {
    const count = this.#held.size;
    byId("pending").hidden = count === 0;
    const fresh = [...this.#held].filter((id) => !this.#shown.includes(id)).length;
    setText(byId("pending"), fresh ? `${fresh} new — show` : `${count} changed — show`);
  }

  #setFilter(filter) {
    this.#filter = filter;
    for (const button of document.querySelectorAll("[data-filter]")) {
      button.setAttribute("aria-pressed", String(button.dataset.filter === filter));
    }
    this.reset();
  }

  #pause(paused) {
    this.#paused = paused;
    byId("pause").setAttribute("aria-pressed", String(paused));
    setText(byId("pause"), paused ? "Paused" : "Pause");
    if (!paused) this.reset();
  }

  async #click(event) {
    const id = event.target.closest("[data-alert]")?.dataset.alert;
    if (!id) return;
    const button = event.target.closest(".acknowledge");
    if (!button) return this.select_(id);
    button.disabled = true;
    try {
      await this.act(id, { action: "acknowledge" });
    } catch (error) {
      button.disabled = false;
      button.parentElement.querySelector(".failed")?.remove();
      button.after(h("span", { class: "failed", role: "alert" }, error.message));
    }
  }

  #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = event.target.closest("[data-alert]");
    if (!step || !row) return;
    const next = step > 0 ? row.nextElementSibling : row.previousElementSibling;
    next?.querySelector(".title").focus();
    event.preventDefault();
  }
}
