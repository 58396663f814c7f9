/** The town on a map: its own GeoJSON, no tiles. Leaflet, SVG, so it needs no WebGL and no other server. */

import { h } from "./dom.js";
import { SEVERITY_RANK } from "./words.js";

const L = window.L;
const SVG = "http://www.w3.org/2000/svg";
const SIZE = { high: 24, medium: 21, low: 18 };
const TARGET = 24; // WCAG 2.5.8: what is clicked is never smaller, whatever the sign

/** What a feature of the map is drawn as. */
function kindOf(feature) {
  const p = feature.properties ?? {};
  const word = [p.kind ?? p.type ?? p.class ?? p.landuse, p.road_class].filter(Boolean).join(" ").toLowerCase();
  const polygon = /Polygon/.test(feature.geometry?.type);
  if (/water|river|lake|canal|sea/.test(word)) return polygon ? "lake" : "river";
  if (/park|green|wood|forest|grass/.test(word)) return "park";
  if (/rail/.test(word)) return "rail";
  if (/motorway|trunk|ring|primary|arterial/.test(word)) return "main-road";
  return polygon ? "ground" : "road";
}

export class TownMap {
  #map = null;
  #markers = new Map(); // sensor → {layer, sign}
  #selected = null;

  constructor(place, town, { select }) {
    this.place = place;
    this.town = town;
    this.select_ = select;
    this.fittedZoom = null;
  }

  /** Draw everything; again after a fresh load. */
  build() {
    const placed = [...this.town.sensors.values()].filter((sensor) => sensor.lat !== null && sensor.lon !== null);
    if (!L || (!placed.length && !this.town.map)) {
      this.place.replaceChildren(h("p", { class: "empty" }, "There is no map: the sensors table has no places. The list below has every sensor."));
      return;
    }
    if (!this.#map) this.#create();
    this.ground.clearLayers();
    this.spots.clearLayers();
    this.#markers.clear();
    if (this.town.map) this.#drawGround();
    for (const sensor of placed) this.#place(sensor);
    const bounds = L.latLngBounds(placed.map((sensor) => [sensor.lat, sensor.lon]));
    if (!placed.length) bounds.extend(this.ground.getBounds());
    if (this.fittedZoom === null) {
      this.#map.fitBounds(bounds, { padding: [14, 14], animate: false });
      this.fittedZoom = this.#map.getZoom();
    }
    this.#names();
  }

  #create() {
    this.place.replaceChildren();
    this.#map = L.map(this.place, { attributionControl: false, zoomSnap: 0.25, zoomDelta: 0.5, zoomAnimation: !matchMedia("(prefers-reduced-motion: reduce)").matches });
    this.ground = L.featureGroup().addTo(this.#map);
    this.spots = L.featureGroup().addTo(this.#map);
    L.control.scale({ imperial: true, maxWidth: 90 }).addTo(this.#map);
    this.#map.on("zoomend", () => this.#names());
    new ResizeObserver(() => this.#map.invalidateSize({ animate: false })).observe(this.place);
  }

  /** Names of districts only where there is room for them. */
  #names() {
    const room = this.place.clientWidth >= 560 || this.#map.getZoom() > this.fittedZoom;
    this.place.classList.toggle("hide-names", !room);
  }

  #drawGround() {
    const order = ["ground", "park", "lake", "river", "rail", "road", "main-road"];
    const features = [...(this.town.map.features ?? [])].sort((a, b) => order.indexOf(kindOf(a)) - order.indexOf(kindOf(b)));
    L.geoJSON(features, {
      interactive: false,
      style: (feature) => ({ className: `ground-${kindOf(feature)}` }),
      filter: (feature) => feature.geometry?.type !== "Point",
    }).addTo(this.ground);
    for (const feature of features.filter((one) => one.geometry?.type === "Point" && one.properties?.name)) {
      const [lon, lat] = feature.geometry.coordinates;
      L.marker([lat, lon], { interactive: false, keyboard: false, icon: L.divIcon({ className: "place-name", html: h("span", {}, feature.properties.name), iconSize: null }) }).addTo(this.ground);
    }
  }

  #alertOf(sensor) {
    let worst = null;
    for (const alert of this.town.alerts.values()) {
      if (alert.state !== "open" && alert.state !== "acknowledged") continue;
      if (!alert.series.some((series) => series.startsWith(`${sensor}/`))) continue;
      const rank = (one) => 10 * SEVERITY_RANK[one.severity] + (one.state === "open" ? 1 : 0);
      if (!worst || rank(alert) > rank(worst)) worst = alert;
    }
    return worst;
  }

  #place(sensor) {
    const alert = this.#alertOf(sensor.sensor);
    const sign = alert ? `${alert.id} ${alert.severity} ${alert.state}` : sensor.status;
    const kept = this.#markers.get(sensor.sensor);
    if (kept?.sign === sign) return;
    kept?.layer.remove();
    const layer = alert ? this.#sign(sensor, alert) : this.#spot(sensor);
    layer.addTo(this.spots);
    this.#markers.set(sensor.sensor, { layer, sign });
  }

  #spot(sensor) {
    const spot = L.circleMarker([sensor.lat, sensor.lon], { radius: 3.5, className: `sensor-spot is-${sensor.status}` });
    return spot.bindTooltip(() => h("span", {}, h("b", {}, sensor.place ?? sensor.sensor), h("br"), `${sensor.sensor} · ${sensor.status}`));
  }

  #sign(sensor, alert) {
    const size = SIZE[alert.severity] ?? 18;
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", `icon sev-${alert.severity} state-${alert.state}`);
    svg.setAttribute("width", size);
    svg.setAttribute("height", size);
    const use = document.createElementNS(SVG, "use");
    use.setAttribute("href", `#sev-${alert.severity}`);
    svg.append(use);
    const name = `${alert.severity} alert, ${alert.state}: ${alert.place}`;
    const marker = L.marker([sensor.lat, sensor.lon], {
      icon: L.divIcon({ className: `map-sign${alert.id === this.#selected ? " selected" : ""}`, html: svg, iconSize: [TARGET, TARGET] }),
      title: name, alt: name, riseOnHover: true, zIndexOffset: 1000 * SEVERITY_RANK[alert.severity],
    });
    marker.on("add", () => marker.getElement().setAttribute("aria-label", name));
    marker.on("click", () => this.select_(alert.id, { focus: true }));
    marker.on("keypress", (event) => event.originalEvent.key === "Enter" && this.select_(alert.id, { focus: true }));
    return marker;
  }

  changed() {
    if (!this.#map) return;
    for (const sensor of this.town.sensors.values()) if (sensor.lat !== null && sensor.lon !== null) this.#place(sensor);
  }

  /** Readings of these sensors came in: they report again. */
  heard(sensors) {
    for (const name of new Set(sensors)) {
      const sensor = this.town.sensors.get(name);
      if (!sensor || sensor.status === "reporting") continue;
      sensor.status = "reporting";
      if (this.#map && sensor.lat !== null && sensor.lon !== null) this.#place(sensor);
    }
  }

  select(id) {
    this.#selected = id;
    for (const [, { layer, sign }] of this.#markers) {
      layer.getElement?.()?.classList.toggle("selected", id !== null && sign.startsWith(`${id} `));
      if (id !== null && sign.startsWith(`${id} `) && !this.#map.getBounds().pad(-0.1).contains(layer.getLatLng())) this.#map.panTo(layer.getLatLng());
    }
  }
}
