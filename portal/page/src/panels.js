// The heading with its figures, the legend, and what is said of the Thing that somebody chose.
import { number, words } from "./words.js";

const find = (id) => document.getElementById(id);
const SECONDS = 60; // that the curve of changes shows

export class Heading {
  #changes = new Array(SECONDS).fill(0);
  #last = 0;

  constructor(model) {
    this.model = model;
    for (const name of ["things", "streams", "rate"]) {
      find(`${name}-label`).textContent = words[name];
    }
    this.state("loading", words.loading);
  }

  state(name, text) {
    const element = find("state");
    if (element.lastElementChild.textContent !== text) {
      element.lastElementChild.textContent = text;
    }
    element.dataset.state = name;
  }

  count() {
    find("things").textContent = number.format(this.model.things.size);
    find("streams").textContent = number.format(this.model.streams.size);
  }

  /** Once in a second. */
  second() {
    const changes = this.model.changes - this.#last;
    this.#last = this.model.changes;
    this.#changes = [...this.#changes.slice(1), changes];
    const recent = this.#changes.slice(-5);
    const mean = recent.reduce((sum, each) => sum + each, 0) / recent.length;
    find("rate").textContent = number.format(mean < 10 ? Math.round(mean * 10) / 10 : Math.round(mean));
    this.#draw();
  }

  #draw() {
    const canvas = find("pulse");
    const { width, height } = canvas;
    const context = canvas.getContext("2d");
    const most = Math.max(4, ...this.#changes);
    const step = width / (SECONDS - 1);
    const heightOf = (changes) => height - 2 - (changes / most) * (height - 6);
    context.clearRect(0, 0, width, height);
    context.beginPath();
    this.#changes.forEach((changes, index) => context.lineTo(index * step, heightOf(changes)));
    context.strokeStyle = "#34d399";
    context.lineWidth = 2;
    context.lineJoin = "round";
    context.stroke();
    context.lineTo(width, height);
    context.lineTo(0, height);
    const fade = context.createLinearGradient(0, 0, 0, height);
    fade.addColorStop(0, "rgba(52,211,153,.35)");
    fade.addColorStop(1, "rgba(52,211,153,0)");
    context.fillStyle = fade;
    context.fill();
  }
}

export class Legend {
  #rows;

  constructor(model) {
    this.model = model;
    const names = [...model.styles.map((style) => style.label), words.other, words.unknown];
    this.#rows = names.map((name, index) => {
      const row = document.createElement("li");
      const [dot, label, bar, count] = ["i", "span", "b", "em"].map((tag) => document.createElement(tag));
      dot.style.background = bar.style.background = model.colours[index];
      label.textContent = name;
      row.append(dot, label, bar, count);
      return { row, bar, count };
    });
    find("legend").append(...this.#rows.map((each) => each.row));
    find("legend").hidden = model.styles.length === 0;
  }

  count() {
    const all = Math.max(1, this.model.streams.size);
    this.#rows.forEach(({ row, bar, count }, index) => {
      const many = this.model.counts[index];
      row.classList.toggle("none", many === 0);
      row.hidden = index >= this.model.styles.length && many === 0;
      count.textContent = number.format(many);
      bar.style.transform = `scaleX(${many / all})`;
    });
  }
}

export class Details {
  #thing;
  #rows = [];

  constructor(model, closed) {
    this.model = model;
    this.closed = closed;
    find("close").title = words.close;
    find("close").ariaLabel = words.close;
    find("close").addEventListener("click", () => this.show(undefined));
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.show(undefined));
  }

  get thing() {
    return this.#thing;
  }

  show(thing) {
    this.#thing = thing;
    find("details").hidden = thing === undefined;
    if (thing === undefined) {
      this.closed();
      return;
    }
    const [heading, description, list] = find("details").querySelectorAll("h2, p, ol");
    heading.textContent = thing.name;
    description.textContent = thing.description;
    const shared = common(thing.streams.map((stream) => stream.name));
    this.#rows = thing.streams.map((stream) => {
      const row = document.createElement("li");
      const [dot, name, value, when] = ["i", "span", "b", "time"].map((tag) => document.createElement(tag));
      name.textContent = stream.name.slice(shared);
      name.title = stream.name;
      row.append(dot, name, value, when);
      return { stream, dot, value, when };
    });
    list.replaceChildren(...this.#rows.map(({ dot }) => dot.parentElement));
    this.tell();
  }

  /** Brings values and ages up to date. */
  tell() {
    if (this.#thing === undefined) {
      return;
    }
    const now = Date.now();
    for (const { stream, dot, value, when } of this.#rows) {
      dot.style.background = this.model.colours[stream.colour];
      value.textContent = this.model.say(stream, words.unknown);
      const seconds = (now - stream.time) / 1000;
      when.textContent = stream.time <= 0 ? "" : seconds < 1 ? words.now : words.ago(seconds);
    }
  }
}

/** How much the names of a Thing's Datastreams have in common at their beginning, to the end of a word. */
export function common(names) {
  if (names.length < 2) {
    return 0;
  }
  let length = 0;
  while (names.every((name) => length < name.length && name[length] === names[0][length])) {
    length += 1;
  }
  return Math.max(...[" ", "_", ":", "-"].map((mark) => names[0].lastIndexOf(mark, length - 1) + 1), 0);
}
