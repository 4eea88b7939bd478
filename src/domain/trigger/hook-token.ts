// The token in the address of a webhook that was made at run time: `flwd_hook_<secret>`. Only a hash is stored
// (ADR 0074).

const prefix = 'flwd_hook_';

/** @param secret 43 characters of base64url */
export function formatHookToken(secret: string): string {
  return prefix + secret;
}

/** False for a text that cannot be a token, so that nobody looks it up. */
export function isHookToken(text: string): boolean {
  return /^flwd_hook_[\w-]{43}$/.test(text);
}

/** Hides tokens of this kind in a text that is shown or logged, also those with characters too many or too few. */
export function withoutHookTokens(text: string): string {
  return text.replaceAll(/flwd_hook_[\w-]{20,}/gi, 'flwd_hook_[redacted]');
}
