// A temporary instance for the tests of jobs. It has the user's configuration and its own data dir, which is removed
// afterwards. The user's own instance is not touched, and jobs cannot see it.

import { existsSync } from 'node:fs';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from '../../client/client.ts';
import type { Config } from '../../config/config.ts';
import type { LoadedConfig } from '../../config/load.ts';
import { errorCode } from '../../lib/error-code.ts';
import { openEphemeral } from '../session/ephemeral.ts';

export const cores = availableParallelism();

/** @throws Refusal, StartError */
export async function withTestInstance<T>(loaded: LoadedConfig, work: (client: Client) => Promise<T>): Promise<T> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), 'flwd-test-')));
  try {
    const hides = await ownPaths(loaded.config);
    const ephemeral = await openEphemeral(
      { ...loaded, config: inFolder(loaded.config, dir) },
      { runs: new Set(), jobTests: { hides } },
    );
    try {
      const { url, token } = ephemeral;
      return await work(createClient({ baseUrl: url, client: 'cli', ...(token !== undefined && { token }) }));
    } finally {
      await ephemeral.close();
    }
  } finally {
    await rm(dir, { recursive: true, force: true }).catch((error: unknown) => {
      process.stderr.write(`flwd: cannot remove ${dir} (${errorCode(error) ?? 'unknown error'})\n`);
    });
  }
}

function inFolder(config: Config, dir: string): Config {
  const { profiles } = config.security;
  return {
    ...config,
    instance: { ...config.instance, dataDir: dir },
    sources: config.sources.map((source) => ({ ...source, watch: false })),
    security: {
      ...config.security,
      profiles: {
        secure: { ...profiles.secure, rateLimit: null },
        permissive: { ...profiles.permissive, rateLimit: null },
        disabled: { ...profiles.disabled, rateLimit: null },
      },
    },
    persistence: {
      ...config.persistence,
      dbPath: join(dir, 'flwd.db'),
      blobsDir: join(dir, 'blobs'),
      secretKeyFile: join(dir, 'secret.key'),
      secretKey: null,
    },
    // A run that waits for a sub-run occupies no slot.
    scheduler: { ...config.scheduler, globalConcurrency: cores, jobConcurrency: null },
    notify: { signingKeyFile: join(dir, 'notify.key'), allow: [], channels: [], rules: [], smtp: null },
  };
}

/** The files of the user's own instance, if there is one. */
async function ownPaths({ instance, persistence, notify, server, auth, remotes }: Config): Promise<string[]> {
  const { dbPath, blobsDir, secretKeyFile } = persistence;
  const paths = [
    instance.dataDir,
    dbPath,
    `${dbPath}-wal`,
    `${dbPath}-shm`,
    blobsDir,
    secretKeyFile,
    notify.signingKeyFile,
    ...(server.tls ? [server.tls.keyFile] : []),
    ...(auth.jwt && 'file' in auth.jwt.keys ? [auth.jwt.keys.file] : []),
    ...Object.values(remotes).flatMap(({ tokenFile }) => tokenFile ?? []),
  ];
  return Promise.all(paths.filter((path) => existsSync(path)).map((path) => realpath(path)));
}
