// Texts of flwd.yaml and of schedules that may be stored secrets.

import type { StoredText } from '../domain/notification.ts';
import { Problem } from '../domain/problem.ts';
import { isHttpUrl } from '../lib/http-url.ts';
import { ChannelError } from './channel/request.ts';

/** The value of a stored secret. @throws Problem secret-unavailable */
export type SecretOf = (name: string) => Promise<string>;

const missingSecret = 'a secret that it needs is not stored, or cannot be read';

/** A secret from a file often ends with a line feed. @throws ChannelError */
export async function openText(text: StoredText, secretOf: SecretOf): Promise<string> {
  if (typeof text === 'string') return text;
  try {
    return (await secretOf(text.secret)).trim();
  } catch (error) {
    if (error instanceof Problem) throw new ChannelError(missingSecret, { detail: error.message });
    throw error;
  }
}

/** @throws ChannelError */
export async function openAddress(url: StoredText, secretOf: SecretOf): Promise<string> {
  const address = await openText(url, secretOf);
  if (isHttpUrl(address)) return address;
  const wrong = 'is not an http or https URL without a user and password';
  const detail = typeof url === 'string' ? {} : { detail: `the stored secret '${url.secret}' ${wrong}` };
  throw new ChannelError(`the address ${wrong}`, detail);
}
