"use strict";
// Colours, the charts over time and the heat map, all on the same columns: what page.js says, drawn.

const GUTTER = 52; // pixels left of the first column
let ramp = [], bitmaps = {};

// ---- colours

function css(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }
function outcomeColour(outcome) {
  const place = isTagger ? types.indexOf(typeOf(data.outcomes[outcome])) : drawn.indexOf(outcome);
  return css(`--c${place < 0 ? 7 : place % 7}`); // the last of them is for all the others
}

/** Blue to red through the paper's own colour, lightness and chroma linear in OKLCH. */
function makeRamp() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const [paper, end, chroma] = dark ? [0.23, 0.8, 0.15] : [0.99, 0.46, 0.19];
  ramp = Array.from({ length: 255 }, (_, i) => {
    const value = (i - 127) / 127, much = Math.abs(value), angle = ((value > 0 ? 28 : 255) * Math.PI) / 180;
    return rgb(paper + (end - paper) * much, chroma * much * Math.cos(angle), chroma * much * Math.sin(angle));
  });
  $("ramp").style.background = `linear-gradient(to right, ${[0, 63, 127, 191, 254].map((i) => `rgb(${ramp[i]})`)})`;
  bitmaps = {};
}

function rgb(lightness, a, b) { // OKLab to sRGB, B. Ottosson 2020
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((v) => Math.round(255 * Math.min(1, Math.max(0, v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055))));
}

function diverging(value) { return ramp[Math.round(127 + 127 * Math.max(-1, Math.min(1, value)))] || [128, 128, 128]; }

// ---- charts over time, all on the same columns

function fit(canvas, height) {
  const dots = devicePixelRatio || 1, width = canvas.clientWidth;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * dots);
  canvas.height = Math.round(height * dots);
  const context = canvas.getContext("2d");
  context.setTransform(dots, 0, 0, dots, 0, 0);
  context.font = `12px ${css("--font")}`;
  context.imageSmoothingEnabled = false;
  return context;
}

const left = (t) => GUTTER + (t - view.first) * view.width;
const last = () => Math.min(columns, view.first + view.visible);

function layOut() {
  const room = $("heat").clientWidth - GUTTER - (isText ? 26 : 2); // slanted words end to the right of their column
  view.width = Math.min(90, Math.max(isText ? 5 : 2, room / columns));
  view.visible = Math.min(columns, Math.floor(room / view.width + 0.01));
  view.first = Math.max(0, Math.min(columns - view.visible, Math.round(view.step - view.visible / 2)));
}

function axes(context, height, low, high, format) {
  context.strokeStyle = css("--line");
  context.fillStyle = css("--muted");
  context.textAlign = "right";
  context.textBaseline = "middle";
  const y = (value) => 6 + (height - 12) * (1 - (value - low) / (high - low || 1));
  for (const value of [low, (low + high) / 2, high]) {
    context.fillText(format(value), GUTTER - 6, y(value));
    context.beginPath();
    context.moveTo(GUTTER, y(value));
    context.lineTo(left(last()), y(value));
    context.stroke();
  }
  context.fillStyle = css("--accent");
  context.globalAlpha = 0.2;
  context.fillRect(left(view.step), 0, Math.max(2, view.width), height);
  context.globalAlpha = 1;
  return y;
}

function line(context, y, value, colour, from = view.first, to = last(), thick = 1.8) {
  context.strokeStyle = colour;
  context.lineWidth = thick;
  context.beginPath();
  let pen = false;
  for (let t = from; t < to; t++) {
    const v = value(t);
    if (!Number.isFinite(v)) { pen = false; continue; }
    context[pen ? "lineTo" : "moveTo"](left(t + 0.5), y(v));
    if (!pen && view.width > 3) context.fillStyle = colour, context.fillRect(left(t + 0.5) - 1, y(v) - 1, 2, 2);
    pen = true;
  }
  context.stroke();
  context.lineWidth = 1;
}

function drawTime() {
  const context = fit($("time"), 130), end = Math.min(steps, last());
  if (isLanguage || isTagger) {
    const value = isLanguage ? surprise : (t) => belief(t, data.taken[t]);
    let high = isLanguage ? 4 : 1;
    for (let t = view.first; t < end && isLanguage; t++) if (value(t) < Infinity) high = Math.max(high, value(t));
    const y = axes(context, 130, 0, high, isLanguage ? (v) => `${figure(Number(v.toFixed(v < 10 ? 1 : 0)))} bits` : percent0);
    for (let t = view.first; t < end; t++) {
      context.fillStyle = isLanguage ? css("--c1") : data.outcomes[data.taken[t]] === "O" ? css("--c7") : outcomeColour(data.taken[t]);
      context.fillRect(left(t) + view.width * 0.1, y(value(t)), view.width * 0.8, y(0) - y(value(t)));
    }
    return;
  }
  const y = axes(context, 130, 0, 1, percent0);
  for (const k of drawn) line(context, y, (t) => belief(t, k), outcomeColour(k), view.first, end, k === final ? 2.6 : 1.6);
}

/** A number that fits the gutter, whatever its size: −1.23M, 5e−7. */
function brief(value) {
  const size = Math.abs(value), far = (size && size < 1e-3) || size >= 1e15;
  const notation = far ? "scientific" : size < 1e4 ? "standard" : "compact";
  const options = { notation, useGrouping: false, maximumSignificantDigits: far ? 1 : 3 };
  return (value + 0).toLocaleString("en", options).replace("E", "e").replaceAll("-", "−");
}

function percent0(p) { return `${Math.round(100 * p)}%`; }

function drawSignal() {
  const height = 180, context = fit($("signal"), height), end = Math.min(steps, last()), t = view.step;
  const named = isSeries ? [view.target] : [...Array(channels).keys()];
  const spans = named.map((c) => {
    const values = [];
    for (let i = isSeries ? view.first : 0; i < (isSeries ? end : steps); i++) values.push(signal[i * channels + c]);
    for (let a = 0; a < horizon; a++) values.push(expected(t, a, lower), expected(t, a, upper));
    const known = values.filter(Number.isFinite);
    return [known.reduce((a, b) => Math.min(a, b), Infinity), known.reduce((a, b) => Math.max(a, b), -Infinity)];
  });
  const [low, high] = isSeries ? spans[0] : [0, 1];
  const y = axes(context, height, low, high, isSeries ? brief : (v) => ["min", "", "max"][2 * v]);
  if (view.unit) {
    context.globalAlpha = 0.5;
    for (let i = view.first; i < end; i++) context.fillStyle = background(i), context.fillRect(left(i), 0, view.width + 0.5, height);
    context.globalAlpha = 1;
  }
  named.forEach((c, i) => {
    const [from, to] = isSeries ? [0, 1] : spans[i];
    line(context, y, (s) => (signal[s * channels + c] - from) / (to - from || 1), isSeries ? css("--ink") : css(`--c${i % 8}`), view.first, end, 1.3);
  });
  if (!isSeries) return;
  line(context, y, (s) => (s ? expected(s - 1, 0, beliefs) : NaN), css("--c0"), view.first, Math.min(end, t + 1), 1);
  context.fillStyle = css("--c1");
  context.globalAlpha = 0.2;
  context.beginPath();
  for (let a = 0; a < horizon; a++) context.lineTo(left(t + 1.5 + a), y(expected(t, a, upper)));
  for (let a = horizon - 1; a >= 0; a--) context.lineTo(left(t + 1.5 + a), y(expected(t, a, lower)));
  context.fill();
  context.globalAlpha = 1;
  line(context, y, (s) => (s > t ? expected(t, s - t - 1, beliefs) : NaN), css("--c1"), t + 1, Math.min(t + 1 + horizon, last()));
  if (data.unseen > view.first && data.unseen < end) {
    context.setLineDash([4, 4]);
    context.strokeStyle = css("--muted");
    context.strokeRect(left(data.unseen), -2, 2000, height + 4);
    context.setLineDash([]);
  }
}

// ---- hidden states

function heights() {
  const single = data.read.every((token) => [...seen(token)].length < 3 || token.startsWith("<"));
  const labels = !isText ? 20 : view.width < 11 ? 4 : single ? 22 : 74;
  return { labels, single, unit: Math.max(1, Math.min(12, Math.floor(400 / (data.units * data.readers.length)))), gap: 20 };
}

function unitsOf(reader) { return view.order === "index" ? null : data.orders[view.order][view.layer][reader]; }

function bitmapOf(reader) {
  const key = `${view.layer} ${reader} ${view.order}`;
  if (bitmaps[key]) return bitmaps[key];
  const canvas = document.createElement("canvas"), order = unitsOf(reader);
  canvas.width = steps;
  canvas.height = data.units;
  const context = canvas.getContext("2d"), image = context.createImageData(steps, data.units);
  for (let t = 0; t < steps; t++) {
    for (let place = 0; place < data.units; place++) {
      const colour = diverging(state(t, reader, order ? order[place] : place) / data.scale), at = 4 * (place * steps + t);
      for (let i = 0; i < 3; i++) image.data[at + i] = colour[i];
      image.data[at + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  return (bitmaps[key] = canvas);
}

function drawHeat() {
  const size = heights(), tall = size.unit * data.units, several = data.readers.length > 1;
  const context = fit($("heat"), size.labels + data.readers.length * (tall + size.gap));
  const end = Math.min(steps, last()), shown = Math.max(0, end - view.first);
  context.textBaseline = "alphabetic";
  drawLabels(context, size, end);
  data.readers.forEach((name, reader) => {
    const top = size.labels + reader * (tall + size.gap), order = unitsOf(reader);
    context.drawImage(bitmapOf(reader), view.first, 0, shown, data.units, GUTTER, top, shown * view.width, tall);
    context.fillStyle = css("--muted");
    context.textAlign = "right";
    context.fillText(order ? "" : "0", GUTTER - 6, top + 9);
    context.fillText(order ? "" : String(data.units - 1), GUTTER - 6, top + tall);
    context.textAlign = "left";
    const arrow = { forward: " →", backward: " ←" }[name] || "";
    if (several) context.fillText(`${name}${arrow}`, GUTTER, top + tall + 13);
    if (view.unit && view.unit.reader === reader) {
      const place = order ? order.indexOf(view.unit.unit) : view.unit.unit;
      context.strokeStyle = css("--ink");
      context.strokeRect(GUTTER - 0.5, top + place * size.unit - 0.5, shown * view.width + 1, size.unit + 1);
    }
    context.strokeStyle = css("--accent");
    context.lineWidth = 2;
    // around the column, none of whose pixels it covers: at 390 px of width it has as few as two
    context.strokeRect(left(view.step) - 1, top - 1, Math.max(2, view.width) + 2, tall + 2);
    context.lineWidth = 1;
  });
}

function drawLabels(context, size, end) {
  const every = isText ? 1 : Math.max(1, Math.ceil(90 / view.width));
  if (isText && view.width < 11) return;
  for (let t = view.first; t < end; t += every) {
    context.save();
    context.fillStyle = css(t === view.step ? "--accent" : "--ink");
    context.translate(left(t + (isText ? 0.5 : 0)), size.labels - 6);
    const characters = [...(isText ? seen(data.read[t]).trim() || "␣" : data.read[t])];
    const slanted = isText && !size.single && characters.length > 2;
    if (slanted) context.rotate(-0.9);
    context.textAlign = isText && !slanted ? "center" : "left";
    if (size.single && characters.length > 2) characters.splice(0, 9, t ? "⊣" : "⊢"); // the marks of start and end
    const room = 12, cut = !isText && left(t) + context.measureText(data.read[t]).width > $("heat").clientWidth;
    if (!cut) context.fillText(characters.length > room && isText ? `${characters.slice(0, room - 1).join("")}…` : characters.join(""), 0, 0);
    context.restore();
  }
}

function heatAt(event) {
  const box = $("heat").getBoundingClientRect(), size = heights(), tall = size.unit * data.units + size.gap;
  const y = event.clientY - box.top - size.labels, reader = Math.floor(y / tall), place = Math.floor((y - reader * tall) / size.unit);
  if (reader < 0 || reader >= data.readers.length || place < 0 || place >= data.units) return null;
  const order = unitsOf(reader);
  return { reader, unit: order ? order[place] : place };
}
