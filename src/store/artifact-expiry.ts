// Removes the files of artifacts whose time is over: at a start, and every hour. Their rows stay, to say that they are gone.

import type { Logger } from '../lib/logger.ts';
import type { ArtifactStore } from './artifacts.ts';

const passMs = 3_600_000;

/** @returns how to end it; resolves once no file is being removed */
export function startArtifactExpiry(artifacts: ArtifactStore, log: Logger): () => Promise<void> {
  const ending = new AbortController();
  const pass = (): Promise<void> =>
    artifacts
      .removeExpired(ending.signal)
      .catch((error: unknown) => log.error({ err: error }, 'the files of expired artifacts could not be removed'));
  let running = pass();
  const timer = setInterval(() => {
    running = running.then(pass);
  }, passMs).unref();
  return async () => {
    clearInterval(timer);
    ending.abort();
    await running;
  };
}
