// Where the public keys of a JWT's issuer come from: a file or a URL. Both can change while the server runs; what
// cannot be read leaves the keys that were good.

import { readFileSync, statSync } from 'node:fs';
import { createLocalJWKSet, type JSONWebKeySet } from 'jose';
import { Problem } from '../../domain/problem.ts';
import type { Clock } from '../../lib/clock.ts';
import { stampOf, whyUnreadable } from '../../lib/files/watched-file.ts';
import type { Logger } from '../../lib/logger.ts';
import { StartError } from '../../lib/start-error.ts';

export type KeySet = ReturnType<typeof createLocalJWKSet>;

export type KeySource = {
  /** Looks whether the keys are others by now, at most once a second, where looking waits for nobody. */
  readonly watch: () => void;
  /** @throws where there were never any */
  readonly current: () => Promise<KeySet>;
  /** For a token that the current keys do not fit: others, if there are others by now. */
  readonly newer: () => Promise<KeySet | undefined>;
};

type Parts = { readonly clock: Clock; readonly log: Logger };

const mostBytes = 1_048_576;
const lookAgainMs = 1_000;

/** @throws StartError where the file cannot be used */
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
  let warnedOf = '';

  /** Whether the keys are others now. */
  function look(): boolean {
    lookedAtMs = clock.now();
    let stamp = '';
    try {
      stamp = stampOf(path);
      if (stamp === seen) return false;
      keys = readKeys(path);
      warnedOf = '';
      log.info({ file: path }, 'the keys of JWTs were read anew');
      return true;
    } catch (error) {
      const reason = reasonOf(error);
      if (reason !== warnedOf)
        log.warn({ file: path, reason }, 'the new keys of JWTs cannot be used; the earlier ones hold');
      warnedOf = reason;
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
  if (statSync(path).size > mostBytes) throw new UnusableKeys('is over 1 MiB');
  return toKeySet(readFileSync(path, 'utf8'));
}

const freshMs = 5 * 60_000;
const cooldownMs = 10_000;
const timeoutMs = 5_000;
const retryAfterSeconds = cooldownMs / 1000;

/** Fetches at once, so that the first token need not wait, and every five minutes that tokens come. */
export function createKeyUrlSource(url: string, { clock, log }: Parts): KeySource {
  let keys: KeySet | undefined;
  let fetchedAtMs = -Infinity;
  let triedAtMs = -Infinity;
  let isFailing = false;
  let pending: Promise<boolean> | undefined;

  /** Whether the keys are others now. However many ask, and with whatever tokens: one fetch in ten seconds. */
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
        const effect = keys ? 'the earlier ones hold' : 'no JWT is let in until they can';
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
        const detail = 'The keys of JWTs cannot be fetched, so no JWT can be checked; the server’s log says why.';
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
    // Where it leads might not be https, and nobody has checked it.
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new UnusableKeys(`were answered with status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > mostBytes) throw new UnusableKeys('are over 1 MiB');
    chunks.push(chunk);
  }
  return toKeySet(Buffer.concat(chunks).toString('utf8'));
}

function toKeySet(text: string): KeySet {
  const set = parse(text);
  const isSecret = set.keys.some((key) => key.kty === 'oct' || key.d !== undefined);
  if (isSecret) throw new UnusableKeys('has a private or a shared key, and only public ones may be there');
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
    throw new UnusableKeys('is no JSON Web Key Set: {"keys": […]}');
  }
}

/** The message goes on after the name of the file or the URL. */
class UnusableKeys extends Error {}

function reasonOf(error: unknown): string {
  if (error instanceof UnusableKeys) return error.message;
  const reason = whyUnreadable(error instanceof Error && error.cause ? error.cause : error);
  return reason ?? (error instanceof Error ? error.message : String(error));
}
