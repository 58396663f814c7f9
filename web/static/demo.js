/** The demo's panel: let something happen in the town, and see what Borough says of it. */

import { byId, h, setText } from "./dom.js";
import { api } from "./feed.js";
import { bothTimes, capital, duration } from "./words.js";

const EVERY_MS = 2_000;
const WORDS = {
  crash: "Crash", "pollution-episode": "Pollution episode", "feeder-fault": "Feeder fault", silent: "Silence",
  "drop-out": "Reports zero", stuck: "Stuck", noise: "Noise", "wrong-unit": "Wrong unit",
};
const CAUSES = { world: "event", sensor: "sensor fault", transport: "transport fault" };
const SAID = { anomaly: "unusual values", quality: "doubtful data", silence: "no data", maintenance: "maintenance", incident: "incident" };

const wordOf = (kind) => WORDS[kind] ?? capital(kind.replaceAll("-", " "));

async function begin(button) {
  button.disabled = true;
  try {
    const { data } = await api("/v1/demo/events", { kind: button.dataset.break });
    setText(byId("demo-said"), `${wordOf(data.kind)} at ${data.place}, now.`);
    open(true);
    await refresh();
  } catch (error) {
    setText(byId("demo-said"), error.message);
  } finally {
    button.disabled = false;
  }
}

function open(wanted) {
  byId("demo-card").hidden = !wanted;
  byId("demo-toggle").setAttribute("aria-expanded", String(wanted));
}

/** Show an alert as if its row had been chosen. */
function choose(id) {
  document.querySelector(`tr[data-alert="${CSS.escape(id)}"] .title`)?.click();
}

function answer(event) {
  if (event.alert) {
    const right = event.named_right ? "" : ", but named otherwise";
    return h("button", { type: "button", class: "title", onclick: () => choose(event.alert) }, `${capital(SAID[event.said] ?? event.said)}${right}`);
  }
  return event.cause === "transport" ? "Nothing, as it should" : "Not yet";
}

function row(event, now) {
  const start = Date.parse(event.start);
  const key = `${event.kind} ${event.place} ${event.start}`;
  return h("tr", { "data-event": key, "data-kind": event.kind, "data-matched": event.alert ?? "" },
    h("th", { scope: "row" }, wordOf(event.kind), " ", h("span", { class: "minor" }, CAUSES[event.cause])),
    h("td", {}, event.place),
    h("td", {}, h("time", { datetime: event.start }, bothTimes(start, now))),
    h("td", {}, answer(event)),
    h("td", { class: "number" }, event.delay_s === null ? "–" : duration(event.delay_s * 1000) || "at once"),
  );
}

let shown = "";
async function refresh() {
  let score;
  try {
    score = await api("/v1/demo/score");
  } catch (error) {
    setText(byId("demo-figures"), error.message);
    return;
  }
  const { figures } = score.meta;
  const wanted = figures.events + figures.sensor_faults;
  setText(byId("demo-figures"), wanted ? `Borough found ${figures.found} of ${wanted}; ${figures.false} false of ${figures.alerts} alerts` : "Nothing has happened yet");
  const now = Date.parse(score.meta.now);
  const text = JSON.stringify(score.data);
  if (text === shown) return; // a table that is read or clicked stays as it is
  shown = text;
  byId("demo-rows").replaceChildren(...score.data.map((event) => row(event, now)));
  byId("demo-none").hidden = score.data.length > 0;
}

for (const button of document.querySelectorAll("[data-break]")) button.addEventListener("click", () => begin(button));
byId("demo-toggle").addEventListener("click", () => open(byId("demo-card").hidden));

async function live() {
  if (document.visibilityState === "visible") await refresh();
  setTimeout(live, EVERY_MS);
}
live();
