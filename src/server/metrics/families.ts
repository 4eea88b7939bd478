// Counters and histograms in memory, grouped as Prometheus reads them. Counting takes one look-up in a map. Everything
// else is done when somebody asks for the metrics.

type Labels = Readonly<Record<string, string>>;
export type Sample = { readonly labels: Labels; readonly value: number };
export type Series = { readonly labels: Labels; readonly counts: number[]; sum: number };

export type Family = { readonly name: string; readonly help: string } & (
  | { readonly kind: 'counter' | 'gauge'; readonly samples: () => Iterable<Sample> }
  | { readonly kind: 'histogram'; readonly boundaries: readonly number[]; readonly series: () => Iterable<Series> }
);

type Counter = {
  readonly family: Family;
  /** `values` are the values of the labels, in the same order as their names. */
  readonly add: (values: readonly string[], by?: number) => void;
};

type Histogram = {
  readonly family: Family;
  readonly observe: (values: readonly string[], value: number) => void;
};

export function createCounter(name: string, help: string, labelNames: readonly string[]): Counter {
  const samples = new Map<string, { readonly labels: Labels; value: number }>();
  return {
    family: { name, help, kind: 'counter', samples: () => samples.values() },
    add(values, by = 1) {
      const key = values.join('\n');
      const sample = samples.get(key);
      if (sample) sample.value += by;
      else samples.set(key, { labels: toLabels(labelNames, values), value: by });
    },
  };
}

/** `boundaries` are the upper ends of the buckets, inclusive and in ascending order. */
export function createHistogram(
  name: string,
  help: string,
  labelNames: readonly string[],
  boundaries: readonly number[],
): Histogram {
  const all = new Map<string, Series>();
  return {
    family: { name, help, kind: 'histogram', boundaries, series: () => all.values() },
    observe(values, value) {
      const key = values.join('\n');
      let series = all.get(key);
      if (!series) {
        const counts = Array.from({ length: boundaries.length + 1 }, () => 0);
        series = { labels: toLabels(labelNames, values), counts, sum: 0 };
        all.set(key, series);
      }
      let at = 0;
      while (at < boundaries.length && value > (boundaries[at] ?? 0)) at += 1;
      series.counts[at] = (series.counts[at] ?? 0) + 1;
      series.sum += value;
    },
  };
}

/** A metric without labels, whose value is read for each scrape. */
export function single(kind: 'counter' | 'gauge', name: string, help: string, value: () => number): Family {
  return { name, help, kind, samples: () => [{ labels: {}, value: value() }] };
}

function toLabels(names: readonly string[], values: readonly string[]): Labels {
  return Object.fromEntries(names.map((name, at) => [name, values[at] ?? '']));
}
