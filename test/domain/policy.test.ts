import { describe, expect, test } from 'vitest';
import {
  checkPath,
  chooseHostMemory,
  chooseNetwork,
  chooseProfile,
  chooseResources,
  chooseUser,
  outsideRefusal,
} from '../../src/domain/policy.ts';
import { noResources, type Resources } from '../../src/domain/resources.ts';

describe('the profile of a run', () => {
  const choose = (wanted: Partial<Parameters<typeof chooseProfile>[0]>) =>
    chooseProfile({
      job: null,
      instance: 'secure',
      requested: undefined,
      allowed: ['secure', 'permissive'],
      trusted: true,
      ...wanted,
    });
  const refused = (message: string) =>
    expect.objectContaining({ slug: 'profile-not-allowed', message: expect.stringContaining(message) });

  test('is the job’s, or the instance’s when the job does not name one', () => {
    expect(choose({ job: 'permissive' })).toBe('permissive');
    expect(choose({})).toBe('secure');
  });

  test('may be tightened by the caller', () => {
    expect(choose({ job: 'permissive', requested: 'secure' })).toBe('secure');
  });

  test('is never loosened by the caller', () => {
    expect(() => choose({ requested: 'permissive' })).toThrow(refused('is looser'));
  });

  test('must be one that the instance allows', () => {
    expect(() => choose({ job: 'disabled' })).toThrow(
      refused("allows the profiles secure, permissive, but not 'disabled': add it to security.allow_profiles"),
    );
    expect(() => choose({ job: 'disabled', trusted: false })).toThrow(refused('security.allow_profiles'));
  });

  test('is always `secure` when the job’s source is not trusted', () => {
    const message =
      "The job's source is not trusted (trusted: false in flwd.yaml), so its jobs can only run as 'secure', and this one would run as 'permissive'.";
    expect(() => choose({ job: 'permissive', trusted: false })).toThrow(refused(message));
    expect(() => choose({ instance: 'permissive', trusted: false })).toThrow(refused(message));
    expect(choose({ job: 'permissive', requested: 'secure', trusted: false })).toBe('secure');
    expect(choose({ trusted: false })).toBe('secure');
  });
});

describe('the limits of a run', () => {
  const choose = (asked: Partial<Resources>, ceilings: Partial<Resources>) =>
    chooseResources({
      profile: 'secure',
      asked: { ...noResources, ...asked },
      ceilings: { ...noResources, ...ceilings },
    });

  test('are what the job asks for, otherwise what the instance sets', () => {
    expect(choose({ cpu: 0.5 }, { cpu: 2, pids: 100 })).toEqual({
      cpu: 0.5,
      pids: 100,
      memoryBytes: null,
      workspaceBytes: null,
    });
  });

  test('may be asked for up to the limits of the instance', () => {
    const ceilings = { pids: 100, memoryBytes: 4_096 };
    expect(choose({ pids: 100, memoryBytes: 4_096 }, ceilings)).toMatchObject(ceilings);
  });

  test('of memory are at most the host’s default when the instance sets no limit', () => {
    const onHost = (askedBytes: number | null) =>
      chooseHostMemory({ profile: 'secure', askedBytes, hostBytes: 2 ** 30 });
    expect(onHost(null)).toBe(2 ** 30);
    expect(onHost(2 ** 29)).toBe(2 ** 29);
    expect(() => onHost(999 * 2 ** 30)).toThrow(
      expect.objectContaining({
        slug: 'grant-not-allowed',
        message:
          'The job asks for memory of 999GiB in permissions.resources, but this host allows a run at most 1GiB; security.profiles.secure.resources.memory sets another limit.',
      }),
    );
  });

  test.each([
    [{ cpu: 2.5 }, { cpu: 2 }, 'cpu of 2.5', 'resources.cpu is 2.'],
    [{ pids: 101 }, { pids: 100 }, 'pids of 101', 'resources.pids is 100.'],
    [{ memoryBytes: 2 ** 31 }, { memoryBytes: 2 ** 30 }, 'memory of 2GiB', 'resources.memory is 1GiB.'],
    [{ workspaceBytes: 2 ** 31 }, { workspaceBytes: 2 ** 30 }, 'workspace of 2GiB', 'resources.workspace is 1GiB.'],
  ])('may not be %j when the instance allows %j', (asked, ceilings, what, where) => {
    expect(() => choose(asked, ceilings)).toThrow(
      expect.objectContaining({
        slug: 'grant-not-allowed',
        message: `The job asks for ${what} in permissions.resources, but security.profiles.secure.${where}`,
      }),
    );
  });
});

describe('the network of a run', () => {
  test('is off for a secure job that does not ask for it', () => {
    expect(chooseNetwork({ profile: 'secure', asked: null, mayGrant: ['network'], trusted: true })).toBe('none');
  });

  test('is granted to a secure job of a trusted source where the instance may grant it', () => {
    expect(chooseNetwork({ profile: 'secure', asked: 'all', mayGrant: ['network'], trusted: true })).toBe('all');
  });

  test.each([
    ['the source is not trusted', { mayGrant: ['network'] as const, trusted: false }],
    ['the instance does not grant it', { mayGrant: [] as const, trusted: true }],
  ])('is refused when %s', (_, leave) => {
    expect(() => chooseNetwork({ profile: 'secure', asked: 'all', ...leave })).toThrow(
      expect.objectContaining({ slug: 'grant-not-allowed' }),
    );
  });

  test('can be turned off by a permissive job', () => {
    expect(chooseNetwork({ profile: 'permissive', asked: 'none', mayGrant: [], trusted: true })).toBe('none');
  });
});

test('a job runs as the user it names only if its source is trusted, the operator lists the user, and it is not root', () => {
  const allowed = ['backup'];
  expect(chooseUser({ asked: null, allowed, trusted: false })).toBeNull();
  expect(chooseUser({ asked: 'backup', allowed, trusted: true })).toBe('backup');
  const refused = (part: string) =>
    expect.objectContaining({ slug: 'grant-not-allowed', message: expect.stringContaining(part) });
  expect(() => chooseUser({ asked: 'backup', allowed, trusted: false })).toThrow(refused('is not trusted'));
  expect(() => chooseUser({ asked: 'postgres', allowed, trusted: true })).toThrow(refused('security.run_as'));
  expect(() => chooseUser({ asked: 'root', allowed: ['root'], trusted: true })).toThrow(refused('disabled'));
});

describe('a path that a secure job asks for', () => {
  const leave = {
    profile: 'secure',
    mayGrant: ['read', 'write'],
    trusted: true,
    paths: ['/srv/data'],
    masked: ['/srv/data/flwd'],
  } as const;

  const fromRoot =
    " A relative path starts at the root of the job's source; to name a folder elsewhere, give its full path.";

  test('is allowed below security.paths', () => {
    expect(() => checkPath('read', '/srv/data/customers', 'customers', leave)).not.toThrow();
    expect(() => checkPath('write', '/srv/data/out', '/srv/data/out', leave)).not.toThrow();
    expect(() => checkPath('read', '/run/postgresql', '/run/postgresql', { ...leave, paths: ['/'] })).not.toThrow();
  });

  test('is refused outside of security.paths, even if its name only begins like one of them', () => {
    for (const path of ['/srv/database', '/srv', '/etc/shadow']) {
      expect(() => checkPath('read', path, path, leave)).toThrow(
        expect.objectContaining({ slug: 'grant-not-allowed' }),
      );
    }
  });

  test.each([
    ['/mnt/photos', 'security: {paths: [/mnt/photos]}'],
    ['/mnt/my photos', 'security: {paths: ["/mnt/my photos"]}'],
    ['photos', 'the folder that contains it', fromRoot],
  ])('outside of security.paths, shown as %s, is refused with what to write where', (shown, entry, more = '') => {
    expect(() => checkPath('read', '/mnt/photos', shown, leave)).toThrow(
      `'${shown}' is not below any folder in security.paths: add ${entry} to flwd.yaml, unless it is there already (flwd config show names the file). Then restart the server, which reads the file only when it starts.${more}`,
    );
  });

  test.each([
    [['/srv/a', '~/b'], "'/srv/a', '~/b'", 'security: {paths: [/srv/a, ~/b]}'],
    [['/srv/a', 'b'], "'/srv/a', 'b'", 'security: {paths: [/srv/a]} and the folders that contain the others', fromRoot],
    [['a', 'b'], "'a', 'b'", 'the folders that contain them', fromRoot],
  ])('is refused together with other paths in one message: %j', (shown, named, entry, more = '') => {
    expect(outsideRefusal(shown).message).toBe(
      `${named} are not below any folder in security.paths: add ${entry} to flwd.yaml, unless it is there already (flwd config show names the file). Then restart the server, which reads the file only when it starts.${more}`,
    );
  });

  test('is refused if the sandbox has files of its own below it', () => {
    for (const path of ['/', '/run', '/run/flwd'])
      expect(() => checkPath('write', path, path, { ...leave, paths: ['/'] })).toThrow(
        `'${path}' cannot be granted as a whole: name the folders in it.`,
      );
  });

  test('as `/` or `/run`, is refused without the advice to add it to security.paths', () => {
    for (const path of ['/', '//', '/run', '/run/', '/run/.'])
      expect(() => checkPath('read', '/run', path, leave)).toThrow(
        `'${path}' cannot be granted as a whole: name the folders in it.`,
      );
    // The path is a link. A caller who may not have its target must not learn what the target is.
    expect(() => checkPath('read', '/', '/mnt/photos', leave)).toThrow('add security: {paths: [/mnt/photos]}');
  });

  test('is refused if it is, or is inside, a path that belongs to the server', () => {
    for (const path of ['/srv/data/flwd', '/srv/data/flwd/secret.key']) {
      expect(() => checkPath('read', path, path, leave)).toThrow(
        expect.objectContaining({ slug: 'grant-not-allowed' }),
      );
    }
    expect(() => checkPath('read', '/srv/data/flwd-jobs', '/srv/data/flwd-jobs', leave)).not.toThrow();
  });

  test('may be read but not written if it contains files of the server, which the message does not name', () => {
    expect(() => checkPath('write', '/srv/data', 'data', leave)).toThrow(
      "'data' must not be writable by a job, because it contains files of the server itself.",
    );
    expect(() => checkPath('read', '/srv/data', 'data', leave)).not.toThrow();
    expect(() => checkPath('write', '/srv', '/srv', leave)).toThrow('is not below any');
  });

  test('is refused with the key of the profile if the instance does not grant this kind of access', () => {
    for (const profile of ['secure', 'permissive'] as const) {
      expect(() => checkPath('write', '/srv/data/x', 'x', { ...leave, profile, mayGrant: ['read'] })).toThrow(
        `The job asks for 'x', but security.profiles.${profile}.may_grant does not list 'write'.`,
      );
    }
  });

  test('may be read without permission if every sandbox shows it', () => {
    expect(() =>
      checkPath('read', '/etc/ssl/certs', '/etc/ssl/certs', { ...leave, mayGrant: [], paths: [] }),
    ).not.toThrow();
    expect(() => checkPath('write', '/usr/bin', '/usr/bin', leave)).toThrow(
      expect.objectContaining({ slug: 'grant-not-allowed' }),
    );
  });
});
