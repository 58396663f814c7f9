/** The header: clock, connection, counts; the stale banner; what a screen reader is told. */

import { byId, setText } from "./dom.js";
import { duration, localClock, utcClock } from "./words.js";

const RATE_MS = 600_000;
const FLOOD = 10; // ISA-18.2: ten or more alarms in ten minutes are a flood
const ANNOUNCE_EVERY_MS = 5_000;
const STALE_S = 30;
const WORDS = { connecting: "Connecting", live: "Live", lost: "Connection lost, trying again" };

export class Status {
  #state = "connecting";
  #clock = null;
  #clockAt = performance.now();
  #announced = 0;
  #waiting = [];

  constructor(town) {
    this.town = town;
  }

  connection(state) {
    this.#state = state;
    byId("connection").dataset.state = state;
    setText(byId("connection-word"), WORDS[state]);
  }

  clock(clock) {
    this.#clock = clock;
    this.#clockAt = performance.now();
    if (this.town.now !== null) {
      setText(byId("clock-local"), localClock(this.town.now));
      setText(byId("clock-utc"), utcClock(this.town.now));
    }
  }

  counts() {
    const counts = { open: 0, acknowledged: 0, rate: 0 };
    const now = this.town.now ?? Math.max(0, ...[...this.town.alerts.values()].map((alert) => alert.raisedMs));
    for (const alert of this.town.alerts.values()) {
      if (alert.state in counts) counts[alert.state] += 1;
      if (now - alert.raisedMs < RATE_MS) counts.rate += 1;
    }
    setText(byId("count-open"), String(counts.open));
    setText(byId("count-acknowledged"), String(counts.acknowledged));
    setText(byId("count-rate"), String(counts.rate));
    byId("rate").classList.toggle("flood", counts.rate >= FLOOD);
    byId("rate").title = counts.rate >= FLOOD ? "Flood: ten or more alerts in ten minutes" : "Alerts raised in the last ten minutes of data";
    document.title = `${counts.open ? `(${counts.open}) ` : ""}${document.querySelector("h1").textContent} · live`;
  }

  /** Once a second: is the data still coming? */
  beat(feedSilentMs) {
    this.#speak();
    const since = (performance.now() - this.#clockAt) / 1000;
    const silent = this.#clock?.silent_s ?? null;
    const text = this.#complaint(since, silent === null ? null : silent + since, feedSilentMs);
    byId("stale").hidden = text === "";
    setText(byId("stale"), text);
    document.body.classList.toggle("stale", text !== "");
  }

  #complaint(since, silent, feedSilentMs) {
    const limit = this.#clock?.stale_after_s ?? STALE_S;
    if (this.#state !== "live" && Math.min(since, feedSilentMs / 1000) > limit) {
      return `No connection for ${duration(since * 1000)}. What you see is old.`;
    }
    if (silent === null) return since > limit ? "No reading has come yet." : "";
    if (silent <= this.#patience(limit, since)) return "";
    const last = this.town.now === null ? "" : ` The newest data is from ${localClock(this.town.now)}.`;
    return `No reading for ${duration(silent * 1000)}. What you see is old.${last}`;
  }

  /** While the gateway still ticks, sensors may be as slow as the fastest of them is; without ticks the limit holds. */
  #patience(limit, since) {
    const ticks = this.#clock.tick_silent_s;
    if (ticks === null || ticks + since > limit) return limit;
    const intervals = [...this.town.sensors.values()].map((sensor) => sensor.interval_s).filter((s) => s);
    return intervals.length ? Math.max(limit, 2.5 * Math.min(...intervals)) : limit;
  }

  /** Tell a screen reader, at most every five seconds; many at once become one sentence. */
  announce(alert) {
    this.#waiting.push(alert);
  }

  #speak() {
    if (!this.#waiting.length || performance.now() - this.#announced < ANNOUNCE_EVERY_MS) return;
    const alerts = this.#waiting.splice(0);
    this.#announced = performance.now();
    byId("announce").textContent =
      alerts.length === 1 ? `New ${alerts[0].severity} alert: ${alerts[0].place}` : `${alerts.length} new alerts`;
  }
}
