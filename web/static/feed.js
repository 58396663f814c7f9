/** The live feed: one connection, one pending reconnect, never more; and requests to the API. */

const SILENCE_MS = 10_000; // the server says the time every second
const WAKE_MS = 4_000;
const DELAY_MIN_MS = 1_000;
const DELAY_MAX_MS = 30_000;

/** The answer's body. Throws an Error whose message a person can read. */
export async function api(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let response;
  try {
    response = await fetch(path, { ...options, headers: { Accept: "application/json", ...options.headers } });
  } catch {
    throw new Error("The server does not answer.");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.detail ?? `The server answered ${response.status}.`);
  return answer;
}

export class Feed {
  #source = null;
  #timer = null;
  #failures = 0;
  #heard = 0;
  #loading = false;
  #live = false;

  /**
   * load(): fetches the lists and returns the change id they contain; on(kind, data): one event;
   * state(word): connecting, live or lost.
   */
  constructor({ load, on, state }) {
    this.load = load;
    this.on = on;
    this.state = state;
    this.lastId = null;
    setInterval(() => this.#watch(SILENCE_MS), 1_000);
    const wake = () => document.visibilityState === "visible" && this.#watch(WAKE_MS);
    document.addEventListener("visibilitychange", wake);
    document.addEventListener("resume", wake);
    window.addEventListener("online", wake);
    window.addEventListener("pageshow", wake);
  }

  /** Milliseconds since anything came through. */
  get silentMs() {
    return this.#heard ? performance.now() - this.#heard : Infinity;
  }

  async start() {
    if (this.#loading || this.#source) return;
    this.#loading = true;
    this.state("connecting");
    try {
      if (this.lastId === null) this.lastId = await this.load();
      this.#open();
    } catch {
      this.#again();
    } finally {
      this.#loading = false;
    }
  }

  #open() {
    const source = new EventSource(`/v1/live?last_event_id=${this.lastId}`);
    this.#source = source;
    this.#heard = performance.now();
    for (const kind of ["alert", "latest", "clock", "resync"]) {
      source.addEventListener(kind, (event) => {
        this.#heard = performance.now();
        this.#failures = 0;
        if (!this.#live) this.state("live");
        this.#live = true;
        if (event.lastEventId && kind === "alert") this.lastId = Number(event.lastEventId);
        if (kind === "resync") this.#resync();
        else this.on(kind, JSON.parse(event.data));
      });
    }
    source.addEventListener("error", () => source === this.#source && this.#again());
  }

  #resync() {
    this.lastId = null;
    this.#close();
    this.start();
  }

  #close() {
    this.#source?.close();
    this.#source = null;
    this.#live = false;
  }

  #again() {
    this.#close();
    if (this.#timer !== null) return;
    this.state("lost");
    this.#failures += 1;
    const ceiling = Math.min(DELAY_MAX_MS, DELAY_MIN_MS * 2 ** (this.#failures - 1));
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.start();
    }, ceiling * (0.5 + Math.random() / 2));
  }

  #watch(limit) {
    if (this.#source && this.silentMs > limit) this.#again();
  }
}
