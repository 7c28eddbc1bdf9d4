// The live map: reads the Things, draws them, subscribes to what they observe, and draws what changes.
import L from "leaflet";
import { Grid } from "./grid.js";
import { Lights } from "./lights.js";
import { Model } from "./model.js";
import { Details, Heading, Legend } from "./panels.js";
import { key, latest, pages, things } from "./rest.js";
import { words } from "./words.js";

const MOST_TOPICS = 1000; // of a connection: the MQTT gate's limit
const MOST_THINGS = 20_000;
const ANEW_MILLISECONDS = 600_000; // until Things are looked for again
const UNSEEN_MILLISECONDS = 60_000; // in the background, until it no longer listens
const PATIENCE_MILLISECONDS = 3000; // until values are read though nothing is subscribed to

const configuration = JSON.parse(document.getElementById("configuration").textContent);
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const model = new Model(configuration.styles);
const heading = new Heading(model);
const legend = new Legend(model);
const topics = new Map();

const map = L.map("map", { zoomControl: false, attributionControl: true, minZoom: 3, maxZoom: 20, zoomSnap: 0.25 });
map.attributionControl.setPrefix('<a href="https://leafletjs.com">Leaflet</a>');
L.control.scale({ imperial: false, position: "bottomright" }).addTo(map);
L.control.zoom({ position: "bottomright" }).addTo(map);
const lights = new Lights(model, { still });
const details = new Details(model, () => lights.choose(undefined));

function background() {
  const given = configuration.background;
  if (!given) {
    return new Grid();
  }
  const attribution = document.createElement("span");
  attribution.textContent = given.attribution;
  document.getElementById("map").classList.add("with-background");
  return L.tileLayer(given.url, { maxNativeZoom: given.maxZoom, maxZoom: 20, attribution: attribution.innerHTML });
}

/** The map begins where the Things are, and stays where somebody moved it. */
function look() {
  const corners = L.latLngBounds([...model.things.values()].map(({ position: [x, y] }) => [y, x]));
  if (!corners.isValid()) {
    return;
  }
  const wide = innerWidth > 720;
  map.fitBounds(corners, {
    paddingTopLeft: wide ? [340, 40] : [20, 190], paddingBottomRight: [40, 60], maxZoom: 16, animate: false,
  });
}

let begun = false;
let touched = false;
let listening;
const reading = { things: false, values: false, again: false, all: true };
let subscribed = false;
let lost = false;
let failed = "";
let empty = false;

function begin() {
  look();
  background().addTo(map);
  lights.addTo(map);
  begun = true;
  document.body.dataset.shown = String(Math.round(performance.now()));
  for (const sign of ["pointerdown", "wheel", "keydown"]) {
    map.getContainer().addEventListener(sign, () => (touched = true), { passive: true });
  }
  map.on("moveend", subscribe);
  map.on("click", ({ containerPoint }) => {
    const thing = lights.nearest(containerPoint);
    details.show(thing);
    lights.choose(thing);
  });
}

function failing(why) {
  failed = why;
  state();
}

/** Says in the heading how things stand. */
function state() {
  const followed = [...topics.values()].filter(({ stream }) => stream).length;
  if (failed) {
    heading.state("failed", words.unreadable(failed));
  } else if (subscribed) {
    heading.state("live", followed < model.streams.size ? words.partly(followed, model.streams.size) : words.live(followed));
  } else if (begun) {
    heading.state("connecting", lost ? words.disconnected : words.connecting);
  } else {
    heading.state("loading", empty ? words.empty : words.loading);
  }
  document.body.dataset.live = subscribed && !failed ? String(followed) : "";
}

async function readThings() {
  const seen = new Set();
  reading.things = true;
  for await (const page of things(configuration.things, failing)) {
    failed = "";
    let fresh = false;
    for (const entity of page) {
      seen.add(entity["@iot.id"]);
      if (model.things.size < MOST_THINGS || model.things.has(entity["@iot.id"])) {
        fresh = model.add(entity).length > 0 || fresh;
      }
    }
    heading.count();
    if (model.things.size > 0 && !begun) {
      begin();
      listen();
    } else if (begun && fresh && !touched) {
      look();
    }
    lights.changed();
  }
  for (const thing of [...model.things.values()].filter(({ id }) => !seen.has(id))) {
    model.remove(thing);
  }
  heading.count();
  subscribe();
  reading.things = false;
  empty = model.things.size === 0;
  state();
}

/** Those that are subscribed to: all, or as many as a connection may have, those in view first. */
function within() {
  const each = configuration.followLocations ? 1 : 0;
  const view = begun ? map.getBounds() : undefined;
  const inView = ({ position: [x, y] }) => view?.contains([y, x]);
  const ordered = [...model.things.values()];
  if (model.streams.size + each * ordered.length > MOST_TOPICS) {
    ordered.sort((one, other) => inView(other) - inView(one));
  }
  const wanted = new Map();
  for (const thing of ordered) {
    if (wanted.size + thing.streams.length + each > MOST_TOPICS) {
      break;
    }
    for (const stream of thing.streams) {
      wanted.set(`v1.1/Datastreams(${key(stream.id)})/Observations`, { stream });
    }
    if (each) {
      wanted.set(`v1.1/Things(${key(thing.id)})/Locations`, { thing });
    }
  }
  return wanted;
}

function subscribe() {
  if (!listening) {
    return;
  }
  const wanted = within();
  if (wanted.size === topics.size && [...wanted.keys()].every((topic) => topics.has(topic))) {
    return;
  }
  topics.clear();
  model.streams.forEach((stream) => (stream.followed = false));
  wanted.forEach((what, topic) => {
    topics.set(topic, what);
    if (what.stream) {
      what.stream.followed = true;
    }
  });
  lights.changed();
  subscribed = false;
  listening.want(topics.keys());
}

function hear(topic, text) {
  const about = topics.get(topic);
  if (!about) {
    return;
  }
  let entity;
  try {
    entity = JSON.parse(text);
  } catch {
    return;
  }
  if (about.thing) {
    model.place(about.thing, entity.location);
  } else {
    model.observe(about.stream, entity, performance.now());
  }
  lights.changed();
}

function told(live) {
  subscribed = live;
  lost = !live;
  reading.all ||= lost;
  state();
  if (live) {
    // After the subscription, so that nothing is missed in between.
    readValues();
  }
}

async function listen() {
  state();
  setTimeout(() => subscribed || readValues(), PATIENCE_MILLISECONDS);
  const { Live } = await import("./live.js");
  listening = new Live(configuration.mqtt, hear, told);
  subscribe();
}

function polygon(bounds) {
  const corners = [bounds.getSouthWest(), bounds.getSouthEast(), bounds.getNorthEast(), bounds.getNorthWest()];
  return `POLYGON((${[...corners, corners[0]].map(({ lng, lat }) => `${lng} ${lat}`).join(",")}))`;
}

/** All of them at first and after an interruption; where others are followed since the map was moved, those in view. */
async function readValues() {
  if (reading.values) {
    reading.again = true;
    return;
  }
  reading.values = true;
  do {
    reading.again = false;
    const view = reading.all ? undefined : polygon(map.getBounds());
    reading.all = false;
    for await (const page of pages(latest(configuration, view), failing)) {
      failed = "";
      for (const datastream of page) {
        const stream = model.streams.get(datastream["@iot.id"]);
        const [observation] = datastream.Observations ?? [];
        if (stream && observation) {
          model.observe(stream, observation);
        }
      }
      lights.changed();
      state();
    }
  } while (reading.again);
  reading.values = false;
  document.body.dataset.valued = String(Math.round(performance.now()));
}

let hidden;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hidden);
  if (document.hidden) {
    hidden = setTimeout(() => listening?.sleep(), UNSEEN_MILLISECONDS);
  } else {
    listening?.wake();
  }
});
setInterval(() => {
  heading.second();
  document.body.dataset.frames = String(lights.frames);
  document.body.dataset.changes = String(model.changes);
}, 1000);
setInterval(() => {
  legend.count();
  details.tell();
}, 250);
setInterval(() => reading.things || readThings(), ANEW_MILLISECONDS);
readThings();
