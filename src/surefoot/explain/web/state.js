// The state of the page as a fragment of its address, so that a picture can be shared; what is as usual is left out.

function newRacer(rule, convention = "torch") {
  const { defaults, endless } = DATA.rules[rule].conventions[convention];
  return { rule, convention, hyper: { ...defaults, ...Object.fromEntries(endless.map((name) => [name, Infinity])) } };
}

function newState(surface = DATA.first) {
  const { start, knobs } = DATA.surfaces[surface];
  return {
    surface,
    knobs: Object.fromEntries(knobs.map((knob) => [knob.name, knob.value])),
    start: [...start],
    steps: 400,
    seed: DATA.seed,
    seconds: DATA.usual,
    at: 60,
    weight: 0,
    same: true,
    chosen: DATA.racers.length - 1,
    racers: DATA.racers.map((rule) => newRacer(rule)),
  };
}

function encode(state) {
  const racers = state.racers.map(({ rule, convention, hyper }) => {
    const usual = newRacer(rule, convention).hyper;
    const other = Object.entries(hyper).filter(([name, value]) => value !== usual[name]);
    return [rule, convention, ...other.map(([name, value]) => `${name}:${value}`)].join("~");
  });
  const parts = {
    surface: state.surface,
    ...state.knobs,
    start: state.start.join(","),
    steps: state.steps,
    seconds: state.seconds,
    at: state.at,
    weight: state.weight + 1,
    same: state.same ? 1 : 0,
    chosen: state.chosen + 1,
    race: racers.join(","),
  };
  return Object.entries(parts).map(([name, value]) => `${name}=${value}`).join("&");
}

function partsOf(text) {
  try {
    return Object.fromEntries(text.replace(/^#/, "").split("&").map((part) => decodeURIComponent(part).split("=")));
  } catch {
    return {}; // not an address that can be read
  }
}

// Reads as much of an address as makes sense.
function decode(text) {
  const given = partsOf(text);
  if (!Object.hasOwn(DATA.surfaces, given.surface ?? "")) return newState();
  const state = newState(given.surface);
  const number = (value, low, high, usual) => {
    const read = value === undefined || value === "" ? NaN : Number(value);
    return Number.isFinite(read) ? Math.min(high, Math.max(low, read)) : usual;
  };
  for (const knob of DATA.surfaces[given.surface].knobs) {
    state.knobs[knob.name] = number(given[knob.name], knob.low, knob.high, knob.value);
  }
  state.start = (given.start ?? "").split(",").length === 2
    ? given.start.split(",").map((value, k) => number(value, -100, 100, state.start[k]))
    : state.start;
  state.steps = DATA.steps.includes(Number(given.steps)) ? Number(given.steps) : state.steps;
  state.seconds = DATA.seconds.includes(Number(given.seconds)) ? Number(given.seconds) : state.seconds;
  state.weight = given.weight === "2" ? 1 : 0;
  state.at = Math.round(number(given.at, 0, state.steps, state.at));
  state.same = given.same !== "0";
  const racers = (given.race ?? "").split(",").map(decodeRacer).filter(Boolean).slice(0, DATA.most);
  if (racers.length) state.racers = racers;
  state.chosen = Math.round(number(given.chosen, 1, state.racers.length, state.racers.length)) - 1;
  return state;
}

function decodeRacer(text) {
  const [rule, convention, ...numbers] = text.split("~");
  if (!Object.hasOwn(DATA.rules, rule) || !Object.hasOwn(DATA.rules[rule].conventions, convention)) return null;
  const racer = newRacer(rule, convention);
  for (const slider of DATA.rules[rule].sliders) {
    const found = numbers.map((part) => part.split(":")).find(([name]) => name === slider.name);
    const value = found ? Number(found[1]) : NaN;
    const inside = (value >= slider.low && value <= slider.high) || (slider.zero && value === 0);
    if (inside) racer.hyper[slider.name] = value;
  }
  return racer;
}
