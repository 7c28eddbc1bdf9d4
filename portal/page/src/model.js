// What the page knows: Things with a place, and of each of their Datastreams the newest Observation.

/** @returns the time that an Observation is about, in milliseconds: the end, where it is an interval. */
export function timeOf(phenomenonTime) {
  const text = String(phenomenonTime ?? "");
  const time = Date.parse(text.slice(text.lastIndexOf("/") + 1));
  return Number.isNaN(time) ? 0 : time;
}

/** @returns {[number, number][]} every position of a GeoJSON geometry, longitude first. */
export function positions(geometry) {
  if (!geometry) {
    return [];
  }
  if (geometry.type === "Feature") {
    return positions(geometry.geometry);
  }
  if (geometry.type === "GeometryCollection") {
    return (geometry.geometries ?? []).flatMap(positions);
  }
  return flat(geometry.coordinates);
}

function flat(coordinates) {
  if (!Array.isArray(coordinates)) {
    return [];
  }
  return typeof coordinates[0] === "number" ? [coordinates] : coordinates.flatMap(flat);
}

/** @returns {[number, number][][]} the lines of a geometry, and the rims of its areas. */
export function lines(geometry) {
  switch (geometry?.type) {
    case "Feature":
      return lines(geometry.geometry);
    case "GeometryCollection":
      return (geometry.geometries ?? []).flatMap(lines);
    case "LineString":
      return [geometry.coordinates];
    case "MultiLineString":
    case "Polygon":
      return geometry.coordinates;
    case "MultiPolygon":
      return geometry.coordinates.flat();
    default:
      return [];
  }
}

/** @returns {[number, number] | undefined} the middle of what a geometry covers. */
export function middle(geometry) {
  const all = positions(geometry).filter(([x, y]) => Number.isFinite(x) && Math.abs(y) < 85.06);
  if (all.length === 0) {
    return undefined;
  }
  const among = (axis) => {
    let [least, most] = [Infinity, -Infinity];
    for (const position of all) {
      least = Math.min(least, position[axis]);
      most = Math.max(most, position[axis]);
    }
    return (least + most) / 2;
  };
  return [among(0), among(1)];
}

export class Model {
  /** @param {{result: string, colour: string, label?: string}[]} styles */
  constructor(styles) {
    this.things = new Map();
    this.streams = new Map();
    this.changes = 0;
    this.styles = styles.map((style) => ({ ...style, label: style.label ?? style.result }));
    this.byResult = new Map(this.styles.map((style, index) => [style.result, index]));
    /** Colours by their index: those of the spec, then that of other results, then that of none. */
    this.colours = [...this.styles.map((style) => style.colour), "#5aa9ff", "#66778c"];
    this.counts = new Array(this.colours.length).fill(0);
  }

  get none() {
    return this.colours.length - 1;
  }

  /** Takes in a Thing as the service tells of it. @returns its Datastreams that were not known before. */
  add(entity) {
    const thing = this.things.get(entity["@iot.id"]) ?? { id: entity["@iot.id"], streams: [], touched: 0 };
    thing.name = entity.name;
    thing.description = entity.description ?? "";
    if (!this.place(thing, entity.Locations?.[0]?.location)) {
      return [];
    }
    this.things.set(thing.id, thing);
    const known = new Set(thing.streams.map((stream) => stream.id));
    const fresh = (entity.Datastreams ?? []).filter((each) => !known.has(each["@iot.id"]));
    return fresh.map((each) => this.#stream(thing, each));
  }

  /** Puts a Thing where a Location says. @returns whether that is somewhere. */
  place(thing, location) {
    const where = middle(location);
    if (where === undefined) {
      return thing.position !== undefined;
    }
    thing.position = where;
    thing.lines = lines(location);
    thing.moved = true;
    return true;
  }

  #stream(thing, entity) {
    const unit = entity.unitOfMeasurement?.symbol ?? "";
    // "Status" and the like are explained by the legend.
    const symbol = /^[^\s]{1,6}$/.test(unit) ? unit : "";
    const stream = {
      id: entity["@iot.id"], name: entity.name, unit: symbol, thing, colour: this.none, time: -1, changed: -Infinity,
      followed: false,
    };
    thing.streams.push(stream);
    this.streams.set(stream.id, stream);
    this.counts[this.none] += 1;
    return stream;
  }

  /** Takes away a Thing that is there no more. */
  remove(thing) {
    for (const stream of thing.streams) {
      this.counts[stream.colour] -= 1;
      this.streams.delete(stream.id);
    }
    this.things.delete(thing.id);
  }

  /** Takes in an Observation, unless a newer one is known. @returns whether it was news. */
  observe(stream, { result, phenomenonTime }, now) {
    const time = timeOf(phenomenonTime);
    if (time < stream.time || (time === stream.time && result === stream.result)) {
      return false;
    }
    const colour = this.byResult.get(String(result)) ?? this.none - 1;
    this.counts[stream.colour] -= 1;
    this.counts[colour] += 1;
    stream.result = result;
    stream.time = time;
    stream.colour = colour;
    if (now !== undefined) {
      stream.changed = now;
      stream.thing.touched = now;
      this.changes += 1;
    }
    return true;
  }

  /** @returns what a result is called, for people. */
  say(stream, unknown) {
    if (stream.time < 0) {
      return unknown;
    }
    const style = this.styles[stream.colour];
    if (style) {
      return style.label;
    }
    const text = typeof stream.result === "object" ? JSON.stringify(stream.result) : String(stream.result);
    return `${text.length > 60 ? `${text.slice(0, 60)}…` : text} ${stream.unit}`.trim();
  }
}
