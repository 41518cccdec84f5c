// The map: the surface in bands of equal colour, the walks over it, and the start, which can be moved.

const GRID = 150;
const BANDS = 22;
const REACH = 26; // how far from the ring's middle a finger still takes hold of it
const TAP = 10;
const MARGIN = { left: 50, right: 10, top: 10, bottom: 36 };

function plotArea(canvas) {
  return {
    left: MARGIN.left,
    top: MARGIN.top,
    width: canvas.clientWidth - MARGIN.left - MARGIN.right,
    height: canvas.clientHeight - MARGIN.top - MARGIN.bottom,
  };
}

// A canvas at the screen's own resolution; returns its context in units of CSS pixels.
function sized(canvas) {
  const scale = Math.min(window.devicePixelRatio || 1, 2);
  const [width, height] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)];
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return context;
}

function heights(race) {
  const surface = DATA.surfaces[race.surface];
  const evaluate = FUNCTIONS[surface.function];
  const [x0, x1, y0, y1] = surface.window;
  const made = new Float64Array(GRID * GRID);
  let low = Infinity;
  for (let j = 0; j < GRID; j++) {
    for (let i = 0; i < GRID; i++) {
      const x = x0 + ((x1 - x0) * i) / (GRID - 1);
      const y = y1 - ((y1 - y0) * j) / (GRID - 1);
      made[j * GRID + i] = evaluate(x, y, race.knobs)[0];
      low = Math.min(low, made[j * GRID + i]);
    }
  }
  const spread = made.map((value) => value - low).sort();
  const floor = spread[Math.floor(0.02 * spread.length)] || 1e-9;
  return made.map((value) => Math.log(value - low + floor));
}

// Bands between the least and the largest height, interpolated to every pixel so that their edges are sharp.
function landscape(race, width, height, theme) {
  const grid = heights(race);
  let [low, high] = [Infinity, -Infinity];
  for (const value of grid) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const colours = bandColours(theme);
  for (let j = 0; j < height; j++) {
    const v = (j / (height - 1)) * (GRID - 1.001);
    const row = Math.floor(v);
    for (let i = 0; i < width; i++) {
      const u = (i / (width - 1)) * (GRID - 1.001);
      const column = Math.floor(u);
      const at = row * GRID + column;
      const above = grid[at] + (grid[at + 1] - grid[at]) * (u - column);
      const below = grid[at + GRID] + (grid[at + GRID + 1] - grid[at + GRID]) * (u - column);
      const share = (above + (below - above) * (v - row) - low) / (high - low || 1);
      pixels[j * width + i] = colours[Math.min(BANDS - 1, Math.floor(share * BANDS))];
    }
  }
  return image;
}

function bandColours(theme) {
  const [low, high] = [theme.low, theme.high].map((text) => text.match(/\w\w/g).map((pair) => parseInt(pair, 16)));
  return Array.from({ length: BANDS }, (_, k) => {
    const share = k / (BANDS - 1);
    const lift = k % 2 ? 0 : theme.step;
    const mix = (from, c) => Math.round(from + (high[c] - from) * share + lift);
    const [r, g, b] = low.map(mix).map((part) => Math.max(0, Math.min(255, part)));
    return (255 << 24) | (b << 16) | (g << 8) | r;
  });
}

class SurfaceMap {
  constructor(canvas, onStart) {
    this.canvas = canvas;
    this.key = "";
    this.ring = [-REACH, -REACH];
    this.back = document.createElement("canvas");
    this.listen(onStart);
  }

  listen(onStart) {
    const move = (event, done) => {
      const box = this.canvas.getBoundingClientRect();
      const area = plotArea(this.canvas);
      const [x0, x1, y0, y1] = DATA.surfaces[this.race.surface].window;
      const u = Math.min(1, Math.max(0, (event.clientX - box.left - area.left) / area.width));
      const v = Math.min(1, Math.max(0, (event.clientY - box.top - area.top) / area.height));
      onStart([round(x0 + (x1 - x0) * u, 3), round(y1 - (y1 - y0) * v, 3)], done);
    };
    this.drag(move, onStart);
    this.canvas.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!way) return;
      event.preventDefault();
      const [x0, x1, y0, y1] = DATA.surfaces[this.race.surface].window;
      const [x, y] = this.race.start;
      onStart([round(x + (way[0] * (x1 - x0)) / 50, 3), round(y + (way[1] * (y1 - y0)) / 50, 3)], true);
    });
  }

  // A finger scrolls the page unless it comes down on the ring; a tap moves the start as a click does.
  drag(move, onStart) {
    let held = null;
    const on = (name, act, options) => this.canvas.addEventListener(name, act, options);
    on("touchstart", (event) => this.onRing(event.touches[0]) && event.preventDefault(), { passive: false });
    on("pointerdown", (event) => {
      held = { x: event.clientX, y: event.clientY, drags: event.pointerType !== "touch" || this.onRing(event) };
      if (!held.drags) return;
      this.canvas.setPointerCapture(event.pointerId);
      move(event, false);
    });
    on("pointermove", (event) => held?.drags && move(event, false));
    on("pointerup", (event) => {
      const tapped = held && Math.hypot(event.clientX - held.x, event.clientY - held.y) < TAP;
      if (held?.drags || tapped) move(event, true);
      held = null;
    });
    on("pointercancel", () => {
      if (held?.drags) onStart(this.race.start, true);
      held = null;
    });
  }

  onRing({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    return Math.hypot(clientX - box.left - this.ring[0], clientY - box.top - this.ring[1]) < REACH;
  }

  draw(race, walks, at, chosen, theme) {
    this.race = race;
    if (!this.canvas.clientWidth) return; // hidden, or not laid out yet
    const context = sized(this.canvas);
    const area = plotArea(this.canvas);
    const [x0, x1, y0, y1] = DATA.surfaces[race.surface].window;
    const px = (x) => area.left + ((x - x0) / (x1 - x0)) * area.width;
    const py = (y) => area.top + ((y1 - y) / (y1 - y0)) * area.height;
    context.clearRect(0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
    this.ground(context, area, race, theme);
    this.axes(context, area, [x0, x1, y0, y1], px, py, theme);
    context.save();
    context.beginPath();
    context.rect(area.left, area.top, area.width, area.height);
    context.clip();
    this.marks(context, race, px, py, theme);
    const order = walks.map((_, k) => k).filter((k) => k !== chosen);
    for (const k of [...order, chosen]) {
      if (walks[k]) this.trail(context, walks[k], at, k, k === chosen, px, py, theme);
    }
    context.restore();
  }

  ground(context, area, race, theme) {
    const scale = this.canvas.width / this.canvas.clientWidth;
    const [width, height] = [Math.round(area.width * scale), Math.round(area.height * scale)];
    const key = JSON.stringify([race.surface, race.knobs, width, height, theme.low]);
    if (key !== this.key) {
      this.key = key;
      [this.back.width, this.back.height] = [width, height];
      this.back.getContext("2d").putImageData(landscape(race, width, height, theme), 0, 0);
    }
    context.drawImage(this.back, area.left, area.top, area.width, area.height);
  }

  axes(context, area, [x0, x1, y0, y1], px, py, theme) {
    context.fillStyle = theme.muted;
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const tick of ticks(x0, x1, 6)) context.fillText(words(tick), px(tick), area.top + area.height + 5);
    context.fillText("first weight, x", area.left + area.width / 2, area.top + area.height + 20);
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const tick of ticks(y0, y1, 6)) context.fillText(words(tick), area.left - 6, py(tick));
    context.save();
    context.translate(8, area.top + area.height / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.fillText("second weight, y", 0, 0);
    context.restore();
  }

  marks(context, race, px, py, theme) {
    const { minima } = DATA.surfaces[race.surface];
    context.strokeStyle = theme.text;
    context.lineWidth = 2;
    context.beginPath();
    for (const [x, y] of minima.map((place) => [px(place[0]), py(place[1])])) {
      for (const side of [1, -1]) {
        context.moveTo(x - 6, y - 6 * side);
        context.lineTo(x + 6, y + 6 * side);
      }
    }
    const [x, y] = (this.ring = [px(race.start[0]), py(race.start[1])]);
    context.moveTo(x + 11, y);
    context.arc(x, y, 11, 0, 2 * Math.PI);
    context.stroke();
  }

  trail(context, walked, at, k, chosen, px, py, theme) {
    const last = Math.min(at, walked.made);
    const line = (from, to, width, colour, alpha) => {
      let [x, y] = [near(px(walked.x[from])), near(py(walked.y[from]))];
      context.beginPath();
      context.moveTo(x, y);
      for (let t = from + 1; t <= to; t++) {
        const [u, v] = [near(px(walked.x[t])), near(py(walked.y[t]))];
        if (t < to && Math.abs(u - x) + Math.abs(v - y) < 0.7) continue; // less than a pixel away
        context.lineTo(u, v);
        [x, y] = [u, v];
      }
      [context.lineWidth, context.strokeStyle, context.globalAlpha] = [width, colour, alpha];
      context.stroke();
      context.globalAlpha = 1;
    };
    context.lineJoin = "round";
    if (last < walked.made) line(last, walked.made, 1.5, theme.racers[k], 0.25);
    line(0, last, chosen ? 6 : 4, theme.card, 0.7);
    line(0, last, chosen ? 3.5 : 2, theme.racers[k], 1);
    badge(context, near(px(walked.x[last])), near(py(walked.y[last])), k, theme, chosen ? 10 : 8);
  }
}

// A place far outside the canvas is as good as one a thousand times farther, and drawn faster.
function near(place) {
  return Math.max(-4000, Math.min(4000, place));
}

function badge(context, x, y, k, theme, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = theme.racers[k];
  context.fill();
  [context.lineWidth, context.strokeStyle, context.fillStyle] = [1.5, theme.card, theme.badge];
  context.stroke();
  context.font = `bold ${radius + 2}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(String(k + 1), x, y + 0.5);
}

function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const width = [1, 2, 5, 10].map((m) => m * power).find((m) => m >= rough);
  const made = [];
  for (let k = Math.ceil(low / width); k * width <= high; k++) made.push(round(k * width, 6));
  return made;
}
