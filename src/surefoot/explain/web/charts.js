// Two charts against the step: the loss, and the effective step size of each weight, both in decades.

const EDGE = { left: 66, right: 12, top: 10, bottom: 34 };
const DECADES = 14;
const SIDEWAYS = 8; // pixels after which a finger means the chart and not the page

class Chart {
  constructor(canvas, onStep) {
    this.canvas = canvas;
    const go = (event) => {
      const box = canvas.getBoundingClientRect();
      const share = (event.clientX - box.left - EDGE.left) / (box.width - EDGE.left - EDGE.right);
      onStep(Math.max(0, Math.min(1, share)));
    };
    let held = null;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      held = { x: event.clientX, seeks: event.pointerType !== "touch" };
      if (held.seeks) go(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!held) return;
      held.seeks ||= Math.abs(event.clientX - held.x) > SIDEWAYS;
      if (held.seeks) go(event);
    });
    canvas.addEventListener("pointerup", (event) => {
      if (held && !held.seeks) go(event); // a tap
      held = null;
    });
    canvas.addEventListener("pointercancel", () => (held = null)); // the page scrolls
  }

  // series: { values, from, to, k, dash, wide }; band: { low, high } arrays or null. What `key` stands for is painted
  // once, in full and faintly; a frame then only joins the two at the step at hand.
  draw({ key, at, steps, theme, ...content }) {
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    if (!width) return; // hidden, or not laid out yet
    const context = sized(this.canvas);
    const whole = `${key} ${width} ${height} ${this.canvas.width}`;
    if (whole !== this.key) {
      this.key = whole;
      this.layers = [1, 0.22].map((alpha) => this.layer(alpha, { steps, theme, ...content }));
    }
    const x = EDGE.left + (at / steps) * (width - EDGE.left - EDGE.right);
    const cut = Math.round((x * this.canvas.width) / width);
    const [w, h] = [this.canvas.width, this.canvas.height];
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, w, h);
    if (cut > 0) context.drawImage(this.layers[0], 0, 0, cut, h, 0, 0, cut, h);
    context.drawImage(this.layers[1], cut, 0, w - cut, h, cut, 0, w - cut, h);
    context.fillStyle = theme.text;
    const [top, tall] = [EDGE.top, height - EDGE.top - EDGE.bottom].map((length) => (length * h) / height);
    context.fillRect(cut, top, Math.max(1, w / width), tall);
  }

  layer(alpha, { series, band, steps, range, label, theme }) {
    const made = document.createElement("canvas");
    [made.width, made.height] = [this.canvas.width, this.canvas.height];
    const context = made.getContext("2d");
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    context.setTransform(made.width / width, 0, 0, made.height / height, 0, 0);
    const area = { width: width - EDGE.left - EDGE.right, height: height - EDGE.top - EDGE.bottom };
    const px = (t) => EDGE.left + (t / steps) * area.width;
    const py = (value) => {
      const share = (Math.log10(value) - range[0]) / (range[1] - range[0]);
      return EDGE.top + (1 - Math.max(-0.02, Math.min(1.02, Number.isNaN(share) ? -0.02 : share))) * area.height;
    };
    this.axes(context, area, steps, range, label, px, theme);
    context.beginPath();
    context.rect(EDGE.left, EDGE.top, area.width, area.height);
    context.clip();
    if (band) this.band(context, band, steps, px, py, theme);
    context.globalAlpha = alpha;
    for (const one of series) this.line(context, one, px, py, theme);
    return made;
  }

  axes(context, area, steps, range, label, px, theme) {
    context.font = "12px system-ui, sans-serif";
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const { value, named } of logTicks(range)) {
      const y = EDGE.top + (1 - (Math.log10(value) - range[0]) / (range[1] - range[0])) * area.height;
      context.strokeStyle = theme.line;
      context.beginPath();
      context.moveTo(EDGE.left, y);
      context.lineTo(EDGE.left + area.width, y);
      context.stroke();
      context.fillStyle = theme.muted;
      if (named) context.fillText(words(value, 1), EDGE.left - 6, y);
    }
    context.textBaseline = "top";
    for (const tick of ticks(0, steps, 5)) {
      context.textAlign = tick === 0 ? "left" : px(tick) > EDGE.left + area.width - 12 ? "right" : "center";
      context.fillText(String(tick), px(tick), EDGE.top + area.height + 4);
    }
    context.textAlign = "center";
    context.fillText("step", EDGE.left + area.width / 2, EDGE.top + area.height + 19);
    context.save();
    context.translate(8, EDGE.top + area.height / 2);
    context.rotate(-Math.PI / 2);
    context.textBaseline = "middle";
    context.fillText(label, 0, 0);
    context.restore();
  }

  band(context, { low, high }, steps, px, py, theme) {
    context.beginPath();
    for (let t = 1; t <= steps; t++) context.lineTo(px(t), py(high[t]));
    for (let t = steps; t >= 1; t--) context.lineTo(px(t), py(low[t]));
    context.fillStyle = theme.band;
    context.fill();
    [context.strokeStyle, context.lineWidth] = [theme.muted, 1.5];
    for (const end of [low, high]) {
      context.beginPath();
      for (let t = 1; t <= steps; t++) context.lineTo(px(t), py(end[t]));
      context.stroke();
    }
  }

  line(context, { values, from, to, k, dash, wide }, px, py, theme) {
    [context.strokeStyle, context.lineWidth] = [theme.racers[k], wide ? 3 : 1.5];
    context.setLineDash(dash ? [5, 4] : []);
    context.lineJoin = "round";
    context.beginPath();
    for (let t = from; t <= to; t++) context.lineTo(px(t), py(values[t]));
    context.stroke();
  }
}

// Decades, with 2 and 5 between them where there are few; about five have their number beside them.
function logTicks([low, high]) {
  const steps = high - low < 2 ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil((high - low) / 5));
  const made = [];
  for (let decade = Math.floor(low); decade <= high; decade++) {
    for (const step of steps) made.push({ value: step * 10 ** decade, named: decade % every === 0 });
  }
  return made.filter(({ value }) => Math.log10(value) >= low && Math.log10(value) <= high);
}

// The decades that a chart shows: those of all values, but not more than DECADES below the largest.
function decadesOf(lists) {
  let [low, high] = [Infinity, -Infinity];
  for (const { values, from, to } of lists) {
    for (let t = from; t <= to; t++) {
      if (!(values[t] > 0) || !Number.isFinite(values[t])) continue;
      if (values[t] < low) low = values[t];
      if (values[t] > high) high = values[t];
    }
  }
  if (!(high > 0)) return [-1, 1];
  return [Math.max(Math.log10(low), Math.log10(high) - DECADES) - 0.1, Math.log10(high) + 0.1];
}

// The same for the middle 98 % of the values: the first rate of a weight without a gradient may be lr / eps.
function mostDecades(lists) {
  const all = [];
  for (const { values, from, to } of lists) for (let t = from; t <= to; t++) if (values[t] > 0) all.push(values[t]);
  if (!all.length) return [-4, 0];
  all.sort((a, b) => a - b);
  const [low, high] = [0.01, 0.99].map((share) => Math.log10(all[Math.floor(share * (all.length - 1))]));
  const middle = (low + high) / 2;
  return [Math.min(low - 0.4, middle - 1), Math.max(high + 0.4, middle + 1)];
}
