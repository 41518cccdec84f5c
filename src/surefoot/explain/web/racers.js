// The list of racers, and the sliders of the one that is chosen.

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in made && typeof value !== "string") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function title(racer) {
  return DATA.rules[racer.rule].title;
}

// A label, a track and the number it stands for; `change(value, done)` hears of every move.
function sliderRow(id, { symbol, name, meaning, slider, value, disabled, format }, change) {
  const scale = scaleOf(slider);
  const show = format ?? words;
  const track = element("input", {
    type: "range", id, min: "0", max: String(NOTCHES), step: "1",
    "aria-valuetext": show(value), "aria-describedby": `${id}-about`,
  });
  track.value = String(scale.position(value));
  track.disabled = Boolean(disabled);
  const output = element("output", { for: id }, show(value));
  const move = (done) => {
    const moved = scale.value(Number(track.value));
    output.textContent = show(moved);
    track.setAttribute("aria-valuetext", show(moved));
    change(moved, done);
  };
  track.addEventListener("input", () => move(false));
  track.addEventListener("change", () => move(true));
  const letter = element("i", {}, symbol);
  const label = element("label", { for: id }, ...(symbol ? [letter, " "] : []), name);
  const about = element("small", { id: `${id}-about` }, meaning);
  return element("div", { class: "slider" }, label, output, track, about);
}

function choice(id, label, options, value, change) {
  const made = element("select", { id, "aria-label": label });
  for (const [key, text] of options) made.append(element("option", { value: key }, text));
  made.value = value;
  made.addEventListener("change", () => change(made.value));
  return made;
}

class Racers {
  constructor(list, legend, sliders, act) {
    [this.list, this.legend, this.sliders, this.act] = [list, legend, sliders, act];
  }

  // Builds the rows anew; `tell` fills in the numbers that change while it plays.
  build(state) {
    this.list.replaceChildren(...state.racers.map((racer, k) => this.row(state, racer, k)));
    this.legend.replaceChildren(...state.racers.map((racer, k) =>
      element("li", { class: k === state.chosen ? "chosen" : "" }, this.badge(k), title(racer))));
    this.buildSliders(state);
  }

  badge(k) {
    return element("span", { class: `badge racer${k}`, "aria-hidden": "true" }, String(k + 1));
  }

  row(state, racer, k) {
    const place = (name) => element("span", { class: "number", [`data-${name}`]: String(k) });
    const row = element(
      "li",
      { class: k === state.chosen ? "chosen" : "" },
      element("label", { class: "pick" }, this.pick(state, racer, k), this.badge(k)),
      this.rule(racer, k),
      this.convention(racer, k),
      place("rate"),
      place("loss"),
      this.remove(state, racer, k),
    );
    row.addEventListener("click", (event) => {
      if (event.target === row || event.target.classList.contains("number")) this.act.choose(k);
    });
    return row;
  }

  pick(state, racer, k) {
    const label = `Show racer ${k + 1}, ${title(racer)}`;
    const made = element("input", { type: "radio", name: "racer", id: `pick${k}`, "aria-label": label });
    made.checked = k === state.chosen;
    made.addEventListener("change", () => this.act.choose(k));
    return made;
  }

  rule(racer, k) {
    const rules = Object.values(DATA.rules).map((rule) => [rule.name, rule.title]);
    const change = (name) => this.act.replace(k, newRacer(name, racer.convention));
    return choice(`rule${k}`, `Rule of racer ${k + 1}`, rules, racer.rule, change);
  }

  convention(racer, k) {
    const change = (name) => this.act.replace(k, newRacer(racer.rule, name));
    return choice(`convention${k}`, `Convention of racer ${k + 1}`, DATA.conventions, racer.convention, change);
  }

  remove(state, racer, k) {
    const label = `Remove racer ${k + 1}, ${title(racer)}`;
    const made = element("button", { type: "button", class: "quiet", "aria-label": label }, "×");
    made.disabled = state.racers.length === 1;
    made.addEventListener("click", () => this.act.remove(k));
    return made;
  }

  buildSliders(state) {
    const racer = state.racers[state.chosen];
    const meaning = DATA.rules[racer.rule].conventions[racer.convention];
    const shown = DATA.rules[racer.rule].sliders.filter((slider) => this.acts(racer, slider));
    const rows = shown.map((slider) => {
      const tried = slider.name === "lr" && state.same;
      const meaning = tried ? `chosen from ${DATA.grid.length} tries, as for every racer` : slider.meaning;
      const { name, symbol } = slider;
      const given = { symbol, name, slider, value: racer.hyper[name], disabled: tried, meaning };
      return sliderRow(`h-${name}`, given, (value, done) => this.act.set(name, value, done));
    });
    this.sliders.replaceChildren(...rows);
    document.getElementById("meaning").textContent = [meaning.call, meaning.note].filter(Boolean).join(": ");
  }

  // Whether a number does anything in the form at hand, or would if it were not zero.
  acts(racer, slider) {
    const moved = { ...racer, hyper: { ...racer.hyper, [slider.name]: racer.hyper[slider.name] || slider.high } };
    return formOf(moved).used.includes(slider.name);
  }

  tell(state, walks) {
    state.racers.forEach((racer, k) => {
      const walked = walks[k];
      const at = Math.min(state.at, walked.made);
      const lost = walked.made < state.steps && state.at > walked.made;
      const edge = state.same && (racer.hyper.lr === DATA.grid[0] || racer.hyper.lr === DATA.grid.at(-1));
      this.put(`[data-rate="${k}"]`, `α ${words(racer.hyper.lr)}${edge ? " (end of range)" : ""}`);
      const first = walked.apart.findIndex((step) => step > state.at);
      const twin = first === k || state.at === 0 ? "" : `, walks as ${first + 1}`;
      const end = lost ? `diverged at ${walked.made + 1}` : `loss ${words(walked.loss[at])}`;
      this.put(`[data-loss="${k}"]`, `${end}${twin}`);
    });
  }

  put(selector, text) {
    const place = this.list.querySelector(selector);
    if (place.textContent !== text) place.textContent = text;
  }
}
