// Muon's step on a matrix of 2 x 2: what it does to the singular values, by products of matrices alone.

const times = (a, b) => a.map((row) => [0, 1].map((j) => row[0] * b[0][j] + row[1] * b[1][j]));
const flipped = ([[a, b], [c, d]]) => [[a, c], [b, d]];
const weighted = (...terms) => [0, 1].map((i) => [0, 1].map((j) => terms.reduce((sum, [f, m]) => sum + f * m[i][j], 0)));
const rotation = (angle) => [[Math.cos(angle), -Math.sin(angle)], [Math.sin(angle), Math.cos(angle)]];

// The larger and the smaller singular value.
function singular([[a, b], [c, d]]) {
  const sum = Math.hypot(a + d, c - b);
  const difference = Math.hypot(a - d, b + c);
  return [(sum + difference) / 2, Math.abs(sum - difference) / 2];
}

// The matrix divided by its length, and after each polynomial.
function drawnToOne(matrix, polynomials, eps) {
  const length = Math.hypot(...matrix.flat()) + eps;
  const made = [weighted([1 / length, matrix])];
  for (const [a, b, c] of polynomials) {
    const x = made.at(-1);
    const square = times(x, flipped(x));
    made.push(weighted([a, x], [b, times(square, x)], [c, times(square, times(square, x))]));
  }
  return made;
}

const muon = { large: 5, small: 0.05, turn: 0.6, polynomial: "keller" };

function buildMatrix() {
  const change = (name) => (value) => { muon[name] = value; drawMatrix(); };
  const row = (name, label, meaning, slider, format) =>
    sliderRow(`m-${name}`, { symbol: "", name: label, meaning, value: muon[name], slider, format }, change(name));
  const size = { low: 0.001, high: 10, scale: "log", zero: false };
  $("m-sliders").replaceChildren(
    row("large", "one singular value", "how far the momentum pulls along one direction", size),
    row("small", "the other", "how far it pulls across", size),
    row("turn", "turn", "which way the first one points", { low: 0, high: 3.14, scale: "linear", zero: true },
      (angle) => `${Math.round((angle * 180) / Math.PI)}°`),
  );
  const names = Object.keys(DATA.polynomials).map((name) => [name, name.replaceAll("_", " ")]);
  $("m-which").replaceChildren("Polynomials ", choice("m-polynomial", "Polynomials", names, muon.polynomial, change("polynomial")));
  drawMatrix();
}

function drawMatrix() {
  const matrix = times(times(rotation(muon.turn), [[muon.large, 0], [0, muon.small]]), rotation(-muon.turn / 2));
  const steps = drawnToOne(matrix, DATA.polynomials[muon.polynomial], 1e-7);
  const values = [matrix, ...steps].map(singular);
  const largest = values[0][0];
  const shape = (m) => Array.from({ length: 73 }, (_, k) => {
    const [x, y] = [Math.cos((k * Math.PI) / 36), Math.sin((k * Math.PI) / 36)];
    return `${(m[0][0] * x + m[0][1] * y).toFixed(4)},${(-m[1][0] * x - m[1][1] * y).toFixed(4)}`;
  }).join(" ");
  $("m-circle").setAttribute("points", shape([[1, 0], [0, 1]]));
  $("m-before").setAttribute("points", shape(weighted([1 / largest, matrix])));
  $("m-after").setAttribute("points", shape(steps.at(-1)));
  const said = (pair) => pair.map((value) => words(value)).join(" and ");
  $("m-said").textContent = `Singular values before: ${said(values[0])}. After: ${said(values.at(-1))}.`;
  const names = ["before", "divided by its length", ...steps.slice(1).map((_, k) => `after polynomial ${k + 1}`)];
  $("m-rows").replaceChildren(...names.map((name, k) => element("tr", {},
    element("th", { scope: "row" }, name), ...values[k].map((value) => element("td", {}, words(value))))));
}
