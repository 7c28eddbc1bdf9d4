// What lies below the Things where no background is given: a fine net in round metres, so that distances can be seen.
import L from "leaflet";

const EQUATOR = 40_075_016.686; // metres
const STEPS = [25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000];
const LEAST = 70; // pixels between two lines

export const Grid = L.Renderer.extend({
  options: { padding: 0.25, pane: "tilePane" },

  _initContainer() {
    this._container = L.DomUtil.create("canvas", "grid");
  },

  _destroyContainer() {
    this._container.remove();
  },

  _update() {
    if (this._map._animatingZoom && this._bounds) {
      return;
    }
    L.Renderer.prototype._update.call(this);
    // Metres are those of the middle of the data, for all of it: the net holds still while the map is moved.
    this._stretch ??= 256 / (EQUATOR * Math.cos((this._map.getCenter().lat * Math.PI) / 180));
    const density = window.devicePixelRatio || 1;
    const { x: width, y: height } = this._bounds.getSize();
    Object.assign(this._container, { width: width * density, height: height * density });
    Object.assign(this._container.style, { width: `${width}px`, height: `${height}px` });
    L.DomUtil.setPosition(this._container, this._bounds.min);
    const context = this._container.getContext("2d");
    context.scale(density, density);
    const metre = this._stretch * 2 ** this._map.getZoom();
    const step = (STEPS.find((each) => each * metre >= LEAST) ?? STEPS.at(-1)) * metre;
    const corner = this._map.getPixelOrigin().add(this._bounds.min);
    this._lines(context, width, height, step, (corner.x % step) - step, (corner.y % step) - step);
  },

  _lines(context, width, height, step, left, top) {
    context.strokeStyle = "rgba(148,178,214,.075)";
    context.lineWidth = 1;
    context.beginPath();
    for (let x = -left - 2 * step; x < width + step; x += step) {
      context.moveTo(Math.round(x) + 0.5, 0);
      context.lineTo(Math.round(x) + 0.5, height);
    }
    for (let y = -top - 2 * step; y < height + step; y += step) {
      context.moveTo(0, Math.round(y) + 0.5);
      context.lineTo(width, Math.round(y) + 0.5);
    }
    context.stroke();
  },
});
