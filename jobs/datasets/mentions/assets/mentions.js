// How products are spoken of, hour by hour, as it was published.
const SLOW_MINUTES = 90;
const last = (values) => values[values.length - 1];
const signed = (value) => (value === null || value === undefined ? '–' : `${value > 0 ? '+' : value < 0 ? '−' : ''}${Math.abs(value).toFixed(2)}`);
const times = (value) => (value ? `${figure(value, 2)}×` : '–');

function age(moment) {
  const minutes = Math.max(0, Math.round((Date.now() - Date.parse(moment)) / 60000));
  if (minutes < 1) return 'just now';
  if (minutes < 120) return `${many(minutes, 'minute')} ago`;
  return minutes < 2880 ? `${many(Math.round(minutes / 60), 'hour')} ago` : `${many(Math.round(minutes / 1440), 'day')} ago`;
}

const total = (name) => DATA.products.reduce((sum, product) => sum + (last(product[name]) || 0), 0);
const entry = (word, value, note, look) => h('div', {}, h('dt', {}, word), h('dd', {class: look && 'look'}, value, note && h('small', {}, note)));

function nowPanel() {
  const slow = Date.now() - Date.parse(DATA.published) > SLOW_MINUTES * 60000, waiting = total('pending_7d');
  const spiking = DATA.products.filter((product) => last(product.spiking));
  return section('Now', `The hour from ${brief(last(DATA.hours))} UTC, as far as it has been taken`, h('dl', {class: 'now'},
    entry('Mentions this hour', figure(total('mentions_1h')), `${figure(total('mentions_24h'))} in 24 hours`),
    entry('Spikes', figure(spiking.length), spiking.length ? spiking.map((product) => product.name).join(', ') : 'none this hour', spiking.length > 0),
    entry('Scores pending', figure(waiting), waiting ? 'the sentiment is without them' : 'every mention has its score', waiting > 0),
    entry('Published', age(DATA.published), `newest hour ${brief(last(DATA.hours))}`, slow)));
}

function hoursPlot(product) {
  const top = ceiling(product.mentions_1h), y = (value) => round((1 - Math.min(value / top, 1)) * 96);
  const shapes = DATA.hours.map((hour, place) => {
    const count = product.mentions_1h[place] || 0, kind = product.spiking[place] ? 'spike' : 'bar';
    const words = `${brief(hour)}: ${many(count, 'mention')}, ${figure(product.mentions_1h_day_before[place] || 0)} the day before, sentiment ${signed(product.sentiment_1h[place])}`;
    return s('g', {}, s('title', {}, words), s('path', {class: 'hit', d: `M${place * 8} 0h8v96h-8z`}), count > 0 && s('path', {class: kind, d: `M${place * 8 + 1} 96V${y(count)}h6V96z`}));
  });
  return h('div', {class: 'frame'},
    h('div', {class: 'scale', 'aria-hidden': 'true'}, [top, top / 2, 0].map((value) => h('span', {}, figure(value)))),
    plot('hours', DATA.hours.length * 8, 96, `Mentions of ${product.name} by hour`, shapes));
}

function moodPlot(product) {
  const y = (value) => (1 - (value + 1) / 2) * 84;
  const points = product.sentiment_24h.map((value, place) => (value === null ? null : [place * 8 + 4, y(value)]));
  const end = last(points);
  return h('div', {class: 'frame low'},
    h('div', {class: 'scale', 'aria-hidden': 'true'}, ['+1', '0', '−1'].map((value) => h('span', {}, value))),
    h('div', {}, plot('mood', DATA.hours.length * 8, 84, `Mean sentiment of ${product.name} over 24 hours, from −1 to +1; now ${signed(last(product.sentiment_24h))}`,
      s('path', {class: 'zero', d: `M0 42H${DATA.hours.length * 8}`}), s('path', {class: 'line', d: pathOf(points)}),
      end && s('path', {class: 'end', d: `M${round(end[0])} ${round(end[1])}h.1`})),
    h('div', {class: 'ends', 'aria-hidden': 'true'}, h('span', {}, brief(DATA.hours[0])), h('span', {}, brief(last(DATA.hours))))));
}

function productCard(product) {
  const words = [['this hour', figure(last(product.mentions_1h) || 0)], ['24 hours', figure(last(product.mentions_24h) || 0)], ['7 days', figure(last(product.mentions_7d) || 0)],
    ['sentiment, 24 hours', signed(last(product.sentiment_24h))], ['negative, 24 hours', share(last(product.negative_share_24h))], ['pending', figure(last(product.pending_7d) || 0)]];
  return h('section', {class: 'panel card product', 'aria-label': product.name},
    h('header', {}, h('h2', {}, product.name), last(product.spiking) ? h('span', {class: 'spike-word'}, `spike: ${times(last(product.spike_1h))} the same hour yesterday`) : null),
    h('dl', {class: 'figures'}, words.map(([word, value]) => h('div', {}, h('dt', {}, word), h('dd', {}, value)))),
    h('h3', {}, 'Mentions by hour'), hoursPlot(product), h('h3', {}, 'Mean sentiment over 24 hours'), moodPlot(product));
}

function spikePanel() {
  const rows = DATA.products.flatMap((product) => DATA.hours.map((hour, place) => product.spiking[place] && [brief(hour), product.name, figure(product.mentions_1h[place]), figure(product.mentions_1h_day_before[place]), times(product.spike_1h[place]), signed(product.sentiment_1h[place])]).filter(Boolean));
  const note = `At least ${DATA.least} mentions, and ${DATA.times} times those of the same hour on the day before`;
  return section('Spikes', note, rows.length ? table(['hour', 'product', 'mentions', 'day before', 'times', 'sentiment'], rows.toReversed(), {numbers: [2, 3, 4, 5], label: 'Spikes'}) : nothing(`None in ${many(DATA.hours.length, 'hour')}.`));
}

function tablePanel() {
  const cells = (product) => [product.name, figure(last(product.mentions_1h) || 0), figure(last(product.mentions_24h) || 0), figure(last(product.mentions_7d) || 0), ...['1h', '24h', '7d'].map((window) => signed(last(product[`sentiment_${window}`]))), share(last(product.negative_share_7d)), figure(last(product.pending_7d) || 0)];
  return section('All products', 'In the newest hour', table(['product', '1 hour', '24 hours', '7 days', 'sentiment 1 h', '24 h', '7 d', 'negative 7 d', 'pending'], DATA.products.map(cells), {numbers: [1, 2, 3, 4, 5, 6, 7, 8], label: 'All products'}));
}

const SHOWN = 12;
const title = h('div', {class: 'title'}, h('h1', {tabindex: '-1'}, 'Mentions'), h('p', {class: 'lead'}, 'How our products are spoken of in public'));
const legend = h('ul', {class: 'legend'}, [['bar', 'mentions in the hour'], ['spike', 'a spike']].map(([kind, word]) => h('li', {}, h('i', {class: `swatch ${kind}`}), word)));
document.getElementById('main').replaceChildren(...(DATA.hours.length
  ? [title, nowPanel(), h('div', {class: 'products'}, DATA.products.slice(0, SHOWN).map(productCard)), legend, spikePanel(), tablePanel()]
  : [title, h('section', {class: 'panel'}, nothing('Nothing is published yet: run the hourly chain, or jobs/stream.py.'))]));
document.getElementById('about').replaceChildren(h('p', {}, `Made ${DATA.made} from `, h('code', {}, DATA.lake), '. Hours are UTC. A score that came later counts from the hour in which it came.'));
