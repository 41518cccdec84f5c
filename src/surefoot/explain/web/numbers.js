// Numbers: as people read them, and as sliders hold them.

const NOTCHES = 1000;

function round(value, digits) {
  return Number(value.toPrecision(digits));
}

function words(value, digits = 3) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : value < 0 ? "−∞" : "∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e5) return String(round(value, digits)).replace("-", "−");
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const power = exponent.replace("+", "").replace(/./g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]);
  const shown = String(Number(mantissa)).replace("-", "−");
  return shown === "1" ? `10${power}` : `${shown}·10${power}`;
}

// A slider's position is 0 to NOTCHES; where zero is the first notch, the rest of the track starts at 1.
function scaleOf(slider) {
  const there = { log: Math.log10, linear: (v) => v, one_minus: (v) => -Math.log10(1 - v) }[slider.scale];
  const back = {
    log: (u) => round(10 ** u, 3),
    linear: (u) => round(u, 3),
    one_minus: (u) => Number((1 - round(10 ** -u, 2)).toPrecision(12)),
  }[slider.scale];
  const [low, high] = [there(slider.low), there(slider.high)];
  const first = slider.zero ? 1 : 0;
  return {
    position(value) {
      if (slider.zero && value === 0) return 0;
      const share = (there(value) - low) / (high - low);
      return Math.round(Math.min(NOTCHES, Math.max(first, first + share * (NOTCHES - first))));
    },
    value(position) {
      if (slider.zero && position <= 0) return 0;
      const share = (position - first) / (NOTCHES - first);
      if (share <= 0) return slider.low;
      return share >= 1 ? slider.high : back(low + share * (high - low));
    },
  };
}
