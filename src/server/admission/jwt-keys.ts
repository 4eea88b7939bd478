// Reads the public keys of the issuer of JWTs, from a file or from a URL. The keys may change while the server runs. If
// the new keys cannot be read, the earlier ones stay valid. ADR 0043 says why jose does not fetch them.

import { readFileSync, statSync } from 'node:fs';
import { createLocalJWKSet, type JSONWebKeySet } from 'jose';
import { Problem } from '../../domain/problem.ts';
import type { Clock } from '../../lib/clock.ts';
import { stampOf, whyUnreadable } from '../../lib/files/watched-file.ts';
import type { Logger } from '../../lib/logger.ts';
import { StartError } from '../../lib/start-error.ts';

export type KeySet = ReturnType<typeof createLocalJWKSet>;

export type KeySource = {
  /** Checks at most once a second whether the file has new keys. Does nothing for a URL. */
  readonly watch: () => void;
  /** @throws Problem not-ready if no keys could be read so far */
  readonly current: () => Promise<KeySet>;
  /** Call this for a token that no current key fits. @returns undefined if there are no newer keys */
  readonly newer: () => Promise<KeySet | undefined>;
};

type Parts = { readonly clock: Clock; readonly log: Logger };

const mostBytes = 1_048_576;
const lookAgainMs = 1_000;

/** @throws StartError if the file cannot be used */
export function openKeyFileSource(path: string, { clock, log }: Parts): KeySource {
  let keys: KeySet;
  let seen: string;
  try {
    seen = stampOf(path);
    keys = readKeys(path);
  } catch (error) {
    throw new StartError(`\`auth.jwt.jwks_file\`: ${path} ${reasonOf(error)}; put the issuer’s JSON Web Key Set there`);
  }
  let lookedAtMs = clock.now();
  let lastWarning = '';

  /** @returns whether there are new keys */
  function look(): boolean {
    lookedAtMs = clock.now();
    let stamp = '';
    try {
      stamp = stampOf(path);
      if (stamp === seen) return false;
      keys = readKeys(path);
      lastWarning = '';
      log.info({ file: path }, 'the keys of JWTs were read again');
      return true;
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== lastWarning)
        log.warn({ file: path, reason }, 'the new keys of JWTs cannot be used; the earlier ones stay valid');
      lastWarning = reason;
      return false;
    } finally {
      seen = stamp;
    }
  }

  function watch(): void {
    if (Math.abs(clock.now() - lookedAtMs) >= lookAgainMs) look();
  }

  return {
    watch,
    current: async () => {
      watch();
      return keys;
    },
    newer: async () => (look() ? keys : undefined),
  };
}

function readKeys(path: string): KeySet {
  if (statSync(path).size > mostBytes) throw new UnusableKeys('is larger than 1 MiB');
  return toKeySet(readFileSync(path, 'utf8'));
}

const freshMs = 5 * 60_000;
const cooldownMs = 10_000;
const timeoutMs = 5_000;
const retryAfterSeconds = cooldownMs / 1000;

/**
 * Fetches the keys at once, so that the first token need not wait. While tokens arrive, fetches the keys again every
 * five minutes.
 */
export function createKeyUrlSource(url: string, { clock, log }: Parts): KeySource {
  let keys: KeySet | undefined;
  let fetchedAtMs = -Infinity;
  let triedAtMs = -Infinity;
  let isFailing = false;
  let pending: Promise<boolean> | undefined;

  /**
   * Fetches the keys at most once in ten seconds, however many tokens need newer keys. @returns whether there are new
   * keys
   */
  function fetchAgain(): Promise<boolean> {
    if (pending) return pending;
    if (Math.abs(clock.now() - triedAtMs) < cooldownMs) return Promise.resolve(false);
    triedAtMs = clock.now();
    pending = fetchKeys(url)
      .then((fetched) => {
        keys = fetched;
        fetchedAtMs = clock.now();
        if (isFailing) log.info({ url }, 'the keys of JWTs can be fetched again');
        isFailing = false;
        return true;
      })
      .catch((error: unknown) => {
        const effect = keys ? 'the earlier ones stay valid' : 'every JWT is refused until they can be';
        if (!isFailing) log.warn({ url, reason: reasonOf(error) }, `the keys of JWTs cannot be fetched; ${effect}`);
        isFailing = true;
        return false;
      })
      .finally(() => {
        pending = undefined;
      });
    return pending;
  }

  void fetchAgain();
  return {
    watch() {},
    async current() {
      if (!keys || Math.abs(clock.now() - fetchedAtMs) >= freshMs) await fetchAgain();
      if (!keys) {
        const detail = 'The keys for JWTs cannot be fetched, so no JWT can be checked. The log of the server says why.';
        throw new Problem('not-ready', detail, { retry_after: retryAfterSeconds });
      }
      return keys;
    },
    newer: async () => ((await fetchAgain()) ? keys : undefined),
  };
}

async function fetchKeys(url: string): Promise<KeySet> {
  const response = await fetch(url, {
    headers: { accept: 'application/jwk-set+json, application/json' },
    // A redirect may lead to plain HTTP, which the check of the configuration forbids.
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new UnusableKeys(`the server answered with status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > mostBytes) throw new UnusableKeys('the answer is larger than 1 MiB');
    chunks.push(chunk);
  }
  return toKeySet(Buffer.concat(chunks).toString('utf8'));
}

function toKeySet(text: string): KeySet {
  const set = parse(text);
  const isSecret = set.keys.some((key) => key.kty === 'oct' || key.d !== undefined);
  if (isSecret) throw new UnusableKeys('has a private or a shared key, but only public keys may be there');
  return createLocalJWKSet(set);
}

function parse(text: string): JSONWebKeySet {
  let set: JSONWebKeySet;
  try {
    set = JSON.parse(text);
  } catch {
    throw new UnusableKeys('is not JSON');
  }
  try {
    createLocalJWKSet(set);
    return set;
  } catch {
    throw new UnusableKeys('is not a JSON Web Key Set: {"keys": […]}');
  }
}

/** The message continues a sentence that begins with the name of the file. */
class UnusableKeys extends Error {}

function reasonOf(error: unknown): string {
  if (error instanceof UnusableKeys) return error.message;
  const reason = whyUnreadable(error instanceof Error && error.cause ? error.cause : error);
  return reason ?? (error instanceof Error ? error.message : String(error));
}
