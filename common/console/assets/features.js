// Feature tables: what each feature is, how its values lie and have moved, its versions, and who uses it.
function featureList() {
  return [h('div', {class: 'title'}, h('h1', {tabindex: '-1'}, 'Feature tables'), h('p', {class: 'lead'}, 'What readers see: one row per entity and day or hour, by feature version.')),
    DATA.features.length ? section('Published tables', many(DATA.features.length, 'table'), table(['table', 'entity', 'features', 'publications', 'newest', 'rows', 'owner'], DATA.features.map((each) => {
      const newest = each.versions[0] || [], dataset = byName(each.dataset) || {};
      return [link(`#/f/${each.name}`, each.name), h('code', {}, each.entity), figure(each.features.length), figure(each.versions.length), newest[8] || '–', figure(newest[9]), dataset.owner || '–'];
    }), {numbers: [2, 3, 5], label: 'Published tables'})) : nothing('Nothing is published yet.')];
}

const periodOf = (one) => (isHour((one.versions[0] || [])[8] || '') ? 'hour' : 'day');

function featurePage(one, focus) {
  const dataset = byName(one.dataset), statistics = (one.current && dataset && dataset.statistics && dataset.statistics.features) || {};
  const every = periodOf(one);
  return [
    h('div', {class: 'title'}, h('h1', {tabindex: '-1'}, one.name), dataset && !dataset.fault && chip(verdict(dataset), verdictWord(dataset)),
      h('p', {class: 'lead'}, `One row per ${one.entity} and ${every}, with ${many(one.features.length, 'feature')}. `, dataset ? ['From ', link(`#/d/${one.dataset}`, one.dataset), dataset.owner ? `, owned by ${dataset.owner}.` : '.'] : 'Its dataset is no longer declared.')),
    section('Features', Object.keys(statistics).length ? `the newest profile, and the last 30 ${every}s: the median, the middle half, and nine tenths of the values` : 'not profiled', statisticsTable(one.features.map((each) => ({...each, ...statistics[each.name], type: each.type})), one.name, every, focus)),
    usesOf(one),
    versionsOf(one),
  ];
}

function statisticsTable(rows, label, every, focus) {
  const spread = (row) => {
    if (row.bins) return h('figure', {}, sparkBars(row.bins, `${row.name}: histogram from ${figure(row.smallest)} to ${figure(row.largest)}`), h('figcaption', {}, h('span', {}, figure(row.smallest)), h('span', {}, figure(row.largest))));
    if (row.top) return h('ul', {class: 'frequent'}, row.top.slice(0, 4).map(([value, count], place) => h('li', {}, h('i', {class: `swatch part-${place}`, 'aria-hidden': 'true'}), h('span', {}, value), h('b', {}, share(count / Math.max(1, row.rows - row.nulls))))));
    if (row.smallest) return h('span', {}, row.smallest === row.largest ? figure(row.smallest) : `${figure(row.smallest)} to ${figure(row.largest)}`);
    return h('span', {class: 'quiet'}, row.sensitive ? 'not shown: sensitive' : row.rows === undefined ? '–' : 'not shown');
  };
  const moved = (row) => {
    if (row.band) return bandPlot(row.band, `${row.name} over ${many(row.band.length, every)}: median ${figure((row.band.findLast((day) => day) || [])[2])} on the newest`);
    if (row.shares) return sharePlot(row.shares, row.top.length, `${row.name}: shares of its most frequent values over ${many(row.shares.length, every)}`);
    return h('span', {class: 'quiet'}, '–');
  };
  const words = (row) => [h('div', {class: 'name', id: row.name === focus ? 'focus' : null}, h('code', {}, row.name), row.sensitive && h('span', {class: 'tag'}, 'sensitive'), row.label && h('span', {class: 'tag'}, 'label')), row.words && h('div', {class: 'note'}, row.words)];
  const nulls = (row) => (row.rows ? [share(row.nulls / row.rows), row.null_share && new Set(known(row.null_share)).size > 1 ? sparkLine(row.null_share, null, `${row.name}: share of nulls by ${every}`) : null] : '–');
  const distinct = (row) => (row.distinct === undefined ? '–' : `${row.about ? '≈ ' : ''}${figure(row.distinct)}`);
  return table(['column', 'values', `30 ${every}s`, 'missing', 'different', 'mean', 'type'], rows.map((row) => [words(row), spread(row), moved(row), nulls(row), distinct(row), row.mean === undefined ? '–' : [figure(row.mean), row.deviation ? h('span', {class: 'note'}, ` ± ${figure(row.deviation)}`) : null], row.type]), {numbers: [3, 4, 5], class: 'plain statistics', label: `Statistics of ${label}`});
}

function usesOf(one) {
  const uses = one.uses, rows = [];
  for (const [name, version, of] of uses.training_sets) rows.push([link(`#/t/${name}`, name), 'training set', `v${version}, from table version ${of}`]);
  for (const [name, version, at, note] of uses.pins) rows.push([h('code', {}, name), 'pin', `table version ${version}, since ${at}${note ? `, ${note}` : ''}`]);
  for (const [target, days, newest, at, failure] of uses.deliveries) rows.push([h('code', {}, target), 'delivery', failure ? `its last run failed: ${failure}` : `${many(days, periodOf(one))} up to ${newest}, last at ${at.replace('T', ' ')} UTC`]);
  if (uses.online) rows.push(['online store', 'served', `${figure(uses.online.entities)} entities of ${(uses.online.days || []).join(' to ')}, table version ${uses.online.version}`]);
  return section('Used by', null, rows.length ? table(['name', 'kind', 'what'], rows, {label: 'Used by'}) : nothing('No training set, no pin, no delivery and no online view was made from it.'));
}

function versionsOf(one) {
  const every = periodOf(one);
  const rows = one.versions.map(([version, at, run, revision, fresh, again, same, more, newest]) => {
    const parts = [fresh && `${many(fresh, `new ${every}`)}`, again && `${many(again, every)} with other rows${more ? ` (${more > 0 ? '+' : ''}${figure(more)})` : ''}`, same && `${many(same, every)} as before`];
    return [version, at.replace('T', ' '), newest, parts.filter(Boolean).join(', '), run && h('code', {}, run), revision && h('code', {}, revision)];
  });
  const changes = one.changes.changes;
  return section('Versions', many(rows.length, 'publication'),
    one.changes.of && h('div', {}, h('h3', {}, `Against ${one.changes.of}`), changes.length ? h('ul', {class: 'changes'}, changes.map((each) => h('li', {}, each))) : nothing('The definitions are the same.')),
    one.definitions.map((each) => h('div', {}, h('h3', {}, `With version ${each.version} the definition changed`), h('ul', {class: 'changes'}, each.changes.map((text) => h('li', {}, text))))),
    table(['version', 'published at', `newest ${every}`, 'what it brought', 'run', 'revision'], rows.slice(0, 12), {numbers: [0], label: 'Newest publications'}),
    rows.length > 12 && h('details', {ontoggle: (event) => { if (event.target.open && event.target.children.length === 1) event.target.append(table(['version', 'published at', `newest ${every}`, 'what it brought', 'run', 'revision'], rows.slice(12), {numbers: [0], label: 'Earlier publications'})); }}, h('summary', {}, `${many(rows.length - 12, 'earlier publication')}`)));
}
