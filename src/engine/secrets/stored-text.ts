// Reads a text of flwd.yaml or of a schedule. The text is given directly, or as the name of a stored secret.

import type { StoredText } from '../../domain/notification.ts';

/** The value of a stored secret. @throws Problem secret-unavailable */
export type SecretOf = (name: string) => Promise<string>;

/**
 * Removes whitespace around a secret, because a secret from a file often ends with a line feed. @throws Problem
 * secret-unavailable
 */
export async function openStoredText(text: StoredText, secretOf: SecretOf): Promise<string> {
  return typeof text === 'string' ? text : (await secretOf(text.secret)).trim();
}
