// Elements from data: every text becomes a text node, so that no value is ever read as markup.
const DATA = JSON.parse(document.getElementById('data').textContent);
const SVG = 'http://www.w3.org/2000/svg';

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children.flat(9)) {
    if (child === undefined || child === null || child === false || child === '') continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}
const h = (tag, attributes, ...children) => filled(document.createElement(tag), attributes, children);
const s = (tag, attributes, ...children) => filled(document.createElementNS(SVG, tag), attributes, children);
const link = (href, ...children) => h('a', {href}, children);

const STATES = {
  p: {key: 'published', word: 'published', sign: ''},
  w: {key: 'warned', word: 'published with warnings', sign: '!'},
  f: {key: 'failed', word: 'failed', sign: '×'},
  s: {key: 'stale', word: 'published, no longer up to date', sign: '~'},
  a: {key: 'waiting', word: 'waiting to be finished', sign: '…'},
  n: {key: 'not-run', word: 'not run', sign: ''},
  c: {key: 'closed', word: 'closed, nothing expected', sign: '·'},
  u: {key: 'unable', word: 'could not be checked', sign: '?'},
};
// The state that a person should look at first comes first.
const WORST = 'fusawpcn';
const SHORT = {p: 'published', w: 'warnings', f: 'failed', s: 'stale', a: 'waiting', n: 'not run', c: 'closed'};

const format = new Intl.NumberFormat('en');
function figure(value, digits = 3) {
  if (value === null || value === undefined || value === '') return '–';
  if (Array.isArray(value)) return value.map((one) => figure(one)).join(' to ');
  if (typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value))) value = Number(value);
  if (typeof value !== 'number') return String(value);
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return format.format(Math.round(value));
  return String(Number(value.toPrecision(digits)));
}
const share = (value) => (value === null || value === undefined ? '–' : `${(value * 100).toFixed(value && value < 0.1 ? 1 : 0)}%`);
const many = (count, word) => `${format.format(count)} ${word}${count === 1 ? '' : 's'}`;

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const WEEKDAYS = 'Mon Tue Wed Thu Fri Sat Sun'.split(' ');
// A ds is a day, 2026-01-31, or an hour of one, 2026-01-31T05; a dataset says which (`every`).
const HOUR_MS = 3600000;
const isHour = (ds) => ds.length > 10;
const length = (ds) => (isHour(ds) ? HOUR_MS : 24 * HOUR_MS);
const time = (ds) => Date.UTC(+ds.slice(0, 4), ds.slice(5, 7) - 1, +ds.slice(8, 10), +ds.slice(11, 13));
const plus = (ds, periods) => new Date(time(ds) + periods * length(ds)).toISOString().slice(0, ds.length);
const between = (one, other) => Math.round((time(other) - time(one)) / length(one));
const weekday = (ds) => (new Date(time(ds)).getUTCDay() + 6) % 7;
const clock = (ds) => (isHour(ds) ? `${ds.slice(11)}:00` : '');
const dayAndMonth = (ds) => `${+ds.slice(8, 10)} ${MONTHS[ds.slice(5, 7) - 1]}`;
const spoken = (ds) => [`${WEEKDAYS[weekday(ds)]} ${dayAndMonth(ds)} ${ds.slice(0, 4)}`, clock(ds)].filter(Boolean).join(', ');
const brief = (ds) => [dayAndMonth(ds), clock(ds)].filter(Boolean).join(', ');
// Under plots: every week, or four times a day.
const marked = (ds, fromEnd) => (isHour(ds) ? (+ds.slice(11) % 6 ? '' : clock(ds)) : fromEnd % 7 ? '' : brief(ds));

const byName = (name) => DATA.datasets.find((each) => each.name === name);
const daysOf = (dataset) => Array.from(dataset.grid.states, (_, place) => plus(dataset.grid.first, place));
const placeOf = (dataset, ds) => between(dataset.grid.first, ds);
const stateOn = (dataset, ds) => dataset.grid.states[placeOf(dataset, ds)] || 'n';
const lastDay = (dataset) => plus(dataset.grid.first, dataset.grid.states.length - 1);
const windowOf = (dataset) => daysOf(dataset).slice(-30);

const chip = (state, text) => h('span', {class: `chip ${STATES[state].key}`}, h('i', {class: `dot ${STATES[state].key}`, 'aria-hidden': 'true'}, STATES[state].sign), text || SHORT[state] || STATES[state].word);

function table(head, rows, options = {}) {
  const numbers = new Set(options.numbers || []);
  const cell = (tag, value, place, extra) => h(tag, {class: numbers.has(place) ? 'number' : null, ...extra}, value);
  return h('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': options.label || head.join(', ')},
    h('table', {class: options.class || 'plain'},
      options.caption && h('caption', {}, options.caption),
      h('thead', {}, h('tr', {}, head.map((text, place) => cell('th', text, place, {scope: 'col'})))),
      h('tbody', {}, rows.map((row) => h('tr', {}, row.map((value, place) => (place === 0 ? cell('th', value, place, {scope: 'row'}) : cell('td', value, place))))))));
}

function section(title, note, ...children) {
  const id = title.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return h('section', {class: 'panel', 'aria-labelledby': id}, h('header', {}, h('h2', {id}, title), note && h('p', {class: 'note'}, note)), children);
}

const nothing = (text) => h('p', {class: 'nothing'}, text);

function command(text) {
  const copied = h('span', {class: 'copied', role: 'status'});
  const copy = () => {
    const done = () => { copied.textContent = 'copied'; setTimeout(() => { copied.textContent = ''; }, 1500); };
    const chosen = getSelection();
    chosen.selectAllChildren(shown);
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => {});
    else if (document.execCommand('copy')) done();
  };
  const shown = h('code', {}, text);
  return h('div', {class: 'command'}, shown, h('button', {type: 'button', onclick: copy, 'aria-label': `Copy: ${text}`}, 'Copy'), copied);
}
