// A run and its entry in the audit log are stored together or not at all, and the entry explains the rights of the run.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect } from 'vitest';
import { createInstance } from '../cli/an-instance.ts';
import { auditEntries, createFolder, flwd, start } from '../cli/terminal.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';

testWith('bwrap')('after a SIGKILL, every acknowledged run has its audit entry, and every entry its run', async () => {
  const instance = await createInstance({ quick: bash('true') });
  const { child, ended, prints } = start(instance.dir, ['serve']);
  const [, url] = await prints(/listening on (\S+)/);
  await expect.poll(async () => (await fetch(`${url}/api/v1/jobs/quick`)).status).toBe(200);
  const acknowledged: string[] = [];
  const client = async (): Promise<void> => {
    for (;;) {
      const answer = await fetch(`${url}/api/v1/runs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"job_id": "quick"}',
      });
      const { run_id: runId }: { run_id: string } = JSON.parse(await answer.text());
      if (answer.status === 201) acknowledged.push(runId);
    }
  };
  const clients = Array.from({ length: 4 }, () => client().catch(() => undefined));
  await expect.poll(() => acknowledged.length, { interval: 5 }).toBeGreaterThan(30);
  child.kill('SIGKILL');
  await ended;
  await Promise.all(clients);

  const entered = (await auditEntries(instance.dir, '--action', 'run.create')).map(({ object }) => object?.id);
  expect(entered).toEqual(expect.arrayContaining(acknowledged));
  const file = new DatabaseSync(join(instance.dataDir, 'flwd.db'));
  const stored = file.prepare('SELECT id FROM runs').all();
  file.close();
  expect(new Set(entered)).toEqual(new Set(stored.map(({ id }) => id)));
  expect(entered).toHaveLength(stored.length);
  expect(await flwd(instance.dir, 'audit', 'verify')).toMatchObject({ code: 0 });
});

describe('the audit entry of a run', () => {
  const test = testWith('bwrap');

  test('says who chose the profile, what was granted beyond it, and what allowed each grant', async () => {
    const shared = createFolder();
    mkdirSync(join(shared, 'data'));
    const jobs = {
      plain: bash('true'),
      loose: bash('true', { security_profile: 'permissive' }),
      bare: bash('true', { security_profile: 'disabled' }),
      granted: bash('true', {
        permissions: {
          network: 'all',
          read: ['/etc/ssl', join(shared, 'data')],
          write: [{ arg: 'target' }],
          resources: { memory: '64MiB', pids: 32 },
        },
        argspec: { type: 'object', properties: { target: { type: 'string' } } },
      }),
    };
    const { dir, serve } = await createInstance(jobs, {
      security: { paths: [shared], allow_profiles: ['secure', 'permissive', 'disabled'] },
    });
    const served = await serve();
    const detailOf = async (runId: string) => (await auditEntries(dir, '--object', runId))[0]?.detail;
    const post = async (body: object): Promise<string> => {
      const answer = await served.fetch('/runs', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      const { run_id: runId }: { run_id: string } = JSON.parse(await answer.text());
      return runId;
    };

    const about = { source: 'local-fs', trigger: 'api' };
    expect(await detailOf(await post({ job_id: 'plain' }))).toEqual({
      ...about,
      job_id: 'plain',
      profile: 'secure',
      profile_from: 'instance',
    });
    expect(await detailOf(await post({ job_id: 'loose' }))).toEqual({
      ...about,
      job_id: 'loose',
      profile: 'permissive',
      profile_from: 'job',
    });
    expect(await detailOf(await post({ job_id: 'bare' }))).toMatchObject({ profile: 'disabled', profile_from: 'job' });
    expect(await detailOf(await post({ job_id: 'loose', security_profile: 'secure' }))).toEqual({
      ...about,
      job_id: 'loose',
      profile: 'secure',
      profile_from: 'caller',
      asked: { profile: 'secure' },
    });
    const leave = ['security.profiles.secure.may_grant', "the source 'local-fs' is trusted"];
    expect(await detailOf(await post({ job_id: 'granted', args: { target: join(shared, 'data') } }))).toEqual({
      ...about,
      job_id: 'granted',
      profile: 'secure',
      profile_from: 'instance',
      asked: {
        network: 'all',
        read: ['/etc/ssl', join(shared, 'data')],
        write: [{ arg: 'target' }],
        memory: '64MiB',
        pids: 32,
      },
      grants: [
        { kind: 'network', because: leave },
        { kind: 'read', path: '/etc/ssl', because: ['every secure sandbox sees it'] },
        { kind: 'read', path: join(shared, 'data'), because: [...leave, `security.paths: ${shared}`] },
        { kind: 'write', path: join(shared, 'data'), because: [...leave, `security.paths: ${shared}`] },
      ],
    });
    await served.stop();
  });

  test('gives the reason why policy refused the run, for every way to start a run', async () => {
    const jobs = {
      bare: bash('true', { security_profile: 'disabled' }),
      reads: bash('true', { permissions: { read: ['/root'] } }),
      parent: { 'config.yaml': JSON.stringify({ steps: [{ id: 'child', job: 'reads' }] }) },
    };
    const { dir, serve } = await createInstance(jobs);
    const served = await serve();
    await served.start('bare');
    await served.start('reads');
    await served.fetch('/runs', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"job_id": "reads", "security_profile": "permissive"}',
    });
    const { run_id: parentId } = await served.run('parent');
    const refused = async () =>
      (await auditEntries(dir, '--action', 'run.create', '--result', 'refused')).map(
        ({ actor, reason, object, detail }) => ({
          actor: actor.kind,
          reason,
          object,
          ...detail,
        }),
      );
    const allowed =
      "This instance allows the profiles secure, permissive, but not 'disabled': add it to security.allow_profiles in flwd.yaml, unless it is there already (flwd config show names the file). Then restart the server, which reads the file only when it starts.";
    const object = { kind: 'run', id: null };
    const about = { object, source: 'local-fs' };
    await expect.poll(refused).toEqual(
      expect.arrayContaining([
        {
          ...about,
          actor: 'local',
          reason: 'profile-not-allowed',
          job_id: 'bare',
          profile: 'disabled',
          profile_from: 'job',
          trigger: 'api',
          message: allowed,
        },
        {
          ...about,
          actor: 'local',
          reason: 'grant-not-allowed',
          job_id: 'reads',
          profile: 'secure',
          profile_from: 'instance',
          asked: { read: ['/root'] },
          trigger: 'api',
          message:
            "'/root' is not below any folder in security.paths: add security: {paths: [/root]} to flwd.yaml, unless it is there already (flwd config show names the file). Then restart the server, which reads the file only when it starts.",
        },
        expect.objectContaining({
          reason: 'profile-not-allowed',
          job_id: 'reads',
          profile: 'permissive',
          profile_from: 'caller',
        }),
        expect.objectContaining({
          actor: 'local',
          reason: 'grant-not-allowed',
          job_id: 'reads',
          trigger: 'job',
          parent: { run_id: parentId, step_id: 'child' },
        }),
      ]),
    );
    await served.stop();
  });

  test('says from which run a rerun or a sub-run comes', async () => {
    const jobs = {
      quick: bash('true'),
      parent: { 'config.yaml': JSON.stringify({ steps: [{ id: 'child', job: 'quick' }] }) },
    };
    const { dir, serve } = await createInstance(jobs);
    const served = await serve();
    const { run_id: parentId } = await served.run('parent');
    const again = await served.fetch(`/runs/${parentId}/rerun`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    const { run_id: rerunId }: { run_id: string } = JSON.parse(await again.text());
    await served.finished(rerunId);
    const rows = await auditEntries(dir, '--action', 'run.create');
    expect(rows.map(({ object, detail }) => [object?.id, detail?.trigger, detail?.rerun_of, detail?.parent])).toEqual([
      [expect.any(String), 'job', undefined, { run_id: rerunId, step_id: 'child' }],
      [rerunId, 'rerun', parentId, undefined],
      [expect.any(String), 'job', undefined, { run_id: parentId, step_id: 'child' }],
      [parentId, 'api', undefined, undefined],
    ]);
    await served.stop();
  });
});
