// Families → Prometheus's text, by OpenTelemetry's exporter. Its SDK is loaded at the first scrape: 70 ms and some MB
// that a server which nobody scrapes never pays. It counts nothing itself; what was counted is handed over as its own data.

import type { MetricData } from '@opentelemetry/sdk-metrics';
import type { Family } from './families.ts';

export const expositionType = 'text/plain; version=0.0.4; charset=utf-8';

/** @returns what gives the text of the families as they are now */
export async function createExposition(families: () => Promise<readonly Family[]>): Promise<() => Promise<string>> {
  const [{ AggregationTemporality, DataPointType, MeterProvider }, { PrometheusExporter, PrometheusSerializer }] =
    await Promise.all([import('@opentelemetry/sdk-metrics'), import('@opentelemetry/exporter-prometheus')]);
  const aggregationTemporality = AggregationTemporality.CUMULATIVE;
  // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- the enum is of a package that nothing else here needs
  const double = 1 as MetricData['descriptor']['valueType'];

  function toMetric(family: Family): MetricData {
    const descriptor = { name: family.name, description: family.help, unit: '', valueType: double };
    const about = { descriptor, aggregationTemporality };
    if (family.kind === 'histogram') {
      const boundaries = [...family.boundaries];
      const dataPoints = Array.from(family.series(), ({ labels, counts, sum }) =>
        point(labels, { buckets: { boundaries, counts }, sum, count: counts.reduce((total, n) => total + n, 0) }),
      );
      return { ...about, dataPointType: DataPointType.HISTOGRAM, dataPoints };
    }
    const dataPoints = Array.from(family.samples(), ({ labels, value }) => point(labels, value));
    return family.kind === 'counter'
      ? { ...about, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
      : { ...about, dataPointType: DataPointType.GAUGE, dataPoints };
  }

  // The exporter's text wants a resource, which only the SDK can make.
  const reader = new PrometheusExporter({ preventServerStart: true });
  void new MeterProvider({ readers: [reader] });
  const { resource } = (await reader.collect()).resourceMetrics;
  const serializer = new PrometheusSerializer('', false, undefined, true, true);
  return async () => {
    const metrics = (await families()).map(toMetric);
    return `${serializer.serialize({ resource, scopeMetrics: [{ scope: { name: 'flwd' }, metrics }] })}\n`;
  };
}

/** The text has no times in it: a sample is of the scrape. */
function point<T>(attributes: Readonly<Record<string, string>>, value: T) {
  const never: [number, number] = [0, 0];
  return { startTime: never, endTime: never, attributes, value };
}
