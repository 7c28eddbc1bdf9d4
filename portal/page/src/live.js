// Subscribes over MQTT, and connects again where the connection ends. Loaded once the first Things are on the map.
import mqtt from "mqtt";

const AT_ONCE = 50; // topics in one packet: FROST-Server takes 8092 bytes
const LONGEST_WAIT = 30_000;

export class Live {
  #url;
  #hear;
  #tell;
  #client;
  #version = 5;
  #known = false;
  #wait = 500;
  #wanted = new Set();
  #asked = new Set();
  #busy = false;
  #asleep = false;
  #next;

  /**
   * @param {string} url of the broker, wss://.
   * @param {(topic: string, text: string) => void} hear is told what arrives.
   * @param {(live: boolean) => void} tell is told when all that is wanted is subscribed to, and when it is no more.
   */
  constructor(url, hear, tell) {
    this.#url = url;
    this.#hear = hear;
    this.#tell = tell;
    this.#connect();
  }

  /** Subscribes to these topics, and to no others. */
  want(topics) {
    this.#wanted = new Set(topics);
    this.#settle();
  }

  /** Ends the connection until somebody looks at the page again: nobody sees what would arrive. */
  sleep() {
    this.#asleep = true;
    this.#client?.end(true);
  }

  wake() {
    if (this.#asleep) {
      this.#asleep = false;
      clearTimeout(this.#next);
      this.#connect();
    }
  }

  #connect() {
    if (this.#asleep || this.#client) {
      return;
    }
    const client = mqtt.connect(this.#url, {
      protocolVersion: this.#version,
      clientId: `map-${crypto.randomUUID().slice(0, 13)}`,
      clean: true,
      keepalive: 30,
      connectTimeout: 10_000,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      // Its other timers are a worker made of text, which the page's security policy lets nobody have.
      timerVariant: "native",
    });
    this.#client = client;
    this.#asked = new Set();
    client.on("connect", () => {
      this.#known = true;
      this.#wait = 500;
      this.#settle();
    });
    client.on("message", (topic, payload) => this.#hear(topic, payload.toString()));
    client.on("error", () => client.end(true));
    client.on("close", () => this.#again(client));
  }

  #again(client) {
    if (client !== this.#client) {
      return;
    }
    this.#client = undefined;
    this.#tell(false);
    if (!this.#known) {
      // A broker that does not know MQTT 5 refuses it, or just closes.
      this.#version = this.#version === 5 ? 4 : 5;
    }
    this.#next = setTimeout(() => this.#connect(), this.#wait * (0.75 + Math.random() / 2));
    this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
  }

  async #settle() {
    const client = this.#client;
    if (this.#busy || !client?.connected) {
      return;
    }
    this.#busy = true;
    try {
      while (client.connected && (await this.#step(client))) {
        // Until nothing is left to ask for.
      }
    } catch {
      client.end(true);
    } finally {
      this.#busy = false;
    }
    if (client === this.#client && client.connected) {
      this.#tell(true);
    } else {
      this.#settle();
    }
  }

  /** @returns whether something was asked for. */
  async #step(client) {
    const surplus = [...this.#asked].filter((topic) => !this.#wanted.has(topic)).slice(0, AT_ONCE);
    if (surplus.length > 0) {
      await client.unsubscribeAsync(surplus);
      surplus.forEach((topic) => this.#asked.delete(topic));
      return true;
    }
    const missing = [...this.#wanted].filter((topic) => !this.#asked.has(topic)).slice(0, AT_ONCE);
    if (missing.length > 0) {
      missing.forEach((topic) => this.#asked.add(topic));
      await client.subscribeAsync(missing, { qos: 0, ...(this.#version === 5 ? { rh: 2 } : {}) }).catch((error) => {
        if (!client.connected) {
          throw error;
        }
        // The broker takes no more of them; the others go on.
        console.warn(`MQTT: not subscribed to some of ${missing.length} topics: ${error.message}`);
      });
      return true;
    }
    return false;
  }
}
