// prom-client types its main entry point only, and that one also loads its push gateway and its cluster support: 20 MB
// that `/metrics` does not need.

declare module 'prom-client/lib/registry.js' {
  export default class Registry {
    static readonly PROMETHEUS_CONTENT_TYPE: string;
    registerMetric(metric: { readonly name: string; readonly get: () => PromMetric }): void;
    metrics(): Promise<string>;
  }

  type PromMetric = {
    readonly name: string;
    readonly help: string;
    readonly type: 'counter' | 'gauge' | 'histogram';
    readonly values: readonly {
      readonly labels: Readonly<Record<string, string | number>>;
      readonly value: number;
      /** The family's name, without one. */
      readonly metricName?: string;
    }[];
  };
}
