// A racer's walk over a surface: the generated step of its rule, in float64, weight by weight, or of both where it asks.

function mixed(state) {
  state = (state + 0x6d2b79f5) >>> 0;
  let bits = Math.imul(state ^ (state >>> 15), state | 1) >>> 0;
  bits = (bits ^ (bits + Math.imul(bits ^ (bits >>> 7), bits | 61))) >>> 0;
  return (bits ^ (bits >>> 14)) >>> 0;
}

function noiseAt(seed, step, weight) {
  const start = mixed((Math.imul(seed, 0x9e3779b1) + step * 2 + weight) >>> 0);
  let total = -6;
  for (let k = 0; k < 12; k++) total += mixed((start + k) >>> 0) / 4294967296;
  return total;
}

// What a racer runs: its rule in its convention, in the form that its zeros ask for.
function formOf(racer) {
  const meaning = DATA.rules[racer.rule].conventions[racer.convention];
  return meaning.forms[meaning.gates.filter((gate) => racer.hyper[gate] !== 0).join(",")];
}

function startState(form, hyper, weight) {
  const named = { ...hyper, weight };
  return Object.fromEntries(
    Object.entries(form.starts).map(([slot, value]) => [slot, typeof value === "string" ? named[value] : value]),
  );
}

function walk(racer, race, keep = true) {
  const { steps, start, knobs, seed } = race;
  const surface = DATA.surfaces[race.surface];
  const evaluate = FUNCTIONS[surface.function];
  const form = formOf(racer);
  const step = FUNCTIONS[form.step];
  const make = () => new Float64Array(steps + 1);
  const [x, y, loss] = [make(), make(), make()];
  const rate = keep ? [make(), make()] : null;
  const slope = keep ? [make(), make()] : null;
  const states = keep ? [[], []] : null;
  let [wx, wy] = start;
  let [sx, sy] = [startState(form, racer.hyper, wx), startState(form, racer.hyper, wy)];
  let here = evaluate(wx, wy, knobs);
  [x[0], y[0], loss[0]] = [wx, wy, here[0]];
  let made = 0;
  for (let t = 1; t <= steps; t++) {
    const gx = surface.noisy ? here[1] + knobs.noise * noiseAt(seed, t, 0) : here[1];
    const gy = surface.noisy ? here[2] + knobs.noise * noiseAt(seed, t, 1) : here[2];
    const [a, b] = form.together
      ? step([wx, wy], [gx, gy], [sx, sy], t, racer.hyper)
      : [step(wx, gx, sx, t, racer.hyper), step(wy, gy, sy, t, racer.hyper)];
    if (keep) {
      [slope[0][t], slope[1][t], rate[0][t], rate[1][t]] = [gx, gy, a.rate, b.rate];
      states[0].push(sx);
      states[1].push(sy);
    }
    if (!Number.isFinite(a.w) || !Number.isFinite(b.w)) break;
    [wx, wy, sx, sy] = [a.w, b.w, { ...sx, ...a.state }, { ...sy, ...b.state }]; // a slot that is not returned stays
    here = evaluate(wx, wy, knobs);
    [x[t], y[t], loss[t]] = [wx, wy, here[0]];
    made = t;
  }
  if (keep) {
    states[0].push(sx);
    states[1].push(sy);
  }
  return { x, y, loss, rate, slope, states, made };
}

// The same budget for each: one grid of learning rates, judged by the mean loss of the last tenth of the walk.
function bestRate(racer, race) {
  let best = { lr: racer.hyper.lr, score: Infinity };
  for (const lr of DATA.grid) {
    const hyper = { ...racer.hyper, lr };
    const made = walk({ ...racer, hyper }, race, false);
    const score = made.made < race.steps ? Infinity : lateLoss(made.loss, race.steps);
    if (score < best.score) best = { lr, score };
  }
  return best.lr;
}

function lateLoss(loss, steps) {
  let total = 0;
  const first = Math.floor(0.9 * steps);
  for (let t = first; t <= steps; t++) total += loss[t];
  return Number.isFinite(total) ? total / (steps - first + 1) : Infinity;
}
