// One plan on different hosts. Policy is decided once, and each host decides whether and how it can carry out the plan.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { createCatalog } from '../../src/catalog/catalog.ts';
import { noResources } from '../../src/domain/resources.ts';
import { ground, type Host } from '../../src/engine/plan/ground.ts';
import { type Plan, planRun } from '../../src/engine/plan/plan.ts';
import type { Capabilities } from '../../src/exec/executor.ts';
import type { LimitHost } from '../../src/exec/host/limit-host.ts';
import { openForkServer } from '../../src/exec/proc/fork-server.ts';
import { createProcExecutor } from '../../src/exec/proc/proc-executor.ts';
import { bash, type JobConfig, writeJob } from '../support/jobs.ts';
import { dataFolder } from './an-engine.ts';

const able = { available: true, detail: null };
const unable = { available: false, detail: 'bubblewrap is not installed: apt-get install bubblewrap' };
const none = { by: 'none', detail: 'not in this test' } as const;

/** A plan of a job, and hosts to check it against. */
async function setUp(permissions: JobConfig, root = dataFolder()) {
  await writeJob(join(root, 'jobs', 'reader'), bash(':', { permissions }));
  const path = join(root, 'jobs');
  const source = { name: 'local-fs', type: 'fs', path, mountPath: '.', watch: false, trusted: true } as const;
  const catalog = createCatalog({ sources: [source], aliases: [], exclude: [], log: pino({ level: 'silent' }) });
  await catalog.start();
  const forkServer = openForkServer(join(root, 'pipes'));
  onTestFinished(async () => {
    await catalog.close();
    await forkServer.close();
  });
  const plan = await planRun(
    catalog.find('reader'),
    { job_id: 'reader', tenant: 'default' },
    {
      catalog,
      policy: {
        defaultProfile: 'secure',
        allowProfiles: ['secure'],
        paths: [],
        runAs: [],
        trustsJobs: false,
        mayGrant: () => ['read'],
        runTimeoutMs: () => null,
        resources: () => noResources,
      },
      storedSecret: async () => '',
    },
  );
  const host = (o: { secure?: Capabilities['secure']; memory?: LimitHost['memory']; paths?: string[] }): Host => {
    const capabilities = { secure: o.secure ?? able, permissive: able, disabled: able };
    const limitHost = { cpu: none, memory: o.memory ?? none, pids: none };
    const executor = createProcExecutor({ capabilities, limitHost, forkServer });
    return { executor, paths: o.paths ?? [], masked: () => [] };
  };
  return { plan, host };
}

function reasonsOf({ denials }: Plan): string[] {
  return denials.map(({ message }) => message);
}

test('a plan is denied on a host that cannot enforce its profile, and allowed on a host that can', async () => {
  const { plan, host } = await setUp({});
  expect(reasonsOf(plan)).toEqual([]);
  expect((await ground(plan, host({}))).denied).toBeNull();
  expect((await ground(plan, host({ secure: unable }))).denied).toMatchObject({
    slug: 'isolation-unavailable',
    message: "This host cannot enforce 'secure': bubblewrap is not installed: apt-get install bubblewrap",
  });
});

test('a path is granted on a host that allows the folder it is in', async () => {
  const root = dataFolder();
  const path = join(root, 'data');
  const { plan, host } = await setUp({ read: [path] }, root);
  expect(plan.wantedPaths).toEqual([{ kind: 'read', shown: path, arg: null }]);
  await expect(ground(plan, host({ paths: [root] }))).rejects.toMatchObject({ slug: 'validation-error' });
  writeFileSync(path, '');
  const grants = [{ kind: 'read', path }];
  expect(await ground(plan, host({ paths: [root] }))).toMatchObject({ read: [path], grants, denied: null });
  const refused = await ground(plan, host({ paths: ['/srv'] }));
  expect(refused).toMatchObject({ read: [], grants: [], denied: { slug: 'grant-not-allowed' } });
});

test('all paths outside of security.paths are refused in one answer', async () => {
  const { plan, host } = await setUp({ read: ['/mnt/a', '/srv/fine', '/mnt/b', '/mnt/a/../a'] });
  expect((await ground(plan, host({ paths: ['/srv'] }))).denied?.message).toMatch(
    /^'\/mnt\/a', '\/mnt\/b'.* are not below any folder .*: add security: \{paths: \[\/mnt\/a, \/mnt\/b.*\]\} to flwd\.yaml/,
  );
});

test('a permissive job needs permission only for paths that its own /tmp and /run would hide', async () => {
  const root = dataFolder();
  const path = join(root, 'data');
  writeFileSync(path, '');
  const { plan, host } = await setUp({ read: [path, '/etc/passwd'] }, root);
  const permissive = { ...plan, profile: 'permissive' as const };
  expect(await ground(permissive, host({ paths: [root] }))).toMatchObject({ read: [path], denied: null });
  expect(await ground(permissive, host({}))).toMatchObject({ read: [], denied: { slug: 'grant-not-allowed' } });
});

test('if the instance does not limit memory, a host that can enforce such a limit sets its own', async () => {
  const { plan, host } = await setUp({ resources: { memory: '999GiB' } });
  expect(plan.resources.memoryBytes).toBe(999 * 2 ** 30);
  expect((await ground(plan, host({}))).resources.memoryBytes).toBe(999 * 2 ** 30);
  const counted = await ground(plan, host({ memory: { by: 'cgroup-v2', dir: '/sys/fs/cgroup' } }));
  expect(counted.denied?.message).toMatch(
    /^The job asks for memory of 999GiB .* but this host allows a run at most \d+/,
  );
});
