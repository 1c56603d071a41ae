// Small plots. Each says in its label what it shows; the numbers stand in a table beside it or under it.
function plot(kind, width, height, label, ...shapes) {
  return s('svg', {class: `plot ${kind}`, viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label}, shapes);
}
const known = (values) => values.filter((value) => value !== null && value !== undefined);
const round = (value) => Math.round(value * 100) / 100;

function ceiling(values) {
  const most = Math.max(0, ...known(values));
  if (most <= 0) return 1;
  const size = 10 ** Math.floor(Math.log10(most));
  return [1, 1.2, 1.6, 2, 3, 4, 6, 8, 10].map((step) => step * size).find((top) => top >= most * 0.9999);
}

function pathOf(points) {
  let drawn = '';
  points.forEach((point, place) => {
    if (!point) return;
    drawn += `${points[place - 1] ? 'L' : 'M'}${round(point[0])} ${round(point[1])}`;
    if (!points[place - 1] && !points[place + 1]) drawn += 'h.1';
  });
  return drawn;
}

function sparkLine(values, limits, label) {
  const top = Math.max(...known([...values, ...(limits || [])]), 0) * 1.1 || 1;
  const at = (value, place) => (value === null || value === undefined ? null : [place * 4 + 2, (1 - Math.max(value, 0) / top) * 30]);
  const points = values.map(at);
  const over = values.map((value, place) => (limits && limits[place] !== null && value !== null && Math.abs(value) > limits[place] ? points[place] : null));
  const last = points.findLast((point) => point);
  return plot('spark', values.length * 4, 30, label,
    limits && s('path', {class: 'limit', d: pathOf(limits.map(at))}),
    s('path', {class: 'line', d: pathOf(points)}),
    over.filter(Boolean).map((point) => s('path', {class: 'over', d: `M${round(point[0])} ${round(point[1])}h.1`})),
    last && s('path', {class: 'end', d: `M${round(last[0])} ${round(last[1])}h.1`}));
}

function sparkBars(values, label, height = 30) {
  const top = Math.max(...known(values), 0) || 1;
  const bars = values.map((value, place) => (value ? `M${place * 5} ${height}v-${round(Math.max((value / top) * height, 1))}h4v${round(Math.max((value / top) * height, 1))}z` : '')).join('');
  return plot('bars', values.length * 5 - 1, height, label, s('path', {class: 'fill', d: bars}));
}

// The middle half and the middle nine tenths of the values of each day, and their median.
function bandPlot(days, label) {
  const values = days.flatMap((day) => day || []);
  const least = Math.min(...values), most = Math.max(...values), width = days.length * 8, spread = most - least || 1;
  const y = (value) => 38 - ((value - least) / spread) * 36;
  const area = (low, high) => {
    const pieces = [];
    let piece = [];
    days.forEach((day, place) => {
      if (day) piece.push([place * 8 + 4, day]);
      if ((!day || place === days.length - 1) && piece.length) { pieces.push(piece); piece = []; }
    });
    return pieces.map((each) => {
      const wide = each.length === 1 ? [[each[0][0] - 3, each[0][1]], [each[0][0] + 3, each[0][1]]] : each;
      const there = wide.map(([x, day]) => `${x} ${round(y(day[high]))}`), back = wide.toReversed().map(([x, day]) => `${x} ${round(y(day[low]))}`);
      return `M${there.join('L')}L${back.join('L')}z`;
    }).join('');
  };
  return plot('band', width, 40, label,
    s('path', {class: 'outer', d: area(0, 4)}), s('path', {class: 'inner', d: area(1, 3)}),
    s('path', {class: 'line', d: pathOf(days.map((day, place) => day && [place * 8 + 4, y(day[2])]))}));
}

function sharePlot(days, count, label) {
  const bars = Array.from({length: count}, () => '');
  days.forEach((day, place) => {
    let floor = 0;
    (day || []).forEach((part, value) => {
      bars[value] += `M${place * 8} ${round(40 - floor * 40)}h7V${round(40 - (floor + part) * 40)}h-7z`;
      floor += part;
    });
  });
  return plot('shares', days.length * 8 - 1, 40, label, bars.map((d, value) => s('path', {class: `part-${value}`, d})));
}

const PARTS = [['accepted', 'accepted'], ['duplicates', 'duplicates'], ['waiting', 'not processed yet'], ['quarantined', 'refused']];

function volumePlot(dataset) {
  const days = windowOf(dataset), grid = dataset.grid, from = grid.states.length - days.length;
  const counts = Object.fromEntries(Object.entries(grid.counts).map(([name, values]) => [name, values.slice(from).map((value) => value || 0)]));
  counts.waiting = counts.landed.map((landed, place) => Math.max(0, landed - counts.accepted[place] - counts.duplicates[place] - counts.quarantined[place]));
  const usual = dataset.rules.find((rule) => rule.kind === 'volume');
  const bands = days.map((_, place) => usual && Array.isArray(usual.limit[place]) && usual.limit[place].every((bound) => bound !== null) && usual.limit[place]);
  const top = ceiling([...counts.landed, ...bands.flatMap((band) => band || [])]);
  const y = (value) => round((1 - Math.min(value / top, 1)) * 120);
  const shapes = bands.map((band, place) => band && s('path', {class: 'usual', d: `M${place * 12} ${y(band[1])}h12V${y(band[0])}h-12z`}));
  days.forEach((ds, place) => {
    let floor = 0;
    const bars = PARTS.map(([name]) => {
      const low = floor;
      floor += counts[name][place];
      return counts[name][place] ? s('path', {class: name, d: `M${place * 12 + 1.5} ${y(low)}h9V${y(floor)}h-9z`}) : null;
    });
    const words = `${spoken(ds)}: ${figure(counts.landed[place])} landed, ${PARTS.map(([name, word]) => `${figure(counts[name][place])} ${word}`).join(', ')}`;
    shapes.push(s('g', {}, s('title', {}, words), s('path', {class: 'hit', d: `M${place * 12} 0h12v120h-12z`}), bars));
  });
  const used = PARTS.filter(([name]) => counts[name].some(Boolean));
  return h('div', {class: 'volume'},
    h('div', {class: 'frame'},
      h('div', {class: 'scale', 'aria-hidden': 'true'}, [top, top / 2, 0].map((value) => h('span', {}, figure(value)))),
      h('div', {}, plot('stack', days.length * 12, 120, `Rows that landed in ${lastOf(dataset)}, by what became of them`, shapes),
        h('div', {class: 'axis', 'aria-hidden': 'true'}, days.map((ds, place) => h('span', {}, marked(ds, days.length - 1 - place)))))),
    h('ul', {class: 'legend'}, used.map(([name, word]) => h('li', {}, h('i', {class: `swatch ${name}`}), word)), bands.some(Boolean) && h('li', {}, h('i', {class: 'swatch usual'}), 'as usual')),
    h('details', {}, h('summary', {}, 'As a table'),
      table([dataset.every, 'landed', ...PARTS.map(([, word]) => word), 'usual'], days.map((ds, place) => [ds, figure(counts.landed[place]), ...PARTS.map(([name]) => figure(counts[name][place])), bands[place] ? figure(bands[place]) : '–']).toReversed(), {numbers: [1, 2, 3, 4, 5, 6]})));
}
