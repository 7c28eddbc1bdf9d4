// Draws the Things: a dot for each Datastream in the colour of its result, with a ring that widens when it changes.
//
// One canvas, drawn at most once in a frame however much has changed. Each look is drawn once and copied from then on.
import L from "leaflet";

const RING_MILLISECONDS = 900;
const RING_STEPS = 12;
const GOLDEN_ANGLE = 2.399963;
const ON_A_RING = 12; // Datastreams of a Thing; more fill a disc

/** Radius of a dot in pixels: from a mosaic of the city to the heads of one junction. */
export function dotRadius(zoom) {
  return Math.min(8, Math.max(1.5, 1.5 * 1.42 ** (zoom - 12)));
}

/** Where the dots of a Thing lie around its place, in radii of a dot. */
export function arrangement(count) {
  if (count === 1) {
    return [[0, 0]];
  }
  if (count <= ON_A_RING) {
    const around = Math.max(1.5, (1.28 * count) / Math.PI);
    return Array.from({ length: count }, (_, index) => {
      const angle = (2 * Math.PI * index) / count - Math.PI / 2;
      return [around * Math.cos(angle), around * Math.sin(angle)];
    });
  }
  return Array.from({ length: count }, (_, index) => {
    const away = 2.1 * Math.sqrt(index + 0.5);
    return [away * Math.cos(index * GOLDEN_ANGLE), away * Math.sin(index * GOLDEN_ANGLE)];
  });
}

const arrangements = new Map();

function arranged(count) {
  if (!arrangements.has(count)) {
    arrangements.set(count, arrangement(count));
  }
  return arrangements.get(count);
}

export const Lights = L.Renderer.extend({
  options: { padding: 0.25, pane: "overlayPane" },

  initialize(model, { still }) {
    L.Renderer.prototype.initialize.call(this, {});
    this._model = model;
    this._still = still;
    this._sprites = new Map();
    this.frames = 0;
    this._chosen = undefined;
    this._frame = this._frame.bind(this);
  },

  _initContainer() {
    this._container = L.DomUtil.create("canvas", "lights");
    this._context = this._container.getContext("2d");
  },

  _destroyContainer() {
    cancelAnimationFrame(this._requested);
    this._container.remove();
  },

  _update() {
    if (this._map._animatingZoom && this._bounds) {
      return;
    }
    L.Renderer.prototype._update.call(this);
    const size = this._bounds.getSize();
    this._density = window.devicePixelRatio || 1;
    this._container.width = size.x * this._density;
    this._container.height = size.y * this._density;
    this._container.style.width = `${size.x}px`;
    this._container.style.height = `${size.y}px`;
    L.DomUtil.setPosition(this._container, this._bounds.min);
    // Of the zoom that the canvas is drawn for: while the map glides to another, it is stretched.
    this._drawnFor = this._map.getZoom();
    this._corner = this._map.getPixelOrigin().add(this._bounds.min);
    this._draw(performance.now());
  },

  /** Has it drawn anew with the next frame. */
  changed() {
    if (this._requested === undefined && this._map) {
      this._requested = requestAnimationFrame(this._frame);
    }
  },

  /** Marks a Thing. */
  choose(thing) {
    this._chosen = thing;
    this.changed();
  },

  /** The Thing whose dots are nearest to a point of the map's container, if they are near. */
  nearest(point) {
    const at = this._map.containerPointToLayerPoint(point).subtract(this._bounds.min);
    let [found, least] = [undefined, Infinity];
    for (const thing of this._model.things.values()) {
      const [x, y] = this._where(thing);
      const away = Math.hypot(x - at.x, y - at.y) - this._reach(thing);
      if (away < least) {
        [found, least] = [thing, away];
      }
    }
    return least < 10 ? found : undefined;
  },

  _frame(now) {
    this._requested = undefined;
    this.frames += 1;
    if (this._draw(now)) {
      this.changed();
    }
  },

  _where(thing) {
    if (thing.moved) {
      const point = L.CRS.EPSG3857.latLngToPoint(L.latLng(thing.position[1], thing.position[0]), 0);
      thing.point = [point.x, point.y];
      thing.moved = false;
    }
    const scale = 2 ** this._drawnFor;
    return [thing.point[0] * scale - this._corner.x, thing.point[1] * scale - this._corner.y];
  },

  _reach(thing) {
    const last = arranged(thing.streams.length || 1).at(-1);
    return (Math.hypot(...last) + 1) * dotRadius(this._drawnFor);
  },

  /** @returns whether something moves on by itself. */
  _draw(now) {
    const context = this._context;
    const { x: width, y: height } = this._bounds.getSize();
    const radius = dotRadius(this._drawnFor);
    const ring = Math.max(3.2, radius * 2.6);
    context.setTransform(this._density, 0, 0, this._density, 0, 0);
    context.clearRect(0, 0, width, height);
    let moving = false;
    for (const thing of this._model.things.values()) {
      const [x, y] = this._where(thing);
      const reach = this._reach(thing) + ring;
      if (x < -reach || y < -reach || x > width + reach || y > height + reach) {
        continue;
      }
      if (thing.lines.length > 0) {
        this._lines(thing, radius);
      }
      const places = arranged(thing.streams.length || 1);
      const recent = !this._still && now - thing.touched < RING_MILLISECONDS;
      moving ||= recent;
      // What shines lies below all dots, so that none takes on its neighbours' colours.
      thing.streams.forEach((stream, index) => {
        if (stream.colour !== this._model.none && stream.followed) {
          const [dx, dy] = places[index];
          this._copy(this._glow(stream.colour, radius), x + dx * radius, y + dy * radius);
        }
      });
      thing.streams.forEach((stream, index) => {
        const [dx, dy] = places[index];
        // What is not followed is as it was when it was read.
        context.globalAlpha = stream.followed ? 1 : 0.35;
        this._copy(this._dot(stream.colour, radius), x + dx * radius, y + dy * radius);
        context.globalAlpha = 1;
        if (recent && now - stream.changed < RING_MILLISECONDS) {
          const step = Math.max(0, Math.floor(((now - stream.changed) / RING_MILLISECONDS) * RING_STEPS));
          this._copy(this._ring(stream.colour, ring, step), x + dx * radius, y + dy * radius);
        }
      });
      if (thing === this._chosen) {
        context.beginPath();
        context.arc(x, y, this._reach(thing) + 6, 0, 2 * Math.PI);
        context.strokeStyle = "rgba(255,255,255,.85)";
        context.lineWidth = 1.5;
        context.stroke();
      }
    }
    return moving;
  },

  _lines(thing, radius) {
    const context = this._context;
    const scale = 2 ** this._drawnFor;
    context.beginPath();
    for (const line of thing.lines) {
      line.forEach(([longitude, latitude], index) => {
        const point = L.CRS.EPSG3857.latLngToPoint(L.latLng(latitude, longitude), 0);
        const [x, y] = [point.x * scale - this._corner.x, point.y * scale - this._corner.y];
        if (index === 0) {
          context.moveTo(x, y);
        } else {
          context.lineTo(x, y);
        }
      });
    }
    context.globalAlpha = 0.55;
    context.strokeStyle = this._model.colours[thing.streams[0]?.colour ?? this._model.none];
    context.lineWidth = Math.max(1, radius / 2);
    context.lineCap = context.lineJoin = "round";
    context.stroke();
    context.globalAlpha = 1;
  },

  _copy({ sprite, half }, x, y) {
    this._context.drawImage(sprite, x - half, y - half, 2 * half, 2 * half);
  },

  _glow(colour, radius) {
    return this._sprite(`glow ${colour} ${radius}`, 3 * radius, (context, half) => {
      const paint = this._model.colours[colour];
      const glow = context.createRadialGradient(half, half, radius * 0.6, half, half, half);
      glow.addColorStop(0, `${paint}66`);
      glow.addColorStop(1, `${paint}00`);
      context.fillStyle = glow;
      context.fillRect(0, 0, 2 * half, 2 * half);
    });
  },

  _dot(colour, radius) {
    return this._sprite(`dot ${colour} ${radius}`, radius + 1, (context, half) => {
      context.beginPath();
      context.arc(half, half, colour === this._model.none ? radius * 0.8 : radius, 0, 2 * Math.PI);
      context.fillStyle = this._model.colours[colour];
      context.fill();
    });
  },

  _ring(colour, reach, step) {
    return this._sprite(`ring ${colour} ${reach} ${step}`, 2.2 * reach, (context, half) => {
      const part = (step + 0.5) / RING_STEPS;
      context.beginPath();
      context.arc(half, half, reach * (0.5 + 1.5 * (1 - (1 - part) ** 2)), 0, 2 * Math.PI);
      context.globalAlpha = 0.9 * (1 - part) ** 1.5;
      context.strokeStyle = this._model.colours[colour];
      context.lineWidth = Math.max(0.8, reach / 5) * (1 - 0.6 * part);
      context.stroke();
    });
  },

  _sprite(name, half, draw) {
    const wanted = `${name} ${this._density}`;
    let found = this._sprites.get(wanted);
    if (!found) {
      const sprite = document.createElement("canvas");
      sprite.width = sprite.height = Math.ceil(2 * half * this._density);
      const context = sprite.getContext("2d");
      context.scale(this._density, this._density);
      draw(context, half);
      found = { sprite, half };
      if (this._sprites.size > 2000) {
        this._sprites.clear();
      }
      this._sprites.set(wanted, found);
    }
    return found;
  },
});
