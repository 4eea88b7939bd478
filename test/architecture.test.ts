// Checks the sources against the dependency table of docs/architecture.md, and limits the size of folders and
// functions. Plants a breach of each rule to show that the rule finds it.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { expect, test } from 'vitest';
import { type LongFunction, longFunctions } from './long-functions.ts';

/** Path below the root of the checkout → source text. */
type Sources = ReadonlyMap<string, string>;
type Import = { readonly specifier: string; readonly isDynamic: boolean };
type Rule = { readonly folders: readonly string[]; readonly packages: readonly string[]; readonly node: boolean };

const table: Readonly<Record<string, Rule>> = {
  lib: {
    folders: [],
    packages: ['croner', 'cronstrue', 'ical.js', 'js-yaml', 'lru-cache', 'pino', 're2js', 'ulid', 'yaml'],
    node: true,
  },
  instance: { folders: ['lib'], packages: [], node: true },
  domain: { folders: ['lib'], packages: [], node: false },
  contract: { folders: ['domain', 'lib'], packages: ['typebox'], node: false },
  config: { folders: ['domain', 'lib'], packages: ['yaml'], node: true },
  catalog: {
    folders: ['domain', 'lib'],
    packages: ['yaml', 'ajv', 'ajv-formats', 'lru-cache', 're2js', 'typebox', '@marcbachmann/cel-js'],
    node: true,
  },
  store: { folders: ['domain', 'lib'], packages: ['kysely', 'lru-cache', 'p-limit', 'pg'], node: true },
  exec: { folders: ['domain', 'lib'], packages: ['re2js'], node: true },
  engine: { folders: ['domain', 'catalog', 'store', 'exec', 'instance', 'lib'], packages: ['p-limit'], node: true },
  notify: {
    folders: ['domain', 'catalog', 'store', 'engine', 'instance', 'lib'],
    packages: ['nodemailer'],
    node: true,
  },
  telemetry: {
    folders: ['domain', 'store', 'engine', 'lib'],
    packages: ['@opentelemetry/api', '@opentelemetry/otlp-transformer', '@opentelemetry/resources', 'lru-cache'],
    node: true,
  },
  server: {
    folders: ['domain', 'contract', 'catalog', 'store', 'engine', 'lib'],
    packages: ['fastify', 'ajv', 'jose', 'lru-cache', 'prom-client', 'range-parser'],
    node: true,
  },
  doctor: {
    folders: ['domain', 'catalog', 'config', 'store', 'engine', 'notify', 'server', 'instance', 'lib'],
    packages: [],
    node: true,
  },
  client: { folders: ['domain', 'contract', 'lib'], packages: ['diff', 'eventsource-parser'], node: false },
  cli: {
    folders: ['client', 'contract', 'domain', 'instance', 'lib', 'config'],
    packages: ['string-width', 'yaml'],
    node: true,
  },
  mcp: {
    folders: ['client', 'contract', 'domain', 'lib'],
    packages: ['@modelcontextprotocol/server', 'ajv'],
    node: true,
  },
  tui: { folders: ['client', 'contract', 'domain', 'lib'], packages: ['ink', 'react', 'string-width'], node: true },
  console: {
    folders: ['client', 'contract', 'domain', 'lib'],
    packages: [
      '@base-ui/react',
      '@dagrejs/dagre',
      '@tanstack/react-query',
      '@tanstack/react-virtual',
      'd3-scale',
      'd3-shape',
      'highlight.js',
      'lowlight',
      'lucide-react',
      'react',
      'react-dom',
      'wouter',
      'yaml',
    ],
    node: false,
  },
};

/** How attempts run on this host, hidden behind `exec/executor.ts`. */
const behindTheExecutor = ['src/exec/proc/', 'src/exec/sandbox/', 'src/exec/host/'];
/** These folders also run in browsers, so nothing that they import may need Node. */
const portable = ['domain', 'contract', 'client', 'console'];
const http = ['node:http', 'node:https', 'node:http2', 'node:net'];
const forbiddenNames = 'utils helpers common types interfaces constants manager service index'.split(' ');
/** A folder with more files usually holds two ideas. */
const mostFiles = 30;
/** Migrations are one list, and a released one never changes. */
const uncounted = 'src/store/migrations';

test('the sources follow the dependency table', () => {
  expect(sources.size).toBeGreaterThan(10);
  expect(breachesOf(sources)).toEqual([]);
});

test('every file that docs/architecture.md names exists', () => {
  const root = join(import.meta.dirname, '..');
  const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  const named = [...page.matchAll(/`([\w.-]+\/[\w./-]+\.(?:tsx?|bash))`/g)].map(([, path = '']) => path);
  const missing = named.filter((path) => !sources.has(`src/${path}`) && !existsSync(join(root, path)));
  expect(named.length).toBeGreaterThan(40);
  expect(missing).toEqual([]);
});

test.each([
  ['a folder the table does not name', 'src/domain/run.ts', "import '../store/runs.ts';", 'imports store'],
  [
    'a neighbour by its type alone',
    'src/store/run/runs.ts',
    "import type { X } from '../../exec/executor.ts';",
    'imports exec',
  ],
  ['the instance from lib', 'src/lib/clock.ts', "import '../instance/version.ts';", 'imports instance'],
  ['a neighbour by a re-export', 'src/catalog/catalog.ts', "export * from '../store/open.ts';", 'imports store'],
  [
    'a neighbour by import()',
    'src/exec/proc/launch.ts',
    "  const x = await import('../../store/open.ts');",
    'imports store',
  ],
  ['over several lines', 'src/client/client.ts', "import {\n  a,\n} from '../server/app.ts';", 'imports server'],
  ['a package in a folder without packages', 'src/domain/run.ts', "import { x } from 'ulid';", 'imports ulid'],
  ['a package of another folder', 'src/engine/engine.ts', "import fastify from 'fastify';", 'imports fastify'],
  ['Node where it is forbidden', 'src/contract/problem-document.ts', "import 'node:fs';", 'imports node:fs'],
  ['HTTP in the engine', 'src/engine/engine.ts', "import 'node:http';", 'imports node:http'],
  ['main.ts, except from cli by import()', 'src/cli/main.ts', "import { x } from '../main.ts';", 'imports main.ts'],
  ['the inside of the executor', 'src/engine/engine.ts', "import '../exec/proc/launch.ts';", 'imports exec/proc'],
  [
    'the inside of the executor by its type alone',
    'src/engine/run/attempt.ts',
    "import type { X } from '../../exec/host/limit-host.ts';",
    'imports exec/host',
  ],
  ['the terminal UI, except by import()', 'src/cli/main.ts', "import { x } from '../tui/main.ts';", 'imports tui'],
  ['the MCP server, except by import()', 'src/cli/main.ts', "import { x } from '../mcp/main.ts';", 'imports mcp'],
  ['main.ts from elsewhere', 'src/server/app.ts', "await import('../main.ts');", 'imports main.ts'],
])('an import of %s is a breach', (_what, path, line, message) => {
  expect(newBreachesOf(planted(path, line))).toContain(`${path} ${message}`);
});

test.each(['main.ts', 'operator.ts', 'sources.ts', 'host-probe.ts', 'tui/main.ts', 'mcp/main.ts'])(
  'the CLI may load %s by import()',
  (root) => {
    const path = 'src/cli/run/planted.ts';
    expect(newBreachesOf(planted(path, `const { serve } = await import('../../${root}');`))).toEqual([]);
  },
);

test('a portable file that reaches Node through another file is a breach', () => {
  const portableFile = planted('src/domain/planted.ts', "import { now } from '../lib/planted.ts';");
  const withNode = new Map([...portableFile, ['src/lib/planted.ts', "import { hrtime } from 'node:process';"]]);
  expect(newBreachesOf(withNode)).toContain('src/domain/planted.ts reaches node:process through src/lib/planted.ts');
});

test('an import cycle is a breach, even if it imports only types', () => {
  const cycle = new Map([
    ['src/lib/a.ts', "import type { B } from './b.ts';"],
    ['src/lib/b.ts', "import { c } from './c.ts';"],
    ['src/lib/c.ts', "export type { A } from './a.ts';"],
  ]);
  expect(breachesOf(cycle)).toEqual(['import cycle: src/lib/a.ts → src/lib/b.ts → src/lib/c.ts → src/lib/a.ts']);
});

test.each(['src/store/types.ts', 'src/engine/utils.ts', 'src/helpers/clock.ts'])('the name %s is a breach', (path) => {
  expect(newBreachesOf(planted(path, ''))).toContain(`${path} is named after a kind of code`);
});

test('a folder of more than 30 files is a breach', () => {
  const full = Array.from({ length: mostFiles }, (_, at): [string, string] => [`src/lib/planted/${at}.ts`, '']);
  expect(newBreachesOf(new Map([...sources, ...full]))).toEqual([]);
  expect(newBreachesOf(new Map([...sources, ...full, ['src/lib/planted/more.ts', '']]))).toEqual([
    'src/lib/planted has 31 files',
  ]);
});

test('a function is short, or is listed with a reason and does not grow', () => {
  expect(lengthBreaches(functionsBeyondTheBound('src'), longFunctions)).toEqual([]);
  expect(longFunctions.filter(({ reason }) => reason.length < 10)).toEqual([]);
});

test('a function of more than 80 lines is a breach, counting blank lines and comments', () => {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-long-'));
  try {
    for (const [name, lines] of Object.entries({ short: 80, long: 81 })) {
      const body = '\n  // why\n'
        .repeat(50)
        .split('\n')
        .slice(0, lines - 2);
      writeFileSync(join(dir, `${name}.ts`), [`export function ${name}() {`, ...body, '}', ''].join('\n'));
    }
    const found = functionsBeyondTheBound(dir);
    expect(found).toEqual([{ file: join(dir, 'long.ts'), name: 'long', lines: 81 }]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('a listed function that grows is a breach, and an entry that is no longer needed is a breach, too', () => {
  const listed = { file: 'src/lib/a.ts', name: 'long', lines: 100, reason: 'a list of settings' };
  const as = (lines: number) => [{ file: 'src/lib/a.ts', name: 'long', lines }];
  expect(lengthBreaches(as(100), [listed])).toEqual([]);
  expect(lengthBreaches(as(90), [listed])).toEqual([]);
  expect(lengthBreaches(as(101), [listed])).toEqual(['src/lib/a.ts: long has 101 lines']);
  expect(lengthBreaches(as(101), [])).toEqual(['src/lib/a.ts: long has 101 lines']);
  expect(lengthBreaches([], [listed])).toEqual([
    'src/lib/a.ts: long is short enough now, or gone: remove it from the list',
  ]);
});

test('a file outside the table is a breach', () => {
  expect(newBreachesOf(planted('src/misc/clock.ts', ''))).toContain('src/misc/clock.ts is in no folder of the table');
});

test('an import in a comment or a text does not count', () => {
  const talk = [
    "// import 'node:fs';",
    '/**',
    " * import { x } from '../store/open.ts';",
    ' */',
    "log('from', 'node:fs');",
  ];
  expect(newBreachesOf(planted('src/domain/planted.ts', talk.join('\n')))).toEqual([]);
});

const importsIn = new Map<string, readonly Import[]>();
const sources = readSources();
let known: Set<string> | undefined;

function readSources(): Sources {
  const root = join(import.meta.dirname, '..');
  const paths = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((path) =>
    /\.(?:tsx?|css)$/.test(path),
  );
  return new Map(paths.map((path) => [`src/${path}`, readFileSync(join(root, 'src', path), 'utf8')]));
}

/** The real sources with an extra line at the top of one file, or with an extra file. */
function planted(path: string, line: string): Sources {
  return new Map([...sources, [path, `${line}\n${sources.get(path) ?? ''}`]]);
}

/** The breaches that the planted line or file adds. */
function newBreachesOf(files: Sources): string[] {
  known ??= new Set(breachesOf(sources));
  return breachesOf(files).filter((breach) => !known?.has(breach));
}

function breachesOf(files: Sources): string[] {
  const breaches: string[] = [];
  for (const [path, text] of files) {
    breaches.push(...forbiddenName(path), ...forbiddenImports(path, importsOf(text)));
    if (portable.includes(folderOf(path))) breaches.push(...nodeBehind(path, files));
  }
  return [...breaches, ...crowdedFolders(files), ...cyclesOf(files)];
}

function forbiddenName(path: string): string[] {
  const names = path
    .slice('src/'.length)
    .replace(/\.tsx?$/, '')
    .split('/');
  return names.some((name) => forbiddenNames.includes(name)) ? [`${path} is named after a kind of code`] : [];
}

function crowdedFolders(files: Sources): string[] {
  const counts = new Map<string, number>();
  for (const folder of [...files.keys()].map((path) => dirname(path)))
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  return [...counts]
    .filter(([folder, count]) => count > mostFiles && folder !== uncounted)
    .map(([folder, count]) => `${folder} has ${count} files`);
}

type FunctionLength = Omit<LongFunction, 'reason'>;

function functionsBeyondTheBound(path: string): FunctionLength[] {
  const root = join(import.meta.dirname, '..');
  const words = ['-c', 'test/function-length.json', '--format', 'json', path];
  const { stdout, stderr } = spawnSync(join(root, 'node_modules/.bin/oxlint'), words, { cwd: root, encoding: 'utf8' });
  if (!stdout.startsWith('{')) throw new Error(`oxlint: ${stdout}${stderr}`);
  const report: { diagnostics: { filename: string; message: string }[] } = JSON.parse(stdout);
  return report.diagnostics.map(({ filename, message }) => {
    const [, name = 'anonymous', lines] = /function (?:`(.+)` )?has too many lines \((\d+)\)/.exec(message) ?? [];
    if (!lines) throw new Error(`oxlint: ${message}`);
    return { file: filename, name, lines: Number(lines) };
  });
}

function lengthBreaches(found: readonly FunctionLength[], listed: readonly LongFunction[]): string[] {
  const isSame = (one: FunctionLength, other: FunctionLength) => one.file === other.file && one.name === other.name;
  const grown = found.filter((each) => !listed.some((entry) => isSame(entry, each) && each.lines <= entry.lines));
  const stale = listed.filter((entry) => !found.some((each) => isSame(entry, each)));
  return [
    ...grown.map(({ file, name, lines }) => `${file}: ${name} has ${lines} lines`),
    ...stale.map(({ file, name }) => `${file}: ${name} is short enough now, or gone: remove it from the list`),
  ];
}

/** The files that put the parts together. */
const roots: readonly string[] = ['src/main.ts', 'src/operator.ts', 'src/sources.ts', 'src/host-probe.ts'];
/** Modules that no other command may load. */
const apart: readonly string[] = ['src/tui/main.ts', 'src/mcp/main.ts'];

function forbiddenImports(path: string, imports: readonly Import[]): string[] {
  if (roots.includes(path)) return [];
  const folder = folderOf(path);
  const rule = table[folder];
  if (!rule) return [`${path} is in no folder of the table`];
  return imports
    .filter((one) => !isAllowed(path, folder, rule, one))
    .map((one) => `${path} imports ${nameOf(path, one)}`);
}

function isAllowed(path: string, folder: string, rule: Rule, { specifier, isDynamic }: Import): boolean {
  const target = targetOf(path, specifier);
  if (target && [...roots, ...apart].includes(target) && folder === 'cli') return isDynamic;
  if (target && roots.includes(target)) return false;
  if (target && isBehindTheExecutor(target) && folder !== 'exec') return false;
  if (target) return folderOf(target) === folder || rule.folders.includes(folderOf(target));
  if (specifier.startsWith('node:')) return rule.node && !(folder === 'engine' && http.includes(specifier));
  return rule.packages.includes(packageOf(specifier));
}

function nameOf(path: string, { specifier }: Import): string {
  const target = targetOf(path, specifier);
  if (target && isBehindTheExecutor(target)) return dirname(target).replace('src/', '');
  if (target) return roots.includes(target) ? target.replace('src/', '') : folderOf(target);
  return specifier.startsWith('node:') ? specifier : packageOf(specifier);
}

function isBehindTheExecutor(path: string): boolean {
  return behindTheExecutor.some((folder) => path.startsWith(folder));
}

function nodeBehind(path: string, files: Sources): string[] {
  const seen = new Set([path]);
  for (const file of seen) {
    for (const { specifier } of importsOf(files.get(file) ?? '')) {
      if (specifier.startsWith('node:') && file !== path) return [`${path} reaches ${specifier} through ${file}`];
      const target = targetOf(file, specifier);
      if (target) seen.add(target);
    }
  }
  return [];
}

function cyclesOf(files: Sources): string[] {
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) cycles.push(`import cycle: ${[...trail.slice(trail.indexOf(path)), path].join(' → ')}`);
    if (done.has(path) || trail.includes(path)) return;
    for (const { specifier } of importsOf(files.get(path) ?? '')) {
      const target = targetOf(path, specifier);
      if (target) visit(target, [...trail, path]);
    }
    done.add(path);
  };
  for (const path of files.keys()) visit(path, []);
  return cycles;
}

/** Most files are the same in every test. */
function importsOf(text: string): readonly Import[] {
  const imports = importsIn.get(text) ?? readImports(text);
  importsIn.set(text, imports);
  return imports;
}

/** The formatter puts every import and re-export at the start of a line; import() may be anywhere. */
function readImports(text: string): Import[] {
  const code = text.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, '');
  const fixed = code.matchAll(/^(?:import|export)\b(?:[^;'"]*?\bfrom)?\s*['"]([^'"]+)['"]/gm);
  const dynamic = code.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g);
  return [
    ...[...fixed].map(([, specifier = '']) => ({ specifier, isDynamic: false })),
    ...[...dynamic].map(([, specifier = '']) => ({ specifier, isDynamic: true })),
  ];
}

function targetOf(path: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? posix.join(dirname(path), specifier) : undefined;
}

function folderOf(path: string): string {
  return path.split('/')[1] ?? '';
}

function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}
