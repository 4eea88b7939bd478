// Types for a part of prom-client, which has types only for its main entry point. The main entry point also loads the
// push gateway and the cluster support: 20 MB that `/metrics` does not need.

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
      /** Without it, the name of the family is used. */
      readonly metricName?: string;
    }[];
  };
}
