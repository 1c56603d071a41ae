// The lineage of one dataset: its tables from left to right. A column that is chosen shows what it is made of, and what of it.
function lineagePart(dataset, first) {
  const tables = dataset.lineage, buttons = new Map(), key = (lane, name) => `${lane}/${name}`;
  const lines = s('svg', {class: 'lines', 'aria-hidden': 'true'}), told = h('div', {class: 'told', 'aria-live': 'polite'}, h('p', {class: 'note'}, 'Choose a column to see what it is made from, and what is made from it.'));
  const upward = (lane, name, found = new Map()) => {
    const column = tables[lane].columns.find((each) => each[0] === name);
    if (!column || found.has(key(lane, name))) return found;
    found.set(key(lane, name), column);
    if (lane) column[1].forEach((each) => upward(lane - 1, each, found));
    return found;
  };
  const downward = (lane, name, found = new Map()) => {
    const next = tables[lane + 1];
    (next ? next.columns : []).filter((each) => each[1].includes(name)).forEach((each) => {
      if (found.has(key(lane + 1, each[0]))) return;
      found.set(key(lane + 1, each[0]), each);
      downward(lane + 1, each[0], found);
    });
    return found;
  };
  let related = new Set();
  const draw = () => {
    const box = graph.getBoundingClientRect();
    lines.setAttribute('viewBox', `0 0 ${box.width} ${box.height}`);
    const paths = [];
    tables.slice(1).forEach(({columns}, before) => columns.forEach(([name, from]) => from.forEach((other) => {
      const target = buttons.get(key(before + 1, name)), source = buttons.get(key(before, other));
      if (!target || !source) return;
      const a = source.getBoundingClientRect(), b = target.getBoundingClientRect();
      const x1 = a.right - box.left, y1 = a.top + a.height / 2 - box.top, x2 = b.left - box.left, y2 = b.top + b.height / 2 - box.top, bend = (x2 - x1) / 2;
      const lit = related.has(key(before + 1, name)) && related.has(key(before, other));
      paths.push([lit, s('path', {class: lit ? 'lit' : null, d: `M${round(x1)} ${round(y1)}C${round(x1 + bend)} ${round(y1)} ${round(x2 - bend)} ${round(y2)} ${round(x2)} ${round(y2)}`})]);
    })));
    lines.replaceChildren(...paths.sort((one, other) => one[0] - other[0]).map((each) => each[1]));
  };
  const choose = (lane, name) => {
    const up = upward(lane, name), down = downward(lane, name);
    related = new Set([...up.keys(), ...down.keys()]);
    buttons.forEach((button, id) => { button.classList.toggle('related', related.has(id)); button.setAttribute('aria-pressed', String(id === key(lane, name))); });
    graph.classList.add('chosen');
    const says = (found, skip) => [...found].filter(([id]) => id !== skip).map(([id, column]) => h('li', {}, h('code', {}, `${tables[id.split('/')[0]].table}.${column[0]}`), column[2] && column[2] !== column[0] ? ` ${column[2]}` : ''));
    const own = tables[lane].columns.find((each) => each[0] === name), above = says(up, key(lane, name)), below = says(down);
    const sets = lane >= tables.length - 2 ? DATA.training_sets.filter((each) => each.versions[0] && dataset.table in each.versions[0].tables) : [];
    told.replaceChildren(h('h3', {}, h('code', {}, `${tables[lane].table}.${name}`)), h('p', {}, own[2]),
      h('div', {class: 'two'}, h('div', {}, h('h4', {}, 'Made from'), above.length ? h('ul', {}, above) : nothing(lane ? 'The day alone.' : 'It comes from the source.')),
        h('div', {}, h('h4', {}, 'Used for'), below.length || sets.length ? h('ul', {}, below, sets.map((each) => h('li', {}, 'training set ', link(`#/t/${each.name}`, each.name)))) : nothing('Nothing is made from it.'))));
    draw();
  };
  const graph = h('div', {class: 'graph'}, lines, tables.map(({table: path, columns}, lane) => h('div', {class: 'lane'}, h('h3', {}, path), h('ul', {}, columns.map(([name]) => {
    const button = h('button', {type: 'button', class: 'column', 'aria-pressed': 'false', onclick: () => choose(lane, name)}, name);
    buttons.set(key(lane, name), button);
    return h('li', {}, button);
  })))));
  new ResizeObserver(draw).observe(graph);
  const wanted = first && tables.findLastIndex(({columns}) => columns.some((each) => each[0] === first));
  if (wanted > 0) requestAnimationFrame(() => choose(wanted, first));
  return section('Lineage by column', 'from the field of the source to the published feature', h('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Lineage graph'}, graph), told);
}
