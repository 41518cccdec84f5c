// What belongs together: the state, the walks computed from it, and all that shows them.

const $ = (id) => document.getElementById(id);
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function readTheme() {
  const style = getComputedStyle(document.documentElement);
  const get = (name) => style.getPropertyValue(`--${name}`).trim();
  const names = ["text", "muted", "line", "card", "low", "high", "band", "badge"];
  return {
    ...Object.fromEntries(names.map((name) => [name, get(name)])),
    step: Number(get("step")),
    racers: Array.from({ length: DATA.most }, (_, k) => get(`racer${k}`)),
  };
}

let state = decode(location.hash);
let theme = readTheme();
let walks = [];
let revision = 0;
let bounds = null;
let ranges = {};
let playing = false;
let pending = false;
const frames = [];

const map = new SurfaceMap($("map"), (start, done) => change({ start }, done));
const lossChart = new Chart($("loss"), (share) => seek(Math.round(share * state.steps)));
const rateChart = new Chart($("rates"), (share) => seek(Math.round(share * state.steps)));
const formula = new Formula($("formula"), $("letters"));
const racers = new Racers($("racers"), $("legend"), $("sliders"), {
  choose: (k) => change({ chosen: k }, true),
  replace: (k, racer) => change({ racers: state.racers.with(k, racer), chosen: k }, true),
  remove: (k) => {
    const left = state.racers.filter((_, other) => other !== k);
    change({ racers: left, chosen: Math.min(state.chosen, left.length - 1) }, true);
    $(`pick${Math.min(k, left.length - 1)}`).focus();
  },
  set: (name, value, done) => {
    const racer = state.racers[state.chosen];
    const hyper = { ...racer.hyper, [name]: value };
    change({ racers: state.racers.with(state.chosen, { ...racer, hyper }) }, done);
  },
});

// A change of the state. While something is dragged (`done` is false) learning rates are not searched anew, and what
// is being dragged is not replaced.
function change(changes, done) {
  const atEnd = state.at >= state.steps;
  state = { ...state, ...changes };
  if (atEnd || state.at > state.steps) state.at = state.steps;
  if (done && state.same) state.racers = state.racers.map((racer) => tuned(racer));
  compute();
  if (done) build();
  [$("x").value, $("y").value] = state.start.map(String);
  redraw();
  if (done) settle();
}

const found = new Map();

function tuned(racer) {
  const { surface, knobs, start, steps, seed } = state;
  const others = Object.entries(racer.hyper).filter(([name]) => name !== "lr");
  const key = JSON.stringify([racer.rule, racer.convention, others, surface, knobs, start, steps, seed]);
  if (!found.has(key)) found.set(key, bestRate(racer, state));
  return { ...racer, hyper: { ...racer.hyper, lr: found.get(key) } };
}

function compute() {
  revision += 1;
  walks = state.racers.map((racer) => walk(racer, state));
  for (const walked of walks) walked.apart = walks.map((other) => (other === walked ? Infinity : apart(walked, other)));
  const racer = state.racers[state.chosen];
  const form = formOf(racer);
  bounds = null;
  if (form.bounds !== null) {
    bounds = { low: new Float64Array(state.steps + 1), high: new Float64Array(state.steps + 1) };
    for (let t = 1; t <= state.steps; t++) [bounds.low[t], bounds.high[t]] = FUNCTIONS[form.bounds](t, racer.hyper);
  }
  ranges = { loss: decadesOf(lossSeries()), rate: mostDecades(rateSeries()) };
}

// The first step at which two walks are not the same: by more than a millionth of the map, for an eps may differ.
function apart(one, other) {
  const [x0, x1, y0, y1] = DATA.surfaces[state.surface].window;
  const far = (a, b, width) => Math.abs(a - b) > width * 1e-6;
  const both = Math.min(one.made, other.made);
  for (let t = 1; t <= both; t++) {
    if (far(one.x[t], other.x[t], x1 - x0) || far(one.y[t], other.y[t], y1 - y0)) return t;
  }
  return one.made === other.made ? Infinity : both + 1;
}

function lossSeries() {
  return inFront(
    walks.map((walked, k) => ({ values: walked.loss, from: 0, to: walked.made, k, wide: k === state.chosen })),
  );
}

function rateSeries() {
  return inFront(walks.flatMap((walked, k) => [0, 1].map((w) => (
    { values: walked.rate[w], from: 1, to: walked.made, k, dash: w === 1, wide: k === state.chosen }))));
}

function inFront(series) {
  return [...series.filter((one) => !one.wide), ...series.filter((one) => one.wide)];
}

function draw() {
  const { at, steps } = state;
  map.draw(state, walks, at, state.chosen, theme);
  const common = { key: `${revision} ${theme.card}`, steps, at, theme };
  lossChart.draw({ ...common, series: lossSeries(), band: null, range: ranges.loss, label: "loss" });
  rateChart.draw({ ...common, series: rateSeries(), band: bounds, range: ranges.rate, label: "step size" });
  formula.draw(state.racers[state.chosen], walks[state.chosen], at, state.weight);
  racers.tell(state, walks);
  $("scrub").value = String(at);
  $("step").textContent = `step ${at} of ${steps}`;
}

function redraw() {
  if (pending) return;
  pending = true;
  requestAnimationFrame(() => {
    pending = false;
    draw();
  });
}

// When things come to rest, the address and the words for screen readers follow.
function settle() {
  history.replaceState(null, "", `#${encode(state)}`);
  const told = state.racers.map((racer, k) => {
    const walked = walks[k];
    const lost = walked.made < state.steps && state.at > walked.made;
    return `${k + 1}, ${title(racer)}: ${lost ? "diverged" : `loss ${words(walked.loss[Math.min(state.at, walked.made)])}`}`;
  });
  $("said").textContent = `${DATA.surfaces[state.surface].title}, step ${state.at} of ${state.steps}. ${told.join("; ")}.`;
}

function seek(at) {
  pause();
  state.at = Math.max(0, Math.min(state.steps, at));
  $("scrub").setAttribute("aria-valuetext", `step ${state.at} of ${state.steps}`);
  redraw();
  settle();
}

function play() {
  if (state.at >= state.steps) state.at = 0;
  playing = true;
  $("play").textContent = "Pause";
  frames.length = 0;
  let place = state.at;
  let before = null;
  const frame = (now) => {
    if (!playing) return;
    place += before === null ? 0 : (Math.min(now - before, 200) / 1000) * (state.steps / state.seconds);
    before = now;
    state.at = Math.min(state.steps, Math.floor(place));
    const begun = performance.now();
    draw();
    frames.push({ at: now, cost: performance.now() - begun });
    if (state.at >= state.steps) pause();
    else requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

function pause() {
  if (!playing) return;
  playing = false;
  $("play").textContent = "Play";
  settle();
}

function build() {
  const surface = DATA.surfaces[state.surface];
  $("surface").value = state.surface;
  $("about").textContent = surface.about;
  $("steps").value = String(state.steps);
  $("seconds").value = String(state.seconds);
  document.querySelector(`[name=weight][value="${state.weight}"]`).checked = true;
  $("scrub").max = String(state.steps);
  $("same").checked = state.same;
  $("add").disabled = state.racers.length >= DATA.most;
  const focused = document.activeElement?.id;
  buildKnobs(surface);
  racers.build(state);
  if (focused) $(focused)?.focus();
  $("chosen").textContent = $("formula-of").textContent = title(state.racers[state.chosen]);
  $("doc").textContent = DATA.rules[state.racers[state.chosen].rule].doc;
  $("bounds").hidden = bounds === null;
}

function buildKnobs(surface) {
  $("knobs").replaceChildren(...surface.knobs.map((knob) => {
    const scale = knob.log ? "log" : "linear";
    const turn = (value) => `${Math.round((2 * Math.atan(value) * 180) / Math.PI)}°`;
    const [name, meaning] = knob.meaning.split(": ");
    return sliderRow(`k-${knob.name}`, {
      symbol: "", name, meaning, value: state.knobs[knob.name], format: knob.name === "turn" ? turn : undefined,
      slider: { low: knob.low, high: knob.high, scale, zero: false },
    }, (value, done) => change({ knobs: { ...state.knobs, [knob.name]: value } }, done));
  }));
}

function listen() {
  $("surface").addEventListener("change", (event) => {
    const { surface, knobs, start } = newState(event.target.value);
    change({ surface, knobs, start }, true);
  });
  $("steps").addEventListener("change", (event) => change({ steps: Number(event.target.value) }, true));
  $("same").addEventListener("change", (event) => change({ same: event.target.checked }, true));
  ["x", "y"].forEach((id, k) => $(id).addEventListener("change", (event) => {
    const read = event.target.valueAsNumber;
    change({ start: state.start.with(k, Number.isFinite(read) ? read : state.start[k]) }, true);
  }));
  $("play").addEventListener("click", () => (playing ? pause() : play()));
  $("back").addEventListener("click", () => seek(state.at - 1));
  $("forward").addEventListener("click", () => seek(state.at + 1));
  $("first").addEventListener("click", () => seek(0));
  $("scrub").addEventListener("input", (event) => seek(Number(event.target.value)));
  $("add").addEventListener("click", () => {
    const used = state.racers.map((racer) => racer.rule);
    const next = Object.keys(DATA.rules).find((rule) => !used.includes(rule)) ?? "adam";
    change({ racers: [...state.racers, newRacer(next)], chosen: state.racers.length }, true);
  });
  document.querySelectorAll("[name=weight]").forEach((radio) => radio.addEventListener("change", () => {
    state.weight = Number(radio.value);
    redraw();
    settle();
  }));
  $("seconds").addEventListener("change", (event) => {
    state.seconds = Number(event.target.value);
    settle();
  });
  $("to-compare").addEventListener("click", (event) => {
    event.preventDefault();
    $("compare").scrollIntoView();
    $("compare").focus();
  });
  dark.addEventListener("change", () => {
    theme = readTheme();
    redraw();
  });
  window.addEventListener("resize", redraw);
  window.addEventListener("hashchange", () => {
    state = decode(location.hash);
    change({}, true);
  });
}

buildMatrix();

// For tests and the curious: any walk, and what the frames of the last play cost.
window.surefoot = {
  walk: (racer, race) => walk(racer, { seed: DATA.seed, ...race }),
  grid: DATA.grid,
  singular,
  drawnToOne,
  frames,
  get state() {
    return state;
  },
};

listen();
change({}, true);
document.documentElement.dataset.drawn = "yes";
