// Opens the texts that notifications need. Throws a ChannelError if a text cannot be opened.

import type { StoredText } from '../domain/notification.ts';
import { Problem } from '../domain/problem.ts';
import { openStoredText, type SecretOf } from '../engine/secrets/stored-text.ts';
import { isHttpUrl } from '../lib/http/http-url.ts';
import { ChannelError } from './channel/request.ts';

const missingSecret = 'a secret that it needs is not stored, or cannot be read';

/** @throws ChannelError */
export async function openText(text: StoredText, secretOf: SecretOf): Promise<string> {
  try {
    return await openStoredText(text, secretOf);
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
