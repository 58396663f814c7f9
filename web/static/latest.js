/** The latest value of every series, by area, with its age in event time. */

import { byId, h, setText } from "./dom.js";
import { duration, number, quantityWord, sensorOf } from "./words.js";

const ROWS_MAX = 400;

export class LatestTable {
  #cells = new Map(); // series → {value, age, row}

  constructor(town, { select }) {
    this.town = town;
    this.select_ = select;
    this.table = document.querySelector(".latest-table");
    byId("latest-kind").addEventListener("change", () => this.build());
    byId("latest-find").addEventListener("input", () => this.build());
  }

  build() {
    const kind = byId("latest-kind").value;
    const find = byId("latest-find").value.trim().toLowerCase();
    const areas = new Map();
    let found = 0;
    for (const row of this.town.series.values()) {
      const place = this.town.sensors.get(row.sensor)?.place ?? "";
      if (kind && !row.quantity.startsWith(`${kind}.`)) continue;
      if (find && !`${row.series} ${place} ${row.area}`.toLowerCase().includes(find)) continue;
      found += 1;
      if (found <= ROWS_MAX) areas.set(row.area, [...(areas.get(row.area) ?? []), { ...row, place }]);
    }
    this.#cells.clear();
    for (const body of [...this.table.tBodies]) body.remove();
    for (const area of [...areas.keys()].sort()) this.table.append(this.#area(area, areas.get(area)));
    setText(byId("latest-note"), found === 0 ? "No series yet." : found > ROWS_MAX ? `${ROWS_MAX} of ${found} series are shown. Narrow them down with the fields above.` : "");
    byId("latest-note").hidden = found > 0 && found <= ROWS_MAX;
    this.changed([...this.#cells.keys()]);
  }

  #area(area, rows) {
    const head = h("tr", { class: "group" }, h("th", { scope: "rowgroup", colspan: "4" }, area));
    const sensors = new Map();
    for (const row of rows) sensors.set(row.sensor, [...(sensors.get(row.sensor) ?? []), row]);
    return h("tbody", {}, head, [...sensors.values()].map((own) => own.map((row, at) => this.#row(row, at === 0 ? own.length : 0))));
  }

  /** One series; the first of a sensor's carries its name, over as many rows as it has. */
  #row(row, span) {
    const value = h("td", { class: "number" });
    const age = h("td", { class: "number age" });
    const name = span === 0 ? null : h("th", { scope: "rowgroup", rowspan: String(span) }, h("span", {}, row.place || row.sensor), row.place ? h("span", { class: "minor" }, ` ${row.sensor}`) : null);
    const line = h("tr", {}, name, h("td", {}, quantityWord(row.quantity)), value, age);
    this.#cells.set(row.series, { value, age, line, unit: row.unit === "1" ? "" : row.unit });
    return line;
  }

  changed(series) {
    for (const name of series) {
      const cell = this.#cells.get(name);
      const latest = this.town.latest.get(name);
      if (!cell || !latest) continue;
      cell.value.replaceChildren(number(latest.value), cell.unit ? h("span", { class: "minor" }, ` ${cell.unit}`) : "");
      this.#age(name, cell);
    }
  }

  beat() {
    for (const [name, cell] of this.#cells) this.#age(name, cell);
  }

  #age(name, cell) {
    const latest = this.town.latest.get(name);
    if (!latest || this.town.now === null) return;
    const age = Math.max(0, this.town.now - latest.time);
    const interval = (this.town.sensors.get(sensorOf(name))?.interval_s ?? 900) * 1000;
    setText(cell.age, duration(age) || "now");
    cell.line.classList.toggle("old", age > 3 * interval);
  }
}
