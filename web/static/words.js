/** Numbers, times and words as people read them. Times are epoch ms; the zone is the town's, not the browser's. */

const boot = JSON.parse(document.getElementById("boot").textContent);
export const ZONE = boot.zone;

const QUANTITY_WORDS = {
  "traffic.flow": "Flow", "traffic.speed": "Speed", "traffic.occupancy": "Occupancy",
  "air.no2": "NO₂", "air.no": "NO", "air.nox": "NOₓ", "air.o3": "Ozone", "air.so2": "SO₂", "air.co": "CO",
  "air.pm10": "PM10", "air.pm25": "PM2.5", "air.temperature": "Temperature", "air.humidity": "Humidity",
  "air.pressure": "Pressure", "air.wind_speed": "Wind speed", "air.wind_direction": "Wind direction",
  "energy.active_power": "Power", "energy.energy_import": "Energy taken", "energy.energy_export": "Energy given",
  "energy.voltage": "Voltage", "energy.current": "Current", "energy.power_factor": "Power factor",
};

export const KIND_WORDS = {
  anomaly: "Unusual values", quality: "Doubtful data", silence: "No data", maintenance: "Maintenance", incident: "Incident",
};
export const STATE_WORDS = { open: "Open", acknowledged: "Acknowledged", resolved: "Ended", closed: "Closed" };
export const VERDICT_WORDS = { true: "True alert", false: "False alert", cannot_verify: "Cannot verify", sensor_fault: "Sensor fault" };
export const SEVERITY_RANK = { high: 3, medium: 2, low: 1 };

export const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);
export const sensorOf = (series) => series.slice(0, series.indexOf("/"));
export const quantityOf = (series) => series.slice(series.indexOf("/") + 1);

export function quantityWord(quantity) {
  return QUANTITY_WORDS[quantity] ?? capital(quantity.slice(quantity.indexOf(".") + 1).replaceAll("_", " "));
}

/** The unit as printed; "1" means a bare number. */
export function unitOf(quantity) {
  const unit = boot.units[quantity] ?? "";
  return unit === "1" ? "" : unit;
}

export function number(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return value.toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−");
}

export const withUnit = (value, unit) => (value === null || value === undefined || !unit ? number(value) : `${number(value)} ${unit}`);

export function oneIn(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 1e9) return "1 in over a billion";
  if (value >= 1e6) return `1 in ${number(value / 1e6)} million`;
  return `1 in ${value.toLocaleString("en-GB", { maximumSignificantDigits: 2 })}`; // it is an estimate: no more digits
}

const clockLocal = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
const clockUtc = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", hour: "2-digit", minute: "2-digit" });
const dayLocal = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, weekday: "short", day: "numeric", month: "short" });
const dayUtc = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", weekday: "short", day: "numeric", month: "short" });
const fullLocal = new Intl.DateTimeFormat("en-GB", {
  timeZone: ZONE, weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
});
const fullUtc = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const axisClock = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, hour: "2-digit", minute: "2-digit" });

const plain = (text) => text.replaceAll(",", "");

export const localClock = (ms) => plain(fullLocal.format(ms));
export const utcClock = (ms) => `${plain(fullUtc.format(ms))}`;
export const axisTime = (ms) => axisClock.format(ms);
export const axisDay = (ms) => plain(dayLocal.format(ms));

/** Local and UTC together, with the day where it is not the day of `now`. */
export function localTime(ms, now) {
  const day = plain(dayLocal.format(ms));
  const clock = clockLocal.format(ms);
  return now !== null && day === plain(dayLocal.format(now)) ? clock : `${day} ${clock}`;
}
export const utcTime = (ms) => `${clockUtc.format(ms)} UTC`;
export const utcDayTime = (ms) => `${plain(dayUtc.format(ms))} ${clockUtc.format(ms)} UTC`;
export const bothTimes = (ms, now) => `${localTime(ms, now)} · ${utcTime(ms)}`;

/** "4 min ago" in event time. */
export function ago(ms, now) {
  const text = duration(now - ms);
  return text === "" ? "just now" : `${text} ago`;
}

/** "38 s", "4 min", "2 h 5 min", "3 d 4 h"; empty under two seconds. */
export function duration(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 2) return "";
  if (s < 90) return `${s} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return `${min} min`;
  const hours = Math.floor(min / 60);
  if (hours < 24) return min % 60 ? `${hours} h ${min % 60} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 && days < 7 ? `${days} d ${hours % 24} h` : `${days} d`;
}
