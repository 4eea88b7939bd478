// Runs an instance in this process for as long as a command takes.

import type { LoadedConfig } from '../../config/load.ts';
import { readCliToken } from '../../instance/cli-token.ts';
import { acquireOwnership } from '../../instance/owner-lock.ts';
import { httpFetch } from '../../lib/http/http-fetch.ts';
import { ended, type Owner } from './owner.ts';

type Ephemeral = import('../../main.ts').Ephemeral;

/**
 * Listens on a loopback port that is announced nowhere. Only users who can read the data dir can connect.
 * @param o.onYield called when a server asks for the data dir or has taken it. The caller must then close the instance.
 * @throws DataDirOwned, StartError
 */
export async function openEphemeral(
  { config, file }: Pick<LoadedConfig, 'config' | 'file'>,
  { onYield, ...o }: Omit<Ephemeral, 'ownership'> & { readonly onYield?: (own: Promise<Owner>) => void },
): Promise<Owner> {
  const { dataDir } = config.instance;
  const opening = Promise.withResolvers<Owner>();
  // Take ownership before loading the server's code, so that commands that lose the race need not load it.
  const ownership = await acquireOwnership(dataDir, {
    isEphemeral: true,
    warn: () => undefined,
    onYield: () => onYield?.(opening.promise),
    onLost: () => onYield?.(opening.promise),
    onStartRun: (runId) => void opening.promise.then((own) => own.ensureStarted(runId)).catch(() => undefined),
  });
  const bind = { host: '127.0.0.1', port: 0 };
  const ownConfig = {
    ...config,
    server: { ...config.server, bind, tls: null, trustProxy: false },
    auth: { mode: 'required', isDev: false, trustJobs: false, jwt: null },
    // Only errors are logged, because the command itself tells the user what happens.
    logging: { ...config.logging, level: 'error', output: 'stderr' },
  } as const;
  const { startHostProbe } = await import('../../host-probe.ts');
  const probe = startHostProbe(ownConfig);
  const { serve } = await import('../../main.ts');
  try {
    const server = await serve(ownConfig, { configFile: file, probe, ephemeral: { ...o, ownership } });
    let closing: Promise<void> | undefined;
    const own: Owner = {
      pid: process.pid,
      url: server.url,
      token: readCliToken(dataDir),
      async fetch(url, init) {
        if (closing) throw ended(dataDir);
        return httpFetch(url, init);
      },
      isEphemeral: true,
      isClosing: () => closing !== undefined,
      ensureStarted: async (runId) => server.ensureStarted(runId),
      close: () => (closing ??= server.stop()),
    };
    opening.resolve(own);
    return own;
  } catch (error) {
    opening.promise.catch(() => undefined);
    opening.reject(error);
    throw error;
  }
}
