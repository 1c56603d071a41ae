// The first page, the search, and which page an address means.
function overview() {
  const sorted = [...DATA.datasets].sort((one, other) => WORST.indexOf(verdict(one)) - WORST.indexOf(verdict(other)));
  const readable = sorted.filter((each) => !each.fault), started = readable.filter((each) => each.grid.first);
  const trouble = started.flatMap((dataset) => runsOf(dataset, 'fsa').slice(0, 3).map((run) => [dataset, run])).sort((one, other) => WORST.indexOf(one[1][2]) - WORST.indexOf(other[1][2]) || (one[1][1] < other[1][1] ? 1 : -1)).slice(0, 5);
  const states = started.map((each) => each.grid.states).join('');
  return [
    h('div', {class: 'title'}, h('h1', {tabindex: '-1'}, headline(sorted)), h('p', {class: 'lead'}, `Every ${sorted.some((each) => each.every === 'hour') ? 'day and hour' : 'day'} of ${many(sorted.length, 'dataset')}, from the tables themselves.`)),
    trouble.length ? h('section', {class: 'panel attention', 'aria-labelledby': 'attention'}, h('h2', {id: 'attention'}, 'Look at first'), h('ul', {}, trouble.map(([dataset, run]) => h('li', {}, chip(run[2]), h('div', {}, h('a', {href: `#/d/${dataset.name}/${run[1]}`}, h('b', {}, dataset.name), ' ', range(run)), h('p', {class: 'note'}, gist(dataset, run))))))) : null,
    sorted.filter((each) => each.fault).map((each) => h('section', {class: 'panel', 'aria-label': each.name}, h('h2', {}, each.name), h('p', {class: 'alarm'}, each.fault))),
    started.map(card),
    started.length ? legend(states) : null,
    readable.filter((each) => !each.grid.first).map((each) => h('p', {class: 'note'}, link(`#/d/${each.name}`, each.name), ': nothing has landed or run yet.')),
  ];
}

function headline(datasets) {
  const words = {f: 'failed', s: 'stale', a: 'waiting'}, counts = Object.keys(words).map((state) => [datasets.filter((each) => verdict(each) === state).length, words[state]]).filter(([count]) => count);
  if (!datasets.length) return 'No dataset is declared';
  if (!counts.length) return datasets.some((each) => !each.fault && each.grid.first) ? 'All days are published' : 'Nothing has run yet';
  return counts.map(([count, word], place) => `${place ? count : `${count} of ${many(datasets.length, 'dataset')}`} ${word}`).join(', ');
}

function card(dataset) {
  const newest = newestPublished(dataset), place = newest && placeOf(dataset, newest), counts = dataset.grid.counts;
  const of = (state) => [...dataset.grid.states].filter((each) => each === state).length;
  const figures = [['published to', newest ? brief(newest) : '–'], ['rows', newest ? figure(counts.published[place] ?? counts.features[place]) : '–'], ['failed', of('f')], ['stale', of('s')]];
  return h('section', {class: 'panel card', 'aria-labelledby': `card-${dataset.name}`},
    h('header', {}, h('h2', {id: `card-${dataset.name}`}, link(`#/d/${dataset.name}`, dataset.name)), chip(verdict(dataset), verdictWord(dataset)), h('p', {class: 'note'}, [dataset.owner, ...dataset.tags].filter(Boolean).join(' · ')),
      h('dl', {class: 'figures'}, figures.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {class: (name === 'failed' || name === 'stale') && value ? STATES[name === 'failed' ? 'f' : 's'].key : null}, value))))),
    calendar(dataset, null, (ds) => { location.hash = `#/d/${dataset.name}/${ds}`; }));
}

const INDEX = [
  ...DATA.datasets.flatMap((each) => [
    {kind: 'dataset', name: each.name, words: [each.description, each.owner, ...(each.tags || [])].filter(Boolean).join(' '), href: `#/d/${each.name}`},
    ...(each.contract ? each.contract.columns.map(([name, type, , words]) => ({kind: `column of ${each.name}`, name, words: `${type} ${words}`, href: `#/d/${each.name}/lineage/${name}`})) : []),
  ]),
  ...DATA.features.flatMap((each) => [
    {kind: 'feature table', name: each.name, words: each.entity, href: `#/f/${each.name}`},
    ...each.features.map((one) => ({kind: `feature of ${each.name}`, name: one.name, words: one.words, href: `#/f/${each.name}/${one.name}`})),
  ]),
  ...DATA.training_sets.map((each) => ({kind: 'training set', name: each.name, words: each.description, href: `#/t/${each.name}`})),
];

function searching() {
  const input = document.getElementById('search'), list = document.getElementById('found');
  let chosen = -1;
  const close = () => { list.hidden = true; input.setAttribute('aria-expanded', 'false'); input.removeAttribute('aria-activedescendant'); chosen = -1; };
  const go = (href) => { close(); input.value = ''; location.hash = href; };
  const show = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const score = (each) => (each.name.startsWith(words[0]) ? 0 : each.name.includes(words[0]) ? 1 : 2);
    const found = words.length ? INDEX.filter((each) => words.every((word) => `${each.name} ${each.kind} ${each.words}`.toLowerCase().includes(word))).sort((one, other) => score(one) - score(other)).slice(0, 10) : [];
    if (!words.length) { close(); return; }
    list.replaceChildren(...(found.length ? found.map((each, place) => h('li', {role: 'option', id: `found-${place}`, 'data-href': each.href, 'aria-selected': 'false', onmousedown: (event) => { event.preventDefault(); go(each.href); }}, h('b', {}, each.name), h('span', {}, each.kind), h('small', {}, each.words))) : [h('li', {role: 'option', 'aria-disabled': 'true', 'aria-selected': 'false'}, 'Nothing was found.')]));
    list.hidden = false;
    chosen = -1;
    input.setAttribute('aria-expanded', 'true');
  };
  const mark = (place) => {
    const options = [...list.querySelectorAll('[data-href]')];
    if (!options.length) return;
    chosen = (place + options.length) % options.length;
    options.forEach((each, number) => each.setAttribute('aria-selected', String(number === chosen)));
    options[chosen].scrollIntoView({block: 'nearest'});
    input.setAttribute('aria-activedescendant', options[chosen].id);
  };
  input.addEventListener('input', show);
  input.addEventListener('blur', close);
  input.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown') { event.preventDefault(); mark(chosen + 1); }
    if (event.key === 'ArrowUp') { event.preventDefault(); mark(chosen - 1); }
    if (event.key === 'Escape') { input.value = ''; close(); }
    const option = list.querySelectorAll('[data-href]')[Math.max(chosen, 0)];
    if (event.key === 'Enter' && option) go(option.dataset.href);
  });
  document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === 'INPUT') return;
    event.preventDefault();
    input.focus();
  });
}

function pageOf(address) {
  const [kind, name, part, column] = address.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  const dataset = kind === 'd' && byName(name), features = kind === 'f' && DATA.features.find((each) => each.name === name), training = kind === 't' && DATA.training_sets.find((each) => each.name === name);
  if (dataset && part === 'lineage' && !dataset.fault) return [name, [datasetHead(dataset, part), lineagePart(dataset, column)]];
  if (dataset) return [name, datasetPage(dataset, part)];
  if (features) return [name, featurePage(features, part)];
  if (training) return [name, trainingPage(training)];
  if (kind === 'f' && !name) return ['Feature tables', featureList()];
  if (kind === 't' && !name) return ['Training sets', trainingList()];
  if (kind) return ['Not found', [h('h1', {tabindex: '-1'}, 'There is no such page'), h('p', {}, link('#/', 'To the first page'))]];
  return ['', overview()];
}

function showPage(first) {
  const [title, content] = pageOf(location.hash), kind = location.hash.split('/')[1] || '', main = document.getElementById('main');
  document.title = title ? `${title} · Feature console` : 'Feature console';
  document.getElementById('pages').replaceChildren(...[['', 'Days'], ['f', 'Features'], ['t', 'Training sets']].map(([name, word]) => h('a', {href: `#/${name}`, 'aria-current': kind === name || (kind === 'd' && !name) ? 'page' : null}, word)));
  const before = main.querySelector('h1')?.textContent;
  main.replaceChildren(...[content].flat(9).filter(Boolean));
  const focus = document.getElementById('focus'), heading = main.querySelector('h1');
  if (focus) { focus.closest('tr').classList.add('focused'); focus.scrollIntoView({block: 'center'}); }
  else if (!first && heading && heading.textContent !== before) { heading.focus({preventScroll: true}); scrollTo(0, 0); }
}

document.getElementById('about').replaceChildren(h('p', {}, `Made ${DATA.made} from `, h('code', {}, DATA.lake), '. Days and hours are UTC. ', DATA.docs && h('a', {href: DATA.docs}, 'Great Expectations’ own pages')));
searching();
addEventListener('hashchange', () => showPage(false));
showPage(true);
