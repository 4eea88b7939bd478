// Writes metrics in Prometheus's text format, with prom-client. The library is loaded at the first scrape, so a server
// that nobody scrapes does not load it. The counting itself is done by families.ts.

import type { Family, Series } from './families.ts';

export const expositionType = 'text/plain; version=0.0.4; charset=utf-8';

export async function loadExposition(): Promise<(families: readonly Family[]) => Promise<string>> {
  const { default: Registry } = await import('prom-client/lib/registry.js');

  return (families) => {
    const registry = new Registry();
    for (const family of families) {
      const { name, help, kind: type } = family;
      registry.registerMetric({ name, get: () => ({ name, help, type, values: valuesOf(family) }) });
    }
    return registry.metrics();
  };
}

function valuesOf(family: Family) {
  if (family.kind !== 'histogram') return [...family.samples()];
  return Array.from(family.series(), (series) => histogramValues(family.name, family.boundaries, series)).flat();
}

/** Writes a histogram. The text has cumulative buckets, but `counts` has a count for each bucket. */
function histogramValues(name: string, boundaries: readonly number[], { labels, counts, sum }: Series) {
  let count = 0;
  const buckets = counts.map((inBucket, at) => {
    count += inBucket;
    return { metricName: `${name}_bucket`, labels: { ...labels, le: boundaries[at] ?? '+Inf' }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}
