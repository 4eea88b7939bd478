// Commands on an instance: on its data dir where no server has it, else by asking that server, as its own user.

import { type Client, createClient } from '../client/client.ts';
import type { Config } from '../config/config.ts';
import { readCliToken } from '../lib/cli-token.ts';
import { DataDirOwned } from '../lib/owner-lock.ts';
import { exitCodes, Refusal } from './exit-code.ts';
import { createPinnedFetch } from './pinned-fetch.ts';

/**
 * @param o.alone throws DataDirOwned where a server has the data dir
 * @throws Refusal for what the user can mend
 */
export async function onInstance<T>(
  { instance: { dataDir } }: Config,
  o: { readonly alone: () => Promise<T>; readonly byOwner: (client: Client) => Promise<T> },
): Promise<T> {
  try {
    return await o.alone();
  } catch (error) {
    if (!(error instanceof DataDirOwned)) throw error;
    if (!error.owner?.url) throw new Refusal(error.message, exitCodes.refused);
    const token = readCliToken(dataDir);
    const { url, certificate } = error.owner;
    const pinned = certificate ? { fetch: createPinnedFetch(certificate) } : {};
    const client = createClient({ baseUrl: url, client: 'cli', ...(token && { token }), ...pinned });
    return await o.byOwner(client);
  }
}
