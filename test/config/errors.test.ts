import { describe, expect, test } from 'vitest';
import { createProject } from './project.ts';

const errorsOf = (yaml: string) => createProject({ 'flwd.yaml': yaml }).errors();
const passing = (profile: string) => errorsOf(`security: { profiles: { ${profile}: { env_passthrough: [A] } } }`);

test('all errors of a file are reported at once, in order, each with its place', () => {
  expect(
    errorsOf(`instance:
  nme: prod
server:
  bind: 0.0.0.0
  read_timeout: soon
  body_limit: [1]
scheduler: 3
serer: {}
security:
  allow_profiles: [secure, permisive]
`),
  ).toEqual([
    'flwd.yaml:2:3: unknown key `nme`; did you mean `name`?',
    expect.stringMatching(/^flwd\.yaml:4:9: `server\.bind` must be a host and a port/),
    'flwd.yaml:5:17: `server.read_timeout` must be a duration such as `30s` or `1h30m`, from 100ms up to 24h, not `soon`',
    'flwd.yaml:6:15: `server.body_limit` must be a size such as `64KiB` or `1GiB`, from 1KiB up to 256MiB, not the list `1`',
    'flwd.yaml:7:12: `scheduler` must be a map of keys; known: timezone, calendars, schedules_paused, triggers_paused, global_concurrency, job_concurrency, queue',
    'flwd.yaml:8:1: unknown key `serer`; did you mean `server`?',
    'flwd.yaml:10:19: `security.allow_profiles` must be a list, each one of `secure`, `permissive`, `disabled`, not the list `secure, permisive`; did you mean `permissive`?',
  ]);
});

test.each([
  ['brackets', `server:\n  bind: ${'['.repeat(5_000)}`, 'flwd.yaml:2:'],
  ['brackets without end', '['.repeat(1_000_000), 'flwd.yaml:1:'],
  ['maps', `a: ${'{a: '.repeat(5_000)}`, 'flwd.yaml:1:'],
  ['lists', `instance:\n  name:\n    ${'- '.repeat(5_000)}x`, 'flwd.yaml:3:'],
  ['keys', Array.from({ length: 5_000 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join(''), 'flwd.yaml:6'],
])('%s nested in each other thousands of times are an error with its place', (_what, yaml, place) => {
  const errors = errorsOf(yaml);
  expect(errors).toEqual([expect.stringMatching(/^flwd\.yaml:\d+:\d+: the file is nested deeper than 64 levels$/)]);
  expect(errors[0]).toContain(place);
});

test('the error for an unknown key lists all known keys when no known key is similar', () => {
  expect(errorsOf('worker: { zzzzzzzz: 1 }')).toEqual([
    'flwd.yaml:1:11: unknown key `zzzzzzzz`; known: enabled, labels',
  ]);
});

test.each([
  ['server: { bind: 8080 }', 'host and a port'],
  ['server: { bind: "127.0.0.1:65536" }', 'host and a port'],
  ['server: { bind: "[127.0.0.1]:80" }', 'host and a port'],
  ['server: { bind: "http://127.0.0.1:80" }', 'host and a port'],
  ['server: { sync_wait: 25d }', 'up to 24h'],
  ['server: { sync_wait: 60 }', 'a duration'],
  ['server: { body_limit: 1TiB }', 'up to 256MiB'],
  ['server: { body_limit: 64M }', 'up to 256MiB, not `64M`; did you mean `64MiB`?'],
  ['scheduler: { global_concurrency: 0 }', 'an integer from 1 to 10000'],
  ['scheduler: { global_concurrency: "4" }', 'an integer'],
  ['scheduler: { global_concurrency: 1e99 }', 'an integer'],
  ['scheduler: { job_concurrency: 1.5 }', 'an integer'],
  ['persistence: { artifacts: { ttl: 99999999w } }', 'a duration'],
  ['worker: { enabled: yes }', 'true or false'],
  ['instance: { name: "a b" }', 'a name of letters'],
  ['instance: { default_tenant: Ops }', 'lower-case letters'],
  ['instance: { data_dir: [a] }', 'a path'],
  ['security: { paths: /srv }', 'a list, each a path'],
  ['sources: [{ path: ., mountPath: /ops }]', 'the beginning of job ids'],
  ['sources: [{ path: ., mountPath: ops/../x }]', 'the beginning of job ids'],
  ['aliases: [{ from: a, to: "b c" }]', 'a job id'],
  ['remotes: { prod: { base_url: "ftp://x" } }', 'a URL'],
  ['security: { profiles: { permissive: { env_passthrough: [FLWD_TOKEN] } } }', 'does not begin with FLWD_'],
  ['server: { cors_origins: ["*"] }', 'an origin such as'],
  ['server: { cors_origins: "*" }', '`*` is not supported'],
  ['server: { cors_origins: ["https://*.example.org"] }', 'an origin such as'],
  ['server: { cors_origins: ["null"] }', 'an origin such as'],
  ['server: { cors_origins: ["https://a.example/console"] }', 'without a path'],
  ['server: { cors_origins: ["https://u@a.example"] }', 'an origin such as'],
  ['server: { cors_origins: ["a.example"] }', 'an origin such as'],
  ['server: { cors_origins: ["file://a"] }', 'an origin such as'],
  ['server: { trust_proxy: 10.0.0.1 }', '`true`, `false` or a list of addresses'],
  ['server: { trust_proxy: [proxy.example.org] }', 'a list of addresses and ranges'],
  ['server: { trust_proxy: ["10.0.0.0/0"] }', 'a list of addresses and ranges'],
  ['server: { trust_proxy: ["10.0.0.0/33"] }', 'a list of addresses and ranges'],
  ['server: { trust_proxy: ["10.0.0.256"] }', 'a list of addresses and ranges'],
  ['server: { trust_proxy: [] }', 'a list of addresses and ranges'],
  ['sources: ./jobs', '`sources` must be a list of maps such as `{path: ./jobs}`'],
  ['port: 8080', 'unknown key `port`; write `server: {bind: 127.0.0.1:8080}`'],
  ['server: { port: 8080 }', 'unknown key `port`; write `server: {bind: 127.0.0.1:8080}`'],
  ['jobs: ./jobs', 'unknown key `jobs`; write `sources: [{path: ./jobs}]`'],
  ['data_dir: /srv/flwd', 'unknown key `data_dir`; did you mean `instance.data_dir`?'],
  ['allow_paths: [/srv]', 'unknown key `allow_paths`; write `security: {paths: [/srv/data]}`'],
  ['notify: { email: ops@example.org }', 'unknown key `email`; write `notify: {smtp: {url: smtp://HOST, from: SENDER}'],
  ['sources: [jobs]', '`sources[0]` must be a map of keys'],
  ['scheduler: { calendars: { far: ["9998-12-31"] } }', 'at most 50 years ahead'],
  ['scheduler: { calendars: { off: ["2026-12-24", "25.12.2026"] } }', 'iCalendar file; `off` has `25.12.2026`'],
  [
    'scheduler: { calendars: { 2026-12-24: ["2026-12-24"] } }',
    'iCalendar file; `2026-12-24` cannot be the name of a calendar',
  ],
  ['scheduler: { calendars: { file: 7 } }', 'or the path of an iCalendar file'],
  ['remotes: [a]', '`remotes` must be a map of keys'],
  ['- a', 'the file must be a map of sections'],
])('%s is an error of one line', (yaml, message) => {
  const errors = errorsOf(yaml);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(/^flwd\.yaml:1:\d+: /);
  expect(errors[0]).toContain(message);
});

test.each([
  ['text that is no YAML', 'server: {bind: [', /^flwd\.yaml:1:\d+: /],
  ['a tab for indentation', 'server:\n\tbind: x', /^flwd\.yaml:2:1: /],
  [
    'a key that is there twice',
    'server: {}\nserver: {}',
    /^flwd\.yaml:2:1: `server` occurs twice, first on line 1: merge the two$/,
  ],
  ['an alias without an anchor', 'server: *nothing', /^flwd\.yaml:1:9: there is no anchor &nothing before this alias/],
  ['a tag', 'instance: { name: !secret x }', /^flwd\.yaml:1:19: .*!secret/],
  ['two documents', 'server: {}\n---\nserver: {}', /^flwd\.yaml:2:1: there is more than one document/],
])('%s is an error with its place', (_what, yaml, message) => {
  expect(errorsOf(yaml)[0]).toMatch(message);
});

test('an anchor that contains itself does no harm', () => {
  expect(errorsOf('worker: &w { labels: *w }')).toHaveLength(1);
  expect(errorsOf('remotes: &r { prod: *r }')[0]).toMatch(/^flwd\.yaml:1:/);
});

describe('keys for later versions', () => {
  test.each([
    [
      'persistence: { blobs: { store: s3 } }',
      '`persistence.blobs.store` with `s3` is not supported yet: this version stores blobs in files',
    ],
    [
      'security: { profiles: { secure: { network: all } } }',
      '`security.profiles.secure.network` with `all` is not supported yet',
    ],
    ['worker: { enabled: false }', '`worker.enabled` with `false` is not supported yet'],
    [
      'container: { runtime: podman }',
      '`container.runtime` with `podman` is not supported yet: this version has no container executor',
    ],
  ])('%s is refused with the name of the key', (yaml, message) => {
    const errors = errorsOf(yaml);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(message);
  });

  test('are accepted with their default values', () => {
    expect(
      errorsOf(`
auth: { mode: auto }
server: { cors_origins: [], trust_proxy: false }
persistence: { blobs: { store: file } }
security: { profiles: { secure: { network: none, filesystem: workspace }, disabled: { network: all } } }
scheduler: { queue: { default_weight: 1, weights: {} } }
worker: { enabled: true }
container: { runtime: auto }
`),
    ).toEqual([]);
  });

  test('a database URL is refused without showing it', () => {
    const errors = errorsOf('persistence: { url: "postgres://u:hunter2@h/db" }');
    expect(errors).toEqual([
      'flwd.yaml:1:21: `persistence.url` is not supported yet: this version keeps its data in SQLite',
    ]);
    expect(errorsOf('persistence: { url: "mysql://u:hunter2@h/db" }')[0]).not.toContain('hunter2');
  });
});

describe('rules between keys', () => {
  test.each(['0.0.0.0:8080', '192.168.0.7:8080', '"[::]:8080"', 'flwd.example.org:8080', 'localhost.example.org:8080'])(
    'binding to %s is accepted, but not with --dev',
    (bind) => {
      const project = createProject({ 'flwd.yaml': `server: { bind: ${bind} }` });
      expect(project.errors()).toEqual([]);
      expect(project.errors({ dev: true })).toEqual([
        expect.stringMatching(
          /^flwd\.yaml:1:17: .* can be reached from other machines, but --dev is only for loopback$/,
        ),
      ]);
    },
  );

  test.each(['127.0.0.1:0', '127.8.8.8:80', 'localhost:80', '"[::1]:80"'])(
    'binding to %s is accepted even with --dev',
    (bind) => {
      expect(createProject({ 'flwd.yaml': `server: { bind: ${bind} }` }).errors({ dev: true })).toEqual([]);
    },
  );

  test.each(['cert_file', 'key_file'])('`tls.%s` alone is an error, because both files are needed', (name) => {
    const other = name === 'cert_file' ? 'key_file' : 'cert_file';
    expect(errorsOf(`server: { tls: { ${name}: a.pem } }`)).toEqual([
      `flwd.yaml:1:${20 + name.length}: \`server.tls.${name}\` also needs \`server.tls.${other}\``,
    ]);
  });

  test('the default profile must be one that `allow_profiles` lists', () => {
    expect(errorsOf('security: { default_profile: disabled }')).toEqual([
      'flwd.yaml:1:30: `disabled` is not among `security.allow_profiles`',
    ]);
    expect(createProject().errors({ profile: 'disabled' })).toEqual([
      '--profile: `disabled` is not among `security.allow_profiles`',
    ]);
  });

  test('only the profile permissive can pass variables of the server to jobs', () => {
    expect(passing('secure')[0]).toContain('`secure` always has a clean environment');
    expect(passing('disabled')[0]).toContain('`disabled` has the server’s environment anyway');
    expect(passing('permissive')).toEqual([]);
  });

  test('a rate window needs a limit', () => {
    expect(errorsOf('security: { profiles: { secure: { rate_limit: { window: 2s } } } }')).toEqual([
      'flwd.yaml:1:57: `window` also needs `limit`',
    ]);
  });

  test('a profile must have one of the three known names', () => {
    expect(errorsOf('security: { profiles: { secur: {} } }')).toEqual([
      'flwd.yaml:1:25: unknown name `secur`; did you mean `secure`?',
    ]);
  });

  test('an alias needs both names, and its name must be unique', () => {
    expect(errorsOf('aliases:\n  - { from: a }\n  - { from: a, to: x }\n  - { from: b, to: x }\n')).toEqual([
      'flwd.yaml:2:5: `aliases[0].to` is missing',
      'flwd.yaml:4:20: another alias has the name `x`',
    ]);
  });
});
