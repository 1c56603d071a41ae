// The grid of a dataset's days: weeks are columns, weekdays are rows; of hours: days are columns. Arrow keys move, Enter opens.
const HOURS = Array.from({length: 24}, (_, hour) => String(hour).padStart(2, '0'));
const rowsOf = (dataset) => (dataset.every === 'hour' ? HOURS : WEEKDAYS);

function calendar(dataset, chosen, open) {
  const days = daysOf(dataset), rows = rowsOf(dataset), first = dataset.grid.first;
  const offset = dataset.every === 'hour' ? +first.slice(11) : weekday(first), weeks = Math.ceil((offset + days.length) / rows.length);
  const focusable = chosen && days.includes(chosen) ? chosen : days.at(-1);
  const cells = new Map();
  const cell = (week, row) => {
    const place = week * rows.length + row - offset, ds = days[place];
    if (!ds) return h('td', {});
    const state = STATES[dataset.grid.states[place]];
    const landed = dataset.grid.counts.landed[place];
    const words = `${spoken(ds)}: ${state.word}${landed === null ? '' : `, ${format.format(landed)} landed`}`;
    const button = h('button', {type: 'button', class: `day ${state.key}`, 'data-ds': ds, title: words, 'aria-label': words, tabindex: ds === focusable ? '0' : '-1', 'aria-current': ds === chosen ? 'date' : null, onclick: () => open(ds)}, state.sign);
    cells.set(ds, button);
    return h('td', {role: 'gridcell'}, button);
  };
  const months = [];
  for (let week = 0; week < weeks; week += 1) {
    const first = days[Math.max(0, week * rows.length - offset)], month = first.slice(0, 7), last = months.at(-1);
    if (last && last.month === month) last.span += 1;
    else months.push({month, span: 1});
  }
  const name = ({month, span}) => (span < 3 ? '' : `${MONTHS[month.slice(5) - 1]}${month.endsWith('-01') || months[0].month === month ? ` ${month.slice(0, 4)}` : ''}`);
  const grid = h('table', {class: 'calendar', role: 'grid', 'aria-label': `${periods(dataset)} of ${dataset.name}; arrow keys move, Enter opens`, onkeydown: (event) => step(event, days, cells, rows.length)},
    h('thead', {},
      h('tr', {}, h('td', {}), months.map((each) => h('th', {colspan: each.span, scope: 'colgroup'}, name(each)))),
      dataset.every === 'hour' && h('tr', {}, h('td', {}), Array.from({length: weeks}, (_, week) => h('th', {scope: 'col'}, +days[Math.max(0, week * rows.length - offset)].slice(8, 10))))),
    h('tbody', {}, rows.map((word, row) => h('tr', {role: 'row'}, h('th', {scope: 'row', class: row % 2 ? 'quiet' : null}, word), Array.from({length: weeks}, (_, week) => cell(week, row))))));
  const holder = h('div', {class: 'scroll from-end'}, grid);
  requestAnimationFrame(() => {
    holder.scrollLeft = holder.scrollWidth;
    const marked = chosen && cells.get(chosen);
    if (marked && holder.scrollWidth > holder.clientWidth) holder.scrollLeft += marked.getBoundingClientRect().right - holder.getBoundingClientRect().right + 40;
  });
  return holder;
}

function step(event, days, cells, column) {
  const steps = {ArrowLeft: -column, ArrowRight: column, ArrowUp: -1, ArrowDown: 1};
  const here = event.target.dataset && event.target.dataset.ds;
  const ends = {Home: days[0], End: days.at(-1)};
  const goal = ends[event.key] || (steps[event.key] && here && plus(here, steps[event.key]));
  if (!goal || !cells.has(goal)) return;
  event.preventDefault();
  cells.get(here).tabIndex = -1;
  cells.get(goal).tabIndex = 0;
  cells.get(goal).focus();
}

const legend = (states) => h('ul', {class: 'legend'}, Object.keys(SHORT).filter((state) => states.includes(state)).map((state) => h('li', {}, h('i', {class: `day ${STATES[state].key}`, 'aria-hidden': 'true'}, STATES[state].sign), STATES[state].word)));

// Days side by side in one state, newest first: [first, last, state].
function runsOf(dataset, wanted) {
  const runs = [];
  daysOf(dataset).forEach((ds) => {
    const state = stateOn(dataset, ds), last = runs.at(-1);
    if (!wanted.includes(state)) return;
    if (last && last[2] === state && plus(last[1], 1) === ds) last[1] = ds;
    else runs.push([ds, ds, state]);
  });
  return runs.toReversed();
}

function verdict(dataset) {
  if (dataset.fault || dataset.refused) return 'f';
  const recent = dataset.grid.states.slice(-7), all = dataset.grid.states;
  if (!all) return 'n';
  if (recent.includes('f')) return 'f';
  if (all.includes('s')) return 's';
  if (recent.includes('a')) return 'a';
  return [...WORST].find((state) => [...all].findLast((each) => !'cn'.includes(each)) === state) || 'n';
}

function newestPublished(dataset) {
  const place = [...dataset.grid.states].findLastIndex((state) => 'pws'.includes(state));
  return place < 0 ? null : plus(dataset.grid.first, place);
}

const range = ([first, last]) => (first === last ? spoken(first) : `${brief(first)} to ${spoken(last)}, ${many(between(first, last) + 1, isHour(first) ? 'hour' : 'day')}`);

// What a person should know of a run of days, in one line.
function gist(dataset, [first, last]) {
  const note = dataset.grid.notes[last] || dataset.grid.notes[first] || {};
  if (note.failures) return `${note.failures[0].step}: ${note.failures[0].message}`;
  if (note.why) return `${note.why[0][0]}: ${note.why[0][1]}`;
  return '';
}
