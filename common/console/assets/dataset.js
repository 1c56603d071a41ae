// The page of a dataset: its days, and what was measured on them.
const periods = (dataset) => (dataset.every === 'hour' ? 'Hours' : 'Days');
const PARTS_OF_DATASET = [['rules', 'Rules'], ['quarantine', 'Quarantine'], ['drift', 'Drift'], ['columns', 'Columns'], ['lineage', 'Lineage'], ['contract', 'Contract']];

function datasetHead(dataset, part) {
  const base = `#/d/${dataset.name}`;
  return [
    h('div', {class: 'title'},
      h('h1', {tabindex: '-1'}, dataset.name), chip(verdict(dataset), verdictWord(dataset)),
      h('p', {class: 'lead'}, dataset.description),
      h('p', {class: 'note'}, dataset.owner ? ['Owner: ', h('b', {}, dataset.owner)] : 'No owner is declared', dataset.tags.map((tag) => [' ', h('span', {class: 'tag'}, tag)]))),
    h('nav', {class: 'parts', 'aria-label': `Parts of ${dataset.name}`},
      [['', periods(dataset)], ...PARTS_OF_DATASET].map(([name, word]) => h('a', {href: name ? `${base}/${name}` : base, 'aria-current': name === part ? 'page' : null}, word)),
      DATA.features.some((each) => each.name === dataset.table) && link(`#/f/${dataset.table}`, 'Features')),
    dataset.refused && h('p', {class: 'alarm'}, h('b', {}, 'A backfill refuses this dataset: '), dataset.refused),
  ];
}

function verdictWord(dataset) {
  if (dataset.fault) return 'can’t be read';
  if (dataset.refused) return 'refused';
  const state = verdict(dataset), newest = newestPublished(dataset);
  const count = [...dataset.grid.states].filter((each) => each === state).length;
  if (state === 's') return `${many(count, dataset.every)} stale`;
  if (state === 'f') return `failed on ${brief(runsOf(dataset, 'f')[0][1])}`;
  if (state === 'a') return `${many(count, dataset.every)} waiting`;
  return newest ? `${SHORT[state]} to ${brief(newest)}` : 'nothing has run';
}

function datasetPage(dataset, part) {
  if (dataset.fault) return [h('h1', {tabindex: '-1'}, dataset.name), h('p', {class: 'alarm'}, dataset.fault)];
  const day = daysOf(dataset).includes(part) ? part : null;
  const pages = {rules: rulesPart, quarantine: quarantinePart, drift: driftPart, columns: columnsPart, lineage: lineagePart, contract: contractPart};
  const name = pages[part] ? part : '';
  return [datasetHead(dataset, name), name ? pages[name](dataset) : daysPart(dataset, day)];
}

function daysPart(dataset, chosen) {
  if (!dataset.grid.first) return nothing(`Nothing of ${dataset.name} has landed or run yet.`);
  const day = chosen || (runsOf(dataset, 'fas')[0] || [])[1] || lastDay(dataset);
  const detail = h('section', {class: 'panel day-detail', 'aria-live': 'polite'}, dayDetail(dataset, day));
  const open = (ds) => {
    history.replaceState(null, '', `#/d/${dataset.name}/${ds}`);
    document.querySelectorAll('.calendar [aria-current]').forEach((each) => each.removeAttribute('aria-current'));
    document.querySelector(`.calendar [data-ds="${ds}"]`)?.setAttribute('aria-current', 'date');
    detail.replaceChildren(...dayDetail(dataset, ds));
  };
  return [
    h('section', {class: 'panel', 'aria-label': periods(dataset)}, calendar(dataset, day, open), legend(dataset.grid.states)),
    detail,
    section(`Rows by ${dataset.every}`, lastOf(dataset), volumePlot(dataset)),
  ];
}

const lastOf = (dataset) => `the last ${many(windowOf(dataset).length, dataset.every)}`;
const bookRow = (dataset, place, name) => dataset.grid.counts[name][place];

function dayDetail(dataset, ds) {
  const place = placeOf(dataset, ds), grid = dataset.grid, state = stateOn(dataset, ds), note = grid.notes[ds] || {};
  const go = (days, word) => { const goal = plus(ds, days); return daysOf(dataset).includes(goal) ? link(`#/d/${dataset.name}/${goal}`, word) : h('span', {class: 'quiet'}, word); };
  const counts = Object.keys(grid.counts).filter((name) => bookRow(dataset, place, name) !== null);
  const versions = Object.entries(grid.versions).filter(([, values]) => values[place] !== null);
  return [
    h('header', {}, h('h2', {}, spoken(ds)), chip(state, STATES[state].word), h('span', {class: 'turn'}, go(-1, `← ${dataset.every} before`), go(1, `${dataset.every} after →`))),
    reasons(note, state, dataset.every),
    counts.length ? h('dl', {class: 'books'}, counts.map((name) => h('div', {}, h('dt', {}, name), h('dd', {}, figure(bookRow(dataset, place, name)))))) : nothing(`The log of runs has nothing of this ${dataset.every}.`),
    grid.steps[place] !== 0 || note.failures ? h('ol', {class: 'steps', 'aria-label': 'Steps'}, DATA.steps.map((name, bit) => {
      const failed = (note.failures || []).some((each) => each.step === name), done = grid.steps[place] & (1 << bit);
      const word = failed ? 'failed' : done ? 'done' : 'not run';
      return h('li', {class: word.replace(' ', '-')}, h('i', {'aria-hidden': 'true'}, failed ? '×' : done ? '✓' : '–'), name, h('span', {class: 'unseen'}, `: ${word}`));
    })) : null,
    h('div', {class: 'two'},
      h('div', {}, h('h3', {}, 'What to do'), dataset.commands[state].map(([words, text]) => [h('p', {class: 'note'}, words), command(text.replaceAll('{ds}', ds))])),
      grid.steps[place] === 0 && !note.failures ? null : h('div', {}, h('h3', {}, 'Made by'),
        h('dl', {class: 'facts'},
          fact('Run', grid.runs[grid.run[place]] && h('code', {}, grid.runs[grid.run[place]])),
          fact('Finished', grid.at[place] && `${grid.at[place].replace('T', ' ')} UTC`),
          fact('Took', grid.seconds[place] === null ? null : `${figure(grid.seconds[place])} s`),
          versions.map(([path, values]) => fact(h('code', {}, path), `version ${values[place]}`)),
          fact('Left out', note.left_out && `the arrivals of ${note.left_out.join(', ')}, which the gate had not passed`)))),
  ];
}

const fact = (name, value) => (value ? h('div', {}, h('dt', {}, name), h('dd', {}, value)) : null);

function reasons(note, state, every) {
  const parts = [];
  for (const failure of note.failures || []) {
    parts.push(h('div', {class: 'problem failed'}, h('h3', {}, h('code', {}, failure.step), ' failed'), h('p', {}, failure.message), failure.rules.map(ruleLine)));
  }
  if (note.warnings) parts.push(h('div', {class: 'problem warned'}, h('h3', {}, many(note.warnings.length, 'warning')), note.warnings.map(ruleLine)));
  if (note.why && !note.failures) {
    parts.push(h('div', {class: `problem ${STATES[state].key}`}, h('h3', {}, 'A backfill would run'), h('ul', {}, sameWords(note.why).map(([words, names]) => h('li', {}, names.map((name) => [h('code', {}, name), ' ']), words)), note.then ? h('li', {}, `and ${many(note.then, 'step')} more, if their rows change`) : null)));
  }
  if (note.missing) parts.push(h('p', {class: 'note'}, `The source has nothing for this ${every}.`));
  return parts;
}

// Steps that run for the same reason stand on one line.
function sameWords(why) {
  const found = new Map();
  for (const [name, words] of why) found.set(words, [...(found.get(words) || []), name]);
  return [...found];
}

function ruleLine(rule) {
  const rows = rule.checked ? `${figure(rule.failed || 0)} of ${figure(rule.checked)} rows` : '';
  const seen = rule.observed === undefined ? '' : `observed ${figure(rule.observed)}`, limit = rule.limit === undefined ? '' : `limit ${figure(rule.limit)}`;
  const facts = [rule.step, rows, seen, limit, rule.problem && `could not be checked: ${rule.problem}`].filter(Boolean).join(' · ');
  return h('div', {class: 'rule'}, h('p', {}, rule.column && [h('code', {}, rule.column), ' '], ruleWords(rule.expectation)),
    facts && h('p', {class: 'note'}, facts),
    rule.examples && h('p', {class: 'examples'}, 'for example ', rule.examples.map((example) => [h('q', {}, example), ' '])));
}

// ExpectColumnValuesToBeBetween(min_value=0) -> values to be between min_value=0
function ruleWords(expectation) {
  const [, name, rest] = /^(\w*)(.*)$/s.exec(expectation);
  const words = name.replace(/^Expect/, '').replace(/^Column(?=.)/, '').replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase();
  return `${words.replace(/^(psi|ks|js)\b/, (each) => each.toUpperCase())} ${rest.replace(/^\((.*)\)$/s, '$1')}`.trim();
}

function rulesPart(dataset) {
  const days = windowOf(dataset), rules = dataset.rules.map((rule) => ({...rule, worst: Math.min(...[...rule.states].map((state) => 'fuwpn'.indexOf(state)))}));
  if (!rules.length) return nothing('No rule has a result yet.');
  const steady = rules.filter((rule) => rule.worst >= 3), others = rules.filter((rule) => rule.worst < 3).sort((one, other) => one.worst - other.worst);
  return [
    section('Rules that did not always hold', lastOf(dataset), others.length ? ruleGrid(dataset, others, days) : nothing(`All ${rules.length} rules held on every ${dataset.every}.`)),
    section('Rules that always held', many(steady.length, 'rule'), h('details', {}, h('summary', {}, `Show them by ${dataset.every}`), ruleGrid(dataset, steady, days))),
  ];
}

function ruleGrid(dataset, rules, days) {
  const cell = (rule, ds, place) => {
    const state = STATES[rule.states[place]], bad = rule.bad && rule.bad[ds];
    const word = rule.states[place] === 'p' ? 'passed' : rule.states[place] === 'w' ? 'warning' : rule.states[place] === 'n' ? 'not checked' : state.word;
    const words = `${brief(ds)}: ${word}${bad && bad.checked ? `, ${figure(bad.failed || 0)} of ${figure(bad.checked)} rows` : ''}${bad && bad.observed !== undefined ? `, observed ${figure(bad.observed)}, limit ${figure(bad.limit)}` : ''}`;
    return h('td', {class: `mini ${state.key}`, title: words}, h('span', {class: 'unseen'}, words), h('span', {'aria-hidden': 'true'}, state.sign));
  };
  return h('div', {class: 'scroll from-end', tabindex: '0', role: 'region', 'aria-label': `Rules by ${dataset.every}`}, h('table', {class: 'matrix'},
    h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, 'rule'), days.map((ds, place) => h('th', {scope: 'col', 'aria-label': ds}, marked(ds, days.length - 1 - place) && h('span', {}, marked(ds, days.length - 1 - place)))))),
    h('tbody', {}, rules.map((rule) => h('tr', {}, h('th', {scope: 'row'}, h('span', {class: 'where'}, rule.table), ' ', rule.column && [h('code', {}, rule.column), ' '], ruleWords(rule.expectation), rule.severity === 'warn' ? h('span', {class: 'quiet'}, ' (warns)') : ''), days.map((ds, place) => cell(rule, ds, place)))))));
}

function quarantinePart(dataset) {
  const refusals = dataset.refusals, last = lastOf(dataset);
  if (!refusals.length) return nothing('Nothing is in quarantine.');
  const total = refusals.reduce((sum, each) => sum + each.records, 0);
  return section('Refused records by reason', `${figure(total)} in all; a record with two reasons counts for both`,
    table(['reason', 'records', periods(dataset).toLowerCase(), last.replace('the ', ''), 'newest examples'], refusals.map((each) => [
      h('code', {}, each.reason), figure(each.records), each.from === each.to ? each.to : `${each.from} to ${each.to}`,
      sparkBars(each.days, `${each.reason} over ${last}: ${each.days.join(', ')}`),
      h('ul', {class: 'examples'}, each.examples.map((example) => h('li', {}, example)))]), {numbers: [1], class: 'plain refusals', label: 'Refused records by reason'}),
    h('p', {class: 'note'}, `Fix the source or the contract, then run the ${dataset.every} again: accepted records leave quarantine.`));
}

function driftPart(dataset) {
  const last = lastOf(dataset), measured = (kind) => dataset.rules.filter((rule) => kind.includes(rule.kind) && known(rule.observed).length);
  const distance = (rule) => { const value = Math.abs(known(rule.observed).at(-1)), limit = known(rule.limit).at(-1); return limit ? value / limit : value; };
  const rows = measured(['drift', 'concept']).sort((one, other) => distance(other) - distance(one));
  const fresh = measured(['freshness'])[0];
  return [
    section('Freshness', `how old the newest event was at the end of its ${dataset.every}; at most ${dataset.fresh} h`, fresh
      ? h('div', {class: 'wide-spark'}, sparkLine(fresh.observed, fresh.limit, `Age in hours over ${last}`), h('p', {}, h('b', {}, `${figure(known(fresh.observed).at(-1))} h`), ` on ${brief(lastDay(dataset))}`))
      : nothing(`Not measured in ${last}.`)),
    section('Drift', `distance from earlier ${dataset.every}s, largest share of its limit first; ${last}`, rows.length
      ? table(['column', 'table', 'measure', 'newest', 'limit', last.replace('the ', '')], rows.map((rule) => [
        h('code', {}, rule.column), rule.table, ruleWords(rule.expectation), h('span', {class: distance(rule) > 1 ? 'over' : null}, figure(known(rule.observed).at(-1))), figure(known(rule.limit).at(-1)),
        sparkLine(rule.observed, rule.limit, `${rule.column}: ${known(rule.observed).length} values, newest ${figure(known(rule.observed).at(-1))}`)]), {numbers: [3, 4]})
      : nothing(`Drift needs some earlier ${dataset.every}s to compare with.`)),
  ];
}

function columnsPart(dataset) {
  const found = dataset.statistics.processed || {}, names = Object.keys(found);
  if (!names.length) return nothing(`No ${dataset.every} has been profiled yet.`);
  return section('Columns of the processed rows', `of ${spoken(found[names[0]].ds)}`, statisticsTable(names.map((name) => ({name, ...found[name]})), `${dataset.name} processed`, dataset.every));
}

function contractPart(dataset) {
  const contract = dataset.contract;
  return [
    section('Terms', null, h('dl', {class: 'facts'}, contract.terms.map(([name, words]) => fact(name, words))),
      h('p', {class: 'note'}, 'Also as a document of the ', h('a', {href: `${dataset.name}.odcs.yaml`}, 'Open Data Contract Standard'), '.')),
    section('Columns', many(contract.columns.length, 'column'), table(['column', 'type', 'must be', 'what it is'], contract.columns.map(([name, type, must, words, sensitive]) => [h('code', {}, name), type, must, [words, sensitive ? h('span', {class: 'tag'}, 'sensitive') : '']]), {label: 'Columns'})),
    section('Rules', many(contract.rules.length, 'rule'), table(['table', 'severity', 'column', 'rule'], contract.rules.map(([where, severity, column, words]) => [where, severity, column && h('code', {}, column), ruleWords(words)]), {label: 'Rules'})),
  ];
}
