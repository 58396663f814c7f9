/** The live page: what is known of the town, and the panels that show it. */

import { AlertList } from "./alerts.js";
import { Detail } from "./detail.js";
import { byId, setText } from "./dom.js";
import { api, Feed } from "./feed.js";
import { LatestTable } from "./latest.js";
import { TownMap } from "./map.js";
import { Status } from "./status.js";
import { sensorOf } from "./words.js";

/** Everything the panels read. Times are epoch ms of event time. */
const town = { alerts: new Map(), sensors: new Map(), series: new Map(), latest: new Map(), now: null, map: null };

const status = new Status(town);
const detail = new Detail(town, { act, close: () => select(null), signed: () => localStorage.getItem("signed") ?? "" });
const list = new AlertList(town, { select, act });
const map = new TownMap(byId("map"), town, { select });
const latest = new LatestTable(town, { select });

function take(alert) {
  const kept = town.alerts.get(alert.id);
  if (kept && kept.revision > alert.revision) return false;
  alert.onsetMs = Date.parse(alert.onset);
  alert.raisedMs = Date.parse(alert.raised);
  town.alerts.set(alert.id, alert);
  return true;
}

function takeLatest(series, value) {
  if (value) town.latest.set(series, { time: Date.parse(value.time), value: value.value });
}

/** Fetch all lists; returns the id of the last change they are sure to contain. */
async function load() {
  const [recent, active, sensors, series, ground] = await Promise.all([
    api("/v1/alerts?limit=200"), api("/v1/alerts?state=active&limit=1000"), api("/v1/sensors"), api("/v1/series"), api("/v1/map"),
  ]);
  const active_ids = new Set(active.data.map((alert) => alert.id));
  for (const [id, alert] of town.alerts) if (alert.state in { open: 1, acknowledged: 1 } && !active_ids.has(id)) town.alerts.delete(id);
  for (const alert of [...recent.data, ...active.data]) take(alert);
  for (const sensor of sensors.data) town.sensors.set(sensor.sensor, sensor);
  for (const row of series.data) {
    town.series.set(row.series, row);
    takeLatest(row.series, row.latest);
  }
  if (town.now === null && town.latest.size) town.now = Math.max(...[...town.latest.values()].map((value) => value.time));
  town.map = ground.data;
  map.build();
  list.reset();
  latest.build();
  status.counts();
  if (detail.alertId) detail.refresh();
  else detail.preview(list.first());
  setText(byId("foot-count"), `${town.sensors.size} sensors · ${town.series.size} series`);
  document.body.dataset.loaded = "yes";
  return Math.min(recent.meta.last_change, active.meta.last_change);
}

const listeners = {
  alert(alert) {
    const known = town.alerts.has(alert.id);
    if (!take(alert)) return;
    if (!known) status.announce(alert);
    list.changed(alert);
    map.changed();
    status.counts();
    if (detail.alertId === alert.id) detail.refresh();
    else if (!detail.alertId) detail.preview(list.first());
  },
  latest(values) {
    let unknown = false;
    for (const [series, value] of Object.entries(values)) {
      takeLatest(series, value);
      unknown ||= !town.series.has(series);
    }
    if (unknown) refreshSeries();
    latest.changed(Object.keys(values));
    map.heard(Object.keys(values).map(sensorOf));
  },
  clock(clock) {
    if (clock.time) town.now = Date.parse(clock.time);
    status.clock(clock);
  },
};

let refreshing = false;
async function refreshSeries() {
  if (refreshing) return;
  refreshing = true;
  try {
    for (const row of (await api("/v1/series")).data) town.series.set(row.series, row);
    latest.build();
  } catch {
    // The next new series tries again.
  }
  setTimeout(() => (refreshing = false), 5_000);
}

/** Choose an alert (null: none). The list holds still while one is chosen. */
function select(id, { focus = false } = {}) {
  list.select(id);
  map.select(id);
  detail.show(id, { focus });
}

/** Carry out an operator's action; the server's answer is what is then shown. Throws when it was not taken. */
async function act(id, body) {
  const answer = await api(`/v1/alerts/${encodeURIComponent(id)}/actions`, { by: localStorage.getItem("signed") ?? "", ...body });
  take(answer.data);
  list.acted(answer.data);
  map.changed();
  status.counts();
  if (detail.alertId === id) detail.refresh();
}

byId("no-script").remove();
const feed = new Feed({ load, on: (kind, data) => listeners[kind](data), state: (word) => status.connection(word) });
setInterval(() => {
  status.beat(feed.silentMs);
  list.beat();
  latest.beat();
}, 1_000);
feed.start();
