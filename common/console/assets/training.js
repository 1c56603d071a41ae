// Training sets: their versions and splits, and what the steps have learned from the train split.
function trainingList() {
  return [h('div', {class: 'title'}, h('h1', {tabindex: '-1'}, 'Training sets'), h('p', {class: 'lead'}, 'What models learn from: pinned versions, repeatable splits, steps fitted on the train split alone.')),
    DATA.training_sets.length ? section('Built training sets', many(DATA.training_sets.length, 'training set'), table(['name', 'version', 'days', 'train', 'val', 'test', 'from'], DATA.training_sets.map((each) => {
      const newest = each.versions[0], rows = (split) => figure((newest.splits[split] || [])[0]);
      return [link(`#/t/${each.name}`, each.name), `v${newest.version}`, newest.days.join(' to '), rows('train'), rows('val'), rows('test'), Object.keys(newest.tables).map((name) => [link(`#/f/${name}`, name), ' '])];
    }), {numbers: [3, 4, 5], label: 'Built training sets'})) : nothing('No training set has been built yet.')];
}

function splitBar(splits) {
  const total = Object.values(splits).reduce((sum, [rows]) => sum + rows, 0) || 1;
  return h('div', {class: 'split', role: 'img', 'aria-label': Object.entries(splits).map(([name, [rows]]) => `${name} ${share(rows / total)}`).join(', ')},
    Object.entries(splits).filter(([, [rows]]) => rows).map(([name, [rows]]) => h('span', {class: name, style: `flex-grow: ${rows}`}, `${name} ${share(rows / total)}`)));
}

function trainingPage(one) {
  const newest = one.versions[0];
  return [
    h('div', {class: 'title'}, h('h1', {tabindex: '-1'}, one.name), h('p', {class: 'lead'}, one.description)),
    section('Splits', `v${newest.version}, built ${newest.at.replace('T', ' ')} UTC`, splitBar(newest.splits), table(['split', 'rows', 'content hash'], Object.entries(newest.splits).map(([name, [rows, hash]]) => [name, figure(rows), h('code', {}, hash)]), {numbers: [1], label: 'Splits'})),
    section('Fitted steps', 'learned from the train split alone', one.steps.length ? table(['step', 'declared', 'fitted'], one.steps.map(([name, declared, fitted, words]) => [h('div', {}, name, h('p', {class: 'note'}, words)), h('code', {}, declared), h('code', {}, fitted)]), {label: 'Fitted steps'}) : nothing('It has no steps.')),
    section('Versions', many(one.versions.length, 'version'), table(['version', 'built', 'days', 'from', 'examples', 'pins', 'run'], one.versions.map((each) => [`v${each.version}`, each.at.replace('T', ' '), each.days.join(' to '), Object.entries(each.tables).map(([name, version]) => h('div', {}, link(`#/f/${name}`, name), ` version ${version}`)), figure(each.counts.examples), each.pins.map((name) => h('div', {}, h('code', {}, name))), h('code', {}, each.run)]), {numbers: [4], label: 'Versions'}),
      h('details', {}, h('summary', {}, 'As it is declared'), h('pre', {}, one.declared))),
  ];
}
