// The dashboard and the alert rules in docs name only metrics, labels and values that a real server shows.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { startServing } from './serving.ts';

const docs = join(import.meta.dirname, '../../docs');
const { groups }: { groups: { rules: { alert: string; expr: string; annotations: object }[] }[] } = parse(
  readFileSync(join(docs, 'alerts.yaml'), 'utf8'),
);
const rules = groups.flatMap((group) => group.rules);
const { panels, templating }: Dashboard = JSON.parse(readFileSync(join(docs, 'grafana.json'), 'utf8'));

type Dashboard = {
  readonly panels: readonly { id: number; title: string; targets: readonly { expr: string; legendFormat: string }[] }[];
  readonly templating: { readonly list: readonly { name: string; query: string | { query: string } }[] };
};

const ofDashboard = panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const));
const expressions = [...rules.map(({ alert, expr }) => [alert, expr] as const), ...ofDashboard];

const server = await startServing({
  executes: true,
  jobs: { good: bash('exit 0'), bad: bash('exit 3') },
});
afterAll(() => server.close());

/** Labels that Prometheus itself adds. */
const ofPrometheus = ['instance', 'job'];
/** A metric of Prometheus itself, and values that a healthy server never has. */
const known = { metrics: { up: ofPrometheus }, values: ['5xx', 'flwd'] };

type Labels = Map<string, Set<string>>;

/** The labels of each metric and their values. */
async function shown(): Promise<ReadonlyMap<string, Labels>> {
  for (const jobId of ['good', 'bad']) await server.post('/runs', { job_id: jobId, async: false });
  const metrics = new Map<string, Labels>();
  const text = await (await server.fetch('//metrics')).text();
  for (const [, name = '', list = ''] of text.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
    const labels: Labels = metrics.get(name) ?? new Map<string, Set<string>>();
    metrics.set(name, labels);
    for (const [, label = '', value = ''] of list.matchAll(/(\w+)="([^"]*)"/g))
      labels.set(label, (labels.get(label) ?? new Set()).add(value));
  }
  return metrics;
}

const words = /\b(?:flwd_|process_|up\b)\w*/g;

/** Returns the names in an expression that the server does not have. */
function unknownIn(expr: string, metrics: ReadonlyMap<string, Labels>): string[] {
  const wrong: string[] = [];
  const names = [...expr.matchAll(words)].map(([name]) => name);
  const all = new Set<string>(ofPrometheus);
  for (const name of names) {
    const labels = metrics.get(name);
    if (!labels && !Object.hasOwn(known.metrics, name)) wrong.push(name);
    for (const label of labels?.keys() ?? []) all.add(label);
  }
  for (const [, name = '', selector = ''] of expr.matchAll(/(\w+)\{([^}]*)\}/g)) {
    const labels = metrics.get(name);
    for (const [, label = '', operator, value = ''] of selector.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)) {
      const values = labels?.get(label);
      if (!values && !ofPrometheus.includes(label)) wrong.push(`${name}{${label}}`);
      if (values && operator === '=' && !values.has(value) && !known.values.includes(value))
        wrong.push(`${name}{${label}="${value}"}`);
    }
  }
  for (const [, list = ''] of expr.matchAll(/\b(?:by|without|on) \(([^)]*)\)/g))
    wrong.push(...list.split(', ').filter((label) => !all.has(label)));
  return wrong;
}

describe('the expressions of docs/alerts.yaml and docs/grafana.json', () => {
  testWith('bwrap')('name only metrics, labels and values that a server shows', async () => {
    const metrics = await shown();
    for (const [title, expr] of expressions) {
      expect(expr, title).toMatch(words);
      expect(unknownIn(expr, metrics), title).toEqual([]);
    }
    // Make sure that this check finds unknown names.
    expect(
      unknownIn('sum by (jobs) (flwd_runs_finished{x="1"}) + flwd_notices_total{outcome="lost"}', metrics),
    ).toEqual(['flwd_runs_finished', 'flwd_runs_finished{x}', 'flwd_notices_total{outcome="lost"}', 'jobs']);
    for (const { name, query } of templating.list.slice(1)) {
      const [, metric = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(textOf(query)) ?? [];
      expect([...(metrics.get(metric)?.keys() ?? []), ...ofPrometheus], name).toContain(label);
    }
  });

  test('belong to alerts that say what happened and what to do, and to panels with unique names and places', () => {
    for (const { alert, annotations } of rules)
      expect(annotations, alert).toEqual({ summary: expect.any(String), description: expect.any(String) });
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    const legends = panels.flatMap(({ targets }) =>
      targets.map(({ expr, legendFormat }) => ({ expr, labels: [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)] })),
    );
    for (const { expr, labels } of legends)
      for (const [, label = ''] of labels)
        if (/\bby \(/.test(expr)) expect(expr).toMatch(new RegExp(`by \\([^)]*\\b${label}\\b`));
  });

  testWith('promtool')('are valid for Prometheus', () => {
    const dir = mkdtempSync(join(tmpdir(), 'flwd-rules-'));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const recorded = ofDashboard.map(([, expr], at) => ({
      record: `panel:${at}`,
      expr: expr.replaceAll(/\$__\w+/g, '5m'),
    }));
    const file = join(dir, 'panels.yaml');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'panels', rules: recorded }] }));
    for (const path of [join(docs, 'alerts.yaml'), file]) {
      const { status, stderr } = spawnSync('promtool', ['check', 'rules', path], { encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    }
  });
});

function textOf(query: string | { query: string }): string {
  return typeof query === 'string' ? query : query.query;
}
