// The formula of a racer with the numbers of a step in the places of its letters; both come from the same graph.

function formulaLines(racer) {
  return formOf(racer).formula.map((line) => DATA.formulas[line]);
}

// What every letter stands for at step t of one weight (0 or 1); before the first step there are no new values.
function valuesAt(racer, walked, t, weight) {
  const form = formOf(racer);
  const states = walked.states[weight];
  const before = t - 1;
  const [w, g, state] = [[walked.x, walked.y][weight][before], walked.slope[weight][t], states[before]];
  const values = { t, w, g, rate: walked.rate[weight][t], "n.w": [walked.x, walked.y][weight][t] };
  for (const [name, value] of Object.entries(racer.hyper)) values[`h.${name}`] = value;
  for (const [slot, value] of Object.entries(state)) values[`s.${slot}`] = value;
  for (const [slot, value] of Object.entries(states[t] ?? {})) values[`n.${slot}`] = value;
  values.size = form.together ? 2 : 1;
  const between = form.together
    ? FUNCTIONS[form.between]([walked.x[before], walked.y[before]], walked.slope.map((of) => of[t]),
      walked.states.map((of) => of[before]), t, racer.hyper)[weight]
    : FUNCTIONS[form.between](w, g, state, t, racer.hyper);
  for (const [letter, value] of Object.entries(between)) values[`i.${letter}`] = value;
  return values;
}

class Formula {
  constructor(box, letters) {
    [this.box, this.letters] = [box, letters];
    this.key = "";
  }

  // Builds the lines anew only when the form changes; otherwise only the numbers in them do.
  draw(racer, walked, t, weight) {
    const key = [...formulaLines(racer), formOf(racer).letters].join("");
    if (key !== this.key) this.build(racer, key);
    const values = t >= 1 && t <= walked.made ? valuesAt(racer, walked, t, weight) : null;
    for (const place of this.places) {
      const value = values?.[place.dataset.at];
      const text = value === undefined ? "…" : value < 0 && !place.dataset.left ? `(${words(value, 4)})` : words(value, 4);
      if (place.textContent !== text) place.textContent = text;
    }
  }

  build(racer, key) {
    this.key = key;
    this.letters.textContent = DATA.letters[formOf(racer).letters];
    this.box.replaceChildren();
    for (const line of formulaLines(racer)) {
      const row = document.createElement("div");
      row.className = "equation";
      row.innerHTML = line + line;
      // What is added up differs from weight to weight: it keeps its letters.
      const outside = (found) => [...row.lastElementChild.querySelectorAll(found)].filter((one) => !one.closest(".sum"));
      for (const letter of outside("[data-v]")) {
        const number = document.createElementNS("http://www.w3.org/1998/Math/MathML", "mn");
        number.dataset.at = letter.dataset.v;
        letter.replaceWith(number);
      }
      for (const gap of outside("mspace")) {
        const times = document.createElementNS("http://www.w3.org/1998/Math/MathML", "mo");
        times.textContent = "·";
        gap.replaceWith(times);
      }
      row.lastElementChild.querySelector("[data-at]").dataset.left = "yes";
      row.lastElementChild.classList.add("numbers");
      this.box.append(row);
    }
    this.places = [...this.box.querySelectorAll("[data-at]")];
  }
}
