import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createProject } from './project.ts';

describe('the default source', () => {
  test('is ./jobs if it exists, otherwise the current folder', () => {
    expect(createProject({ 'jobs/': '' }).load().config.sources).toMatchObject([{ displayPath: './jobs' }]);
    const { dir, load } = createProject();
    expect(load().config.sources).toMatchObject([{ name: 'local-fs', path: dir, displayPath: '.' }]);
  });

  test('is ./jobs even before it exists if the data dir is in the current folder', () => {
    const { dir, load } = createProject();
    expect(load({ dataDir: 'data' })).toMatchObject({
      config: { sources: [{ name: 'local-fs', path: join(dir, 'jobs'), displayPath: './jobs' }] },
      warnings: [
        '--data-dir: there is no folder ./jobs, so the jobs of this source cannot run until the folder exists; flwd does not look in ., which contains the data dir',
      ],
    });
  });

  test('is searched beside flwd.yaml if there is one', () => {
    const { dir, load } = createProject({ 'etc/flwd.yaml': '', 'etc/jobs/': '', 'jobs/': '' });
    expect(load({ config: 'etc/flwd.yaml' }).config.sources).toMatchObject([{ path: join(dir, 'etc/jobs') }]);
  });

  test('is not used if flwd.yaml has an empty list of sources', () => {
    expect(createProject({ 'flwd.yaml': 'sources: []', 'jobs/': '' }).load().config.sources).toEqual([]);
  });
});

test('--jobs replaces all sources; each is named after its folder', () => {
  const { dir, load } = createProject({
    'flwd.yaml': 'sources: [{ name: x, path: a, trusted: false }]',
    'a/jobs/': '',
    'b/jobs/': '',
    'c d/': '',
  });
  expect(load({ jobs: ['a/jobs', 'b/jobs/', 'c d'] }).config.sources).toMatchObject([
    { name: 'jobs', path: join(dir, 'a/jobs'), displayPath: 'a/jobs', trusted: true },
    { name: 'jobs-2', path: join(dir, 'b/jobs') },
    { name: 'c-d', path: join(dir, 'c d') },
  ]);
});

test('a folder that flwd.yaml names may be created later, but a folder that --jobs names must exist', () => {
  const { dir, load } = createProject({ 'flwd.yaml': 'sources:\n  - path: ./nowhere\n' });
  expect(load()).toMatchObject({
    config: { sources: [{ path: join(dir, 'nowhere') }] },
    warnings: [
      'flwd.yaml:2:11: there is no folder ./nowhere, so the jobs of this source cannot run until the folder exists',
    ],
  });
  expect(createProject({ 'flwd.yaml': 'sources: [{ path: ./flwd.yaml }]\n' }).errors()).toEqual([
    'flwd.yaml:1:19: ./flwd.yaml is not a folder',
  ]);
  expect(createProject().errors({ jobs: ['typo'] })).toEqual(['--jobs: there is no folder typo']);
});

test('two sources with one name are an error that names both places', () => {
  const { errors } = createProject({ 'flwd.yaml': 'sources:\n  - { name: a, path: . }\n  - { name: a, path: . }\n' });
  expect(errors()).toEqual(['flwd.yaml:3:13: another source has the name `a` (flwd.yaml:2:5): give each its own name']);
});

test('git and OCI sources are refused as not supported yet, without further errors', () => {
  const { errors } = createProject({
    'flwd.yaml':
      'sources:\n  - { type: git, url: https://example.org/jobs.git, ref: main }\n  - { type: oci, image: x }\n',
  });
  expect(errors()).toEqual([
    'flwd.yaml:2:13: sources of type `git` are not supported yet: clone the repository, and name the folder in `path`',
    'flwd.yaml:3:13: sources of type `oci` are not supported yet: copy the jobs out of the image, and name the folder in `path`',
  ]);
});

test('a key for another type of source is an error', () => {
  const { errors } = createProject({
    'flwd.yaml': 'sources:\n  - path: .\n    url: https://example.org\n    subdir: x\n',
  });
  expect(errors()).toEqual([
    'flwd.yaml:3:10: `url` is only for sources of type git, but this one has the type fs',
    'flwd.yaml:4:13: `subdir` is only for sources of type git or oci, but this one has the type fs',
  ]);
});

describe('a source with `trusted: false`', () => {
  const folders = ['1', '2', '3', '4'];
  const load = (...sources: readonly string[]) =>
    createProject({
      ...Object.fromEntries(folders.map((name) => [`${name}/`, ''])),
      'flwd.yaml': `sources:\n${sources.map((one, at) => `  - { path: '${folders[at]}', ${one} }\n`).join('')}`,
    });
  const refusals = (...sources: readonly string[]) => load(...sources).errors();

  test('may use nothing beyond its own runs unless the entry allows it', () => {
    const mayUse = {
      secrets: [],
      schedules: false,
      webhooks: false,
      notify: false,
      calls: 'own',
      triggers: 'own',
      kv: [],
    };
    expect(load('trusted: false, mountPath: ext').load().config.sources).toMatchObject([{ trusted: false, mayUse }]);
    const uses =
      'secrets: [a-key], schedules: true, webhooks: true, notify: true, calls: [jobs], triggers: all, kv: [shop/orders]';
    const two = load('name: jobs', `name: ext, trusted: false, mountPath: ext, ${uses}`).load().config.sources;
    expect(two[1]?.mayUse).toEqual({
      secrets: ['a-key'],
      schedules: true,
      webhooks: true,
      notify: true,
      calls: ['jobs'],
      triggers: 'all',
      kv: ['shop/orders'],
    });
    expect(two[0]).not.toHaveProperty('mayUse');
    const all = load('trusted: false, mountPath: ext, calls: all').load().config.sources;
    expect(all[0]?.mayUse?.calls).toBe('all');
  });

  test('needs a `mountPath` of its own', () => {
    const alone =
      'a source with `trusted: false` needs a `mountPath` of its own, so that its jobs cannot take the ids of others';
    expect(refusals('trusted: false')).toEqual([`flwd.yaml:2:5: ${alone}`]);
    expect(refusals('trusted: false, mountPath: .')).toEqual([`flwd.yaml:2:45: ${alone}`]);
    const shared = (path: string, how: string, name: string) =>
      `the \`mountPath\` of a source with \`trusted: false\` must be its own, and \`${path}\` is ${how} that of the source \`${name}\``;
    const x = 'name: x, trusted: false, mountPath: ext';
    expect(refusals('name: a, mountPath: ext', x)).toEqual([`flwd.yaml:3:54: ${shared('ext', 'also', 'a')}`]);
    expect(refusals('name: a, trusted: false, mountPath: ext/x', x)).toEqual([
      `flwd.yaml:2:54: ${shared('ext/x', 'inside', 'x')}`,
    ]);
    expect(refusals('name: a, mountPath: ext/x', 'name: b', 'name: c, mountPath: e', x)).toEqual([]);
  });

  test('must not be inside the folder of a trusted source, which would run the jobs as its own', () => {
    const refusals = (trusted: string, untrusted: string) => {
      const project = createProject({
        'jobs/ext/': '',
        'jobs/.ext/': '',
        'other/': '',
        'flwd.yaml': `sources: [{ name: a, path: ${trusted} }, { path: ${untrusted}, mountPath: ext, trusted: false }]`,
      });
      symlinkSync(join(project.dir, 'jobs/ext'), join(project.dir, 'link'));
      return project.errors();
    };
    const shares = [
      expect.stringContaining(
        'must not share a folder with a trusted one, and this one shares files with the source `a`',
      ),
    ];
    expect(refusals('jobs', 'jobs')).toEqual(shares);
    expect(refusals('jobs', 'jobs/ext')).toEqual(shares);
    expect(refusals('jobs', 'link')).toEqual(shares);
    expect(refusals('jobs/ext', 'jobs')).toEqual(shares);
    expect(refusals('jobs', 'jobs/.ext')).toEqual([]);
    expect(refusals('jobs', 'jobs/later')).toEqual(shares);
    expect(refusals('jobs', 'link/later')).toEqual(shares);
    expect(refusals('jobs', 'other')).toEqual([]);
  });

  test('is the only kind of source that may have the keys for untrusted sources', () => {
    const only = 'is only for sources with `trusted: false`: the jobs of a trusted source may use everything';
    expect(refusals('secrets: [a], schedules: false, webhooks: true, notify: true, calls: own, kv: []')).toEqual(
      ['secrets', 'schedules', 'webhooks', 'notify', 'calls', 'kv'].map((name) =>
        expect.stringContaining(`\`${name}\` ${only}`),
      ),
    );
  });

  test('may only list existing sources under `calls`', () => {
    expect(refusals('trusted: false, mountPath: ext, calls: [jobz]')).toEqual([
      'flwd.yaml:2:57: `calls` names the source `jobz`, which does not exist',
    ]);
    expect(refusals('trusted: false, mountPath: ext, calls: some')[0]).toContain('must be `own`, `all`, or a list');
  });
});

test('a source without a folder is an error', () => {
  expect(createProject({ 'flwd.yaml': 'sources:\n  - name: a\n' }).errors()).toEqual([
    'flwd.yaml:2:5: `sources[0].path` is missing',
  ]);
});

test('the data dir may be in a dot folder of a source, but not where flwd searches for jobs', () => {
  const { errors } = createProject({ 'jobs/': '' });
  expect(errors({ jobs: ['.'], dataDir: '.flwd' })).toEqual([]);
  expect(errors({ jobs: ['jobs'], dataDir: 'data' })).toEqual([]);
  expect(errors({ jobs: ['.'], dataDir: 'data' })).toEqual([
    '--jobs: the data dir is inside ., the folder in which flwd looks for jobs: move the data dir, or put the jobs into a folder of their own',
  ]);
});
